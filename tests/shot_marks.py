"""How well shots were found in a film whose edits are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.film import Edit


class Found(Protocol):
    """What a detector reports: an `Edit` or anything shaped like one."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class Tally:
    """Right, wrong and missed, to be added up over reels."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)


def mark(found: Sequence[Found], edits: Sequence[Edit], hard: bool) -> Tally:
    """Scores hard cuts (within one frame) or gradual ones (intersection over union of a half, kind aside).

    One to one, in order; what is of the other sort counts for nothing on either side.
    """
    left = [e for e in edits if (e.kind == "hard") == hard]
    mine = [f for f in found if (f.kind == "hard") == hard]
    truths, right = len(left), 0
    for cut in mine:
        hits = [e for e in left if (abs(e.start - cut.start) <= 1 if hard else _overlap(cut, e) >= 0.5)]
        if hits:
            left.remove(hits[0])
            right += 1
    return Tally(right, len(mine) - right, truths - right)


def _overlap(one: Found, other: Found) -> float:
    common = min(one.end, other.end) - max(one.start, other.start)
    return common / max(1, max(one.end, other.end) - min(one.start, other.start))
