"""What a restorer is trained for: the terms of its loss, and what each counts.

Shape suffixes: N items, T frames, C channels, H rows, W columns; 2 is (dx, dy) in pixels.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from models.training.losses import (
    Total,
    charbonnier,
    hinge_generator,
    l1,
    mask_loss,
    own,
    spread_loss,
    temporal_difference,
)
from models.training.perceptual import Perceptual


@dataclass(frozen=True)
class Objective:
    """What each term counts; 0 leaves it out."""

    pixel: float = 1.0
    """Of the error of pixels."""
    pixel_loss: Literal["l1", "charbonnier"] = "l1"
    """How it is measured."""
    perceptual: float = 0.0
    """Of the difference to VGG-19; left out, too, where training found no VGG-19."""
    adversarial: float = 0.0
    """Of the discriminator's verdict."""
    temporal: float = 0.0
    """Of what changes from frame to frame and should not."""
    mask: float = 0.0
    """Of the mask head."""
    spread: float = 0.0
    """Of the head that tells the expected error."""
    match: float = 0.0
    """Of the error of what was looked up, measured as that of pixels."""
    damage_emphasis: float = 0.0
    """How much more a damaged pixel counts in the terms of pixels and spread; 0 is as much as any other."""

    def __post_init__(self) -> None:
        counts = (
            self.pixel,
            self.perceptual,
            self.adversarial,
            self.temporal,
            self.mask,
            self.spread,
            self.match,
        )
        if min(*counts, self.damage_emphasis) < 0 or not any(counts):
            raise ValueError("no term may count less than 0, and one must count")


PAPER = Objective(pixel=1.0, perceptual=1.0, adversarial=0.01)
"""RTN's, for pictures in [-1, 1] and the perceptual loss's own `PAPER` (Wan et al., CVPR 2022)."""
REWEAVE = Objective(
    pixel=1.0,
    pixel_loss="charbonnier",
    perceptual=0.02,
    temporal=0.5,
    mask=1.0,
    spread=0.1,
    damage_emphasis=40.0,
)
"""Reweave's, for luma in [0, 1]. It has no adversary, whose detail is invented, and sees little by VGG-19.
Damage is one pixel in a hundred: with its emphasis it has a third of the picture's say. After 500
steps a mask that counted a twentieth as much pulled at the trunk a seventeenth as hard as the pixels, and
still found nothing: whatever it let through cost more than it could gain."""

REDYE = Objective(pixel=1.0, pixel_loss="charbonnier", temporal=0.5, spread=0.1, match=0.2)
"""Redye's, for a and b in its own unit. What it looks up in stills has a two-hundredth of the say at first:
without a term of its own it would hardly be taught."""


class Trial(NamedTuple):
    """A batch of clips as a network restored them, and the truth; None is what the network or the objective
    does not have."""

    restored_NTCHW: Tensor
    """In the network's own range."""
    target_NTCHW: Tensor
    """In the same."""
    damage_NT1HW: Tensor | None = None
    """True damage, in [0, 1]."""
    logit_NT1HW: Tensor | None = None
    """The mask head's."""
    spread_NT1HW: Tensor | None = None
    """Logarithm of the expected absolute error; of frames of more channels, of their distance."""
    to_previous_NT2HW: Tensor | None = None
    """True flow from each frame but the first to the one before: T - 1 entries. None stands for no motion."""
    verdict: Tensor | None = None
    """The discriminator's, on the restored frames."""
    certain_NT1HW: Tensor | None = None
    """1 where the mask is asked for, 0 where it may say what it likes. None: everywhere."""
    match_NTCHW: Tensor | None = None
    """What was looked up elsewhere of the same."""


class Terms(NamedTuple):
    """The loss by its terms, each times what it counts; None where it is left out."""

    pixel: Tensor | None = None
    perceptual: Tensor | None = None
    adversarial: Tensor | None = None
    temporal: Tensor | None = None
    mask: Tensor | None = None
    spread: Tensor | None = None
    match: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """What to go down."""
        return torch.stack([term for term in self if term is not None]).sum()


def judge(
    objective: Objective, trial: Trial, perceptual: Perceptual | None = None, total: Total = own
) -> Terms:
    """The terms of one batch, or of a part of it. total: makes of the part's sums those of the whole.

    Raises ValueError, naming it, for what a term that counts needs and the trial lacks.
    """
    restored, target = trial.restored_NTCHW, trial.target_NTCHW
    weight = None
    if objective.damage_emphasis:
        weight = 1 + objective.damage_emphasis * _needed(trial.damage_NT1HW, "damage_NT1HW").float()
    measure = {"l1": l1, "charbonnier": charbonnier}[objective.pixel_loss]
    terms = Terms()
    if objective.pixel:
        terms = terms._replace(pixel=objective.pixel * measure(restored, target, weight, total))
    if objective.perceptual and perceptual is not None:
        seen = perceptual(restored.flatten(0, 1), target.flatten(0, 1))
        terms = terms._replace(perceptual=objective.perceptual * seen)
    if objective.adversarial:
        verdict = _needed(trial.verdict, "verdict")
        terms = terms._replace(adversarial=objective.adversarial * hinge_generator(verdict))
    if objective.temporal:
        change = temporal_difference(restored, target, trial.to_previous_NT2HW, total)
        terms = terms._replace(temporal=objective.temporal * change)
    if objective.mask:
        logit = _needed(trial.logit_NT1HW, "logit_NT1HW")
        damage = _needed(trial.damage_NT1HW, "damage_NT1HW")
        terms = terms._replace(mask=objective.mask * mask_loss(logit, damage, trial.certain_NT1HW, total))
    if objective.spread:
        spread = _needed(trial.spread_NT1HW, "spread_NT1HW")
        terms = terms._replace(spread=objective.spread * spread_loss(spread, restored, target, weight, total))
    if objective.match:
        match = _needed(trial.match_NTCHW, "match_NTCHW")
        terms = terms._replace(match=objective.match * measure(match, target, weight, total))
    return terms


def _needed(tensor: Tensor | None, name: str) -> Tensor:
    if tensor is None:
        raise ValueError(f"the objective has a term that needs {name}")
    return tensor
