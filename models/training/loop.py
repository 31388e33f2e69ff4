"""The one training loop: material in, weights out, told to a reporter. It knows no engine.

Shape suffixes: N windows, T frames, C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from models.training.company import ALONE, Company, over_all
from models.training.course import Course
from models.training.discriminator import TemporalPatchGAN
from models.training.learner import Learner
from models.training.losses import hinge_discriminator
from models.training.objective import Terms, Trial, judge
from models.training.perceptual import Perceptual
from models.training.pictures import RGB
from models.training.progress import Progress, State

M = TypeVar("M", bound=tuple[Tensor, ...])
M_co = TypeVar("M_co", bound=tuple[Tensor, ...], covariant=True)

_PICTURED = 3
"""Windows of the frozen set that a look shows."""


class Feed(Protocol[M_co]):
    """Batches without end, from a place that can be told and taken up again."""

    def __iter__(self) -> Iterator[M_co]: ...

    def state(self) -> dict[str, int]:
        """Of what was used up to the batch handed out last."""


class Reporter(Protocol):
    """Who is told how it goes."""

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        """After each step: the terms of the loss, the learning rate, the gradient's norm."""

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        """After each look at the frozen set."""

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        """After each look: the first windows of the frozen set by name, as the learner's exam shows them."""


def train(
    course: Course,
    learner: Learner[M],
    feed: Feed[M],
    frozen: Sequence[M],
    progress: Progress,
    reporter: Reporter,
    keep: Callable[[Progress], None],
    perceptual: Perceptual | None = None,
    company: Company = ALONE,
) -> Progress:
    """Trains from where `progress` stands to the course's end, or until it gets no better.

    frozen: batches that the network is judged by and never learns from; by them it is looked at before the
    first step too, as it may never be better. keep: is given the progress after each later look, and may
    write it down. company: who learns from the other parts of each batch; all begin with the same progress
    and end with the same weights, and only the first worker uses `frozen`, `reporter` and `keep` and knows
    the best weights. Raises ArithmeticError where the loss is no number.

    What all go down is the loss of the whole batch: sums are taken over all parts before one is divided by
    another. Another number of workers adds in another order, and differs in the last digits alone.
    """
    torch.set_flush_denormal(True)  # Adam's moments shrink to denormals, which processors are slow with
    network = learner.network
    network.load_state_dict(progress.network)
    network.to(memory_format=torch.channels_last)  # a quarter less time a step, on processors
    device = next(network.parameters()).device
    progress.averaged = {name: weight.to(device) for name, weight in progress.averaged.items()}
    named = dict(network.named_parameters())
    critic = _critic(course, progress, device) if course.adversarial else None
    if critic is not None:
        named |= {f"critic.{name}": weight for name, weight in critic.named_parameters()}
    optimizer = torch.optim.AdamW(named.values(), course.rate, weight_decay=course.weight_decay)
    _take_up(optimizer, named, progress)
    batches, total = iter(feed), over_all(company)
    if progress.best_score is None:
        company.decided(lambda: _look(course, learner, frozen, progress, reporter))
    while progress.step < course.steps and not _in_vain(course, progress):
        step = progress.step
        for group in optimizer.param_groups:
            group["lr"] = course.rate_at(step)
        material = _there(next(batches), device)
        network.train()
        objective = course.objective_at(step)
        looked_on = critic is not None and objective.adversarial > 0
        with _autocast(course, device):
            trial = learner.trial(material, np.random.default_rng([course.seed, step]))
            if critic is not None and looked_on:
                critic.requires_grad_(False)
                trial = trial._replace(verdict=critic(_signed(trial.restored_NTCHW)))
        terms = judge(objective, trial, perceptual, total)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(terms.total)
        names, losses = _told(terms)
        if critic is not None and looked_on:
            lost = _taught(critic, trial, _autocast(course, device))
            names, losses = [*names, "loss_critic"], torch.cat([losses, lost[None]])
        gradients = [weight.grad for weight in named.values() if weight.grad is not None]
        company.mean([*gradients, losses])
        if not torch.isfinite(losses[0]):
            raise _no_number(step)
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), course.longest_gradient)
        optimizer.step()
        _average(progress.averaged, network.state_dict(), course.kept_at(step))
        progress.step, progress.fed = step + 1, feed.state()
        if company.rank == 0:
            told = dict(zip(names, losses.tolist(), strict=True))
            reporter.stepped(progress.step, {**told, "rate": course.rate_at(step), "gradient": float(norm)})
        if progress.step % course.validate_steps == 0 or progress.step == course.steps:
            progress.looks_since_best = company.decided(
                lambda: _look(course, learner, frozen, progress, reporter)
            )
            progress.network = network.state_dict()
            progress.critic = critic.state_dict() if critic is not None else {}
            _put_down(optimizer, named, progress)
            if company.rank == 0:
                keep(progress)
    return progress


