"""How a network is trained: the stages, the pace, and when to stop."""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import Literal

from models.training.objective import REDYE, REWEAVE, Objective

_FIRST_RATE, _LAST_RATE = 0.05, 0.02


@dataclass(frozen=True)
class Stage:
    """A part of the training, with an objective of its own."""

    until: float
    """Share of all steps after which it ends, in (0, 1]."""
    objective: Objective


STAGES = (
    # Pixels first: a mask that is learnt before there is anything to gain by it learns to find nothing.
    Stage(0.1, replace(REWEAVE, perceptual=0.0, temporal=0.0)),
    Stage(1.0, replace(REWEAVE, perceptual=0.0)),
)

COLOUR_STAGES = (Stage(1.0, REDYE),)


_ADVERSARIAL = 0.01
"""What a discriminator's verdict counts, as in RTN."""


@dataclass(frozen=True)
class Course:
    """A whole training."""

    steps: int
    """Batches it learns from; the pace is laid out over them."""
    stages: tuple[Stage, ...] = STAGES
    """One after the other; the last ends at 1."""
    rate: float = 1e-3
    """The learning rate after the warm-up; it falls along a cosine to a fiftieth."""
    warmup_steps: int = 50
    """Steps in which the rate rises to that."""
    weight_decay: float = 0.01
    """AdamW's."""
    longest_gradient: float = 1.0
    """The gradient is clipped to this norm."""
    averaged: float = 0.999
    """What is kept of the averaged weights in every step, later on; they are what is judged and used."""
    validate_steps: int = 250
    """Steps from one look at the frozen set to the next."""
    patience: int = 0
    """So many looks without a better one end the training; 0 never ends it early."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """What is computed in; weights and losses are float32."""
    seed: int = 0
    """Decides, with a step's number, all that is drawn in it."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.validate_steps < 1:
            raise ValueError("steps and validate_steps must be at least 1")
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or not ends[0] > 0 or ends[-1] != 1:
            raise ValueError(f"stages must end one after the other, the last at 1, not at {ends}")
        if min(self.rate, self.longest_gradient) <= 0 or not 0 <= self.averaged < 1:
            raise ValueError("rate and longest_gradient must be above 0, averaged in [0, 1)")
        if min(self.warmup_steps, self.patience, self.seed) < 0 or self.weight_decay < 0:
            raise ValueError("warmup_steps, patience, seed and weight_decay must not be negative")

    @property
    def adversarial(self) -> bool:
        """Whether a discriminator looks on at any time."""
        return any(stage.objective.adversarial for stage in self.stages)

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.rate * (_FIRST_RATE + (1 - _FIRST_RATE) * (step + 1) / self.warmup_steps)
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.rate * (_LAST_RATE + (1 - _LAST_RATE) * (1 + cos(pi * min(done, 1.0))) / 2)

    def objective_at(self, step: int) -> Objective:
        """What a step goes down."""
        return next(stage.objective for stage in self.stages if step < stage.until * self.steps)

    def kept_at(self, step: int) -> float:
        """What a step keeps of the averaged weights: little at first, when they are still at random."""
        return min(self.averaged, (1 + step) / (10 + step))


def polished(course: Course, share: float) -> Course:
    """The course with a discriminator, and VGG-19 where there is one, looking on in the last steps.

    share: of all steps. Raises ValueError for one that is not in [0, 1), or leaves nothing of a stage.
    """
    if not 0 <= share < 1:
        raise ValueError(f"a share of {share} of the steps: it must be in [0, 1)")
    if share == 0:
        return course
    last = course.stages[-1].objective
    seen = Stage(1.0, replace(last, perceptual=REWEAVE.perceptual, adversarial=_ADVERSARIAL))
    return replace(course, stages=(*course.stages[:-1], Stage(1.0 - share, last), seen))


def lasting(course: Course, steps: int) -> Course:
    """The course over so many steps, with a warm-up and looks that befit a short one."""
    return replace(
        course,
        steps=steps,
        warmup_steps=min(course.warmup_steps, steps // 10),
        validate_steps=min(course.validate_steps, steps),
    )


def fitted(course: Course, budget_s: float, step_s: float, look_s: float = 0.0) -> Course:
    """The course with as many steps as fit into the time, looks at the frozen set among them.

    step_s, look_s: what one step and one look take. Raises ValueError where not one step fits.
    """
    each_s = step_s + look_s / course.validate_steps
    steps = int((budget_s - look_s) / each_s)
    if steps < 1:
        raise ValueError(
            f"{budget_s:.0f} s are too short: a step takes {step_s:.1f} s, a look {look_s:.1f} s"
        )
    return lasting(course, steps)
