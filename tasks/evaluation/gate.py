"""Whether a challenger may become the champion: by its scores beside those of what stands now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from tasks.evaluation.request import CLEAN, IN_SCENE
from tasks.evaluation.score import SliceScore
from tasks.request import RequestError

Scores = Mapping[str, SliceScore]
"""Of one restorer, by slice."""


_PERFECT_DB = 100.0
"""Stands for a repair without any error, whose PSNR is no number."""


@dataclass(frozen=True)
class GateRules:
    """How much better, and nowhere worse by how much."""

    gain_db: float = 0.1
    """By so much PSNR inside the damage it must be better, on average over the recipes."""
    slice_db: float = 0.5
    """No slice may be worse inside its damage by more."""
    least_clips: int = 3
    """A slice of fewer clips says too little to stand in the way, but for recipes, clean film and
    look-alikes."""
    harm: float = 1e-4
    """Share of all pixels: film without damage, and film with look-alikes, may be touched by so much more."""
    flicker: float = 2e-4
    """The light, of 1, may waver by so much more from frame to frame."""
    warping: float = 0.05
    """The error along motion may be larger by this share."""

    def __post_init__(self) -> None:
        margins = (self.gain_db, self.slice_db, self.least_clips, self.harm, self.flicker, self.warping)
        if not all(0 <= margin < inf for margin in margins):
            raise RequestError("a gate's margins must be numbers, and not negative")


def gate_rules(margins: Sequence[str]) -> GateRules:
    """The rules with some margins as a person writes them: harm=0.0002. Raises RequestError."""
    return GateRules(**margins_given(margins, asdict(GateRules())))


def margins_given(margins: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Margins as a person writes them, as numbers like those that are known. Raises RequestError."""
    kinds: dict[str, type[int | float]] = {name: type(value) for name, value in known.items()}
    given: dict[str, Any] = {}
    for margin in margins:
        name, _, value = margin.partition("=")
        if name not in kinds:
            like = f"{next(iter(known))}=0.1"
            raise RequestError(f"gate {margin}: no such margin; write one of {', '.join(kinds)}, like {like}")
        try:
            given[name] = kinds[name](value)
        except ValueError as error:
            raise RequestError(
                f"gate {margin}: {value or 'nothing'} is no number that {name} takes"
            ) from error
    return given


@dataclass(frozen=True)
class Decision:
    """What the gate said, and why."""

    promote: bool
    standing: str
    """Whom it was compared with."""
    reasons: tuple[str, ...]
    """With numbers: what it is better by, where it passes; all that stands against it, where it does not."""

    def sentence(self) -> str:
        return "; ".join(self.reasons)


def decide(
    challenger: Scores,
    standing: Scores,
    name: str,
    recipes: Sequence[str],
    rules: GateRules = GateRules(),
) -> Decision:
    """By the scores of one evaluation. name: of what stands. recipes: the slices that count for the whole."""
    gain = _mean(challenger, recipes) - _mean(standing, recipes)
    against = []
    if gain < rules.gain_db:
        against.append(f"inside the damage {gain:+.2f} dB beside {name}, {rules.gain_db:+.2f} asked for")
    against += _worse(challenger, standing, recipes, rules)
    if against:
        return Decision(False, name, tuple(against))
    return Decision(
        True,
        name,
        (f"inside the damage {gain:+.2f} dB beside {name}, and no slice is worse beyond its margin",),
    )


def _mean(scores: Scores, recipes: Sequence[str]) -> float:
    """Of PSNR inside the damage."""
    reached = [_reached(scores[recipe]) for recipe in recipes]
    return sum(reached) / max(1, len(reached))


def _reached(score: SliceScore) -> float:
    return _PERFECT_DB if score.psnr_inside is None else score.psnr_inside


def _worse(challenger: Scores, standing: Scores, recipes: Sequence[str], rules: GateRules) -> Iterator[str]:
    for part, score in challenger.items():
        other = standing[part]
        if score.clips < rules.least_clips and part not in (*recipes, CLEAN, IN_SCENE):
            continue
        if score.psnr_inside_before is not None and _over(_reached(other), _reached(score), rules.slice_db):
            yield f"{part}: {_reached(score):.2f} dB inside the damage, {_reached(other):.2f} before"
        if part in (CLEAN, IN_SCENE) and _over(score.harm, other.harm, rules.harm):
            yield f"{part}: {score.harm:.4%} of the pixels touched, {other.harm:.4%} before"
        if _over(score.flicker, other.flicker, rules.flicker):
            yield f"{part}: flicker {score.flicker:.5f}, {other.flicker:.5f} before"
        if other.warping is not None and _over(score.warping, other.warping, rules.warping * other.warping):
            yield f"{part}: warping error {score.warping:.6f}, {other.warping:.6f} before"


def _over(value: float | None, limit: float | None, margin: float) -> bool:
    return value is not None and limit is not None and value > limit + margin