def judged(course: Course, learner: Learner[M], frozen: Sequence[M], weights: State) -> dict[str, float]:
    """How weights do on batches: the last stage's loss, and what the learner's exam tells."""
    return _examined(course, learner, frozen, weights)[0]


def _examined(
    course: Course, learner: Learner[M], frozen: Sequence[M], weights: State
) -> tuple[dict[str, float], dict[str, RGB]]:
    """As `judged`, and the pictures."""
    network = learner.network
    device = next(network.parameters()).device
    own = {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(weights)
    network.eval()
    # A critic's verdict compares nobody: it learns, too.
    objective = replace(course.stages[-1].objective, adversarial=0.0)
    losses: list[float] = []
    pictures: list[RGB] = []
    exam = learner.exam()
    with torch.no_grad():
        for material in (_there(each, device) for each in frozen):
            with _autocast(course, device):
                trial = learner.trial(material)
            losses.append(float(judge(objective, trial).total))
            exam.add(material, trial)
            if len(pictures) < _PICTURED:
                pictures += exam.pictures(material, trial)
    network.load_state_dict(own)
    told = {"loss": float(np.mean(losses)), **exam.told()}
    shown = {f"window {number}": each for number, each in enumerate(pictures[:_PICTURED], start=1)}
    return told, shown


def _look(
    course: Course, learner: Learner[M], frozen: Sequence[M], progress: Progress, reporter: Reporter
) -> int:
    """Looks since the best one."""
    told, pictures = _examined(course, learner, frozen, progress.averaged)
    if not isfinite(told["loss"]):
        raise _no_number(progress.step)
    reporter.looked(progress.step, told)
    reporter.pictured(progress.step, pictures)
    if progress.best_score is None or told["loss"] < progress.best_score:
        progress.best_score, progress.looks_since_best = told["loss"], 0
        progress.best = {name: weight.clone() for name, weight in progress.averaged.items()}
    else:
        progress.looks_since_best += 1
    return progress.looks_since_best


def _no_number(step: int) -> ArithmeticError:
    return ArithmeticError(f"step {step}: the loss is no number; lower the rate")


def _in_vain(course: Course, progress: Progress) -> bool:
    return 0 < course.patience <= progress.looks_since_best


def _critic(course: Course, progress: Progress, device: torch.device) -> TemporalPatchGAN:
    """As it was left, or at its beginning, which the seed decides."""
    with torch.random.fork_rng():
        torch.manual_seed(course.seed)
        critic = TemporalPatchGAN(frame_channels=1)
    if progress.critic:
        critic.load_state_dict(progress.critic)
    return critic.to(device).train()


def _taught(critic: TemporalPatchGAN, trial: Trial, autocast: torch.autocast) -> Tensor:
    """The critic's loss, whose gradients it now has."""
    critic.requires_grad_(True)
    with autocast:
        real, fake = critic(_signed(trial.target_NTCHW)), critic(_signed(trial.restored_NTCHW.detach()))
    loss = hinge_discriminator(real, fake)
    torch.autograd.backward(loss)
    return loss.detach()


def _signed(luma_NT1HW: Tensor) -> Tensor:
    """Around 0, as a discriminator learns best."""
    return 2 * luma_NT1HW - 1


def _there(material: M, device: torch.device) -> M:
    kind: Any = type(material)
    return cast(M, kind(*(each.to(device) for each in material)))


def _autocast(course: Course, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=course.precision == "bf16")


def _average(averaged: State, weights: State, kept: float) -> None:
    for name, weight in weights.items():
        if weight.is_floating_point():
            averaged[name].lerp_(weight.detach(), 1 - kept)
        else:
            averaged[name].copy_(weight)


def _told(terms: Terms) -> tuple[list[str], Tensor]:
    """The loss, then what counted in it: names and numbers."""
    each = {f"loss_{name}": term for name, term in terms._asdict().items() if term is not None}
    return ["loss", *each], torch.stack([terms.total, *each.values()]).detach()


def _take_up(
    optimizer: torch.optim.AdamW, named: Mapping[str, torch.nn.Parameter], progress: Progress
) -> None:
    for name in progress.mean:
        device = named[name].device
        optimizer.state[named[name]] = {
            "step": torch.tensor(float(progress.updates.get(name, progress.step))),
            "exp_avg": progress.mean[name].to(device).clone(),
            "exp_avg_sq": progress.square[name].to(device).clone(),
        }


def _put_down(
    optimizer: torch.optim.AdamW, named: Mapping[str, torch.nn.Parameter], progress: Progress
) -> None:
    states = {name: optimizer.state[each] for name, each in named.items() if each in optimizer.state}
    progress.mean = {name: state["exp_avg"] for name, state in states.items()}
    progress.square = {name: state["exp_avg_sq"] for name, state in states.items()}
    progress.updates = {name: int(state["step"]) for name, state in states.items()}
