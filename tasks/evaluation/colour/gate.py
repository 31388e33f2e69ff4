"""Whether a colouriser in training may become the champion: by its scores beside those of what stands now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf

from tasks.evaluation.colour.evaluation import WHOLE
from tasks.evaluation.colour.score import ColourScore
from tasks.evaluation.gate import Decision, margins_given
from tasks.request import RequestError

Scores = Mapping[str, ColourScore]
"""Of one colouriser, by slice."""


@dataclass(frozen=True)
class ColourGateRules:
    """How much better, and nowhere worse by how much; in CIEDE2000, of which about 1 is just seen."""

    gain: float = 0.02
    """By so much it must be nearer to the true colour over all clips and tests."""
    slice_worse: float = 0.3
    """No slice may be further from it by more."""
    least_clips: int = 3
    """A slice of fewer clips says too little to stand in the way, but for the tests over all films."""
    flicker: float = 0.0
    """In units of ab: colour may waver by so much more from frame to frame, over all."""

    def __post_init__(self) -> None:
        margins = (self.gain, self.slice_worse, self.least_clips, self.flicker)
        if not all(0 <= margin < inf for margin in margins):
            raise RequestError("a gate's margins must be numbers, and not negative")


def colour_gate_rules(margins: Sequence[str]) -> ColourGateRules:
    """The rules with some margins as a person writes them: slice_worse=0.2. Raises RequestError."""
    return ColourGateRules(**margins_given(margins, asdict(ColourGateRules())))


def decide_colour(
    challenger: Scores, standing: Scores, name: str, rules: ColourGateRules = ColourGateRules()
) -> Decision:
    """By the scores of one evaluation. name: of what stands."""
    nearer = standing[WHOLE].ciede2000 - challenger[WHOLE].ciede2000
    against = []
    if not nearer >= rules.gain or nearer == 0:
        against.append(
            f"{challenger[WHOLE].ciede2000:.3f} CIEDE2000 over all, {name} {standing[WHOLE].ciede2000:.3f}; "
            f"{rules.gain:.3f} nearer asked for"
        )
    against += _worse(challenger, standing, rules)
    if against:
        return Decision(False, name, tuple(against))
    told = f"{nearer:.3f} CIEDE2000 nearer over all than {name}, and no slice is worse beyond its margin"
    return Decision(True, name, (told,))


def _worse(challenger: Scores, standing: Scores, rules: ColourGateRules) -> Iterator[str]:
    for part, score in challenger.items():
        other, whole = standing[part], not part.startswith("film ")
        if score.clips < rules.least_clips and not whole:
            continue
        if not score.ciede2000 <= other.ciede2000 + rules.slice_worse:
            yield f"{part}: {score.ciede2000:.3f} CIEDE2000, {other.ciede2000:.3f} before"
        if part == WHOLE and not score.flicker <= other.flicker + rules.flicker:
            yield f"{part}: colour flickers by {score.flicker:.3f}, {other.flicker:.3f} before"
