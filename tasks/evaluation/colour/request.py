"""What an evaluation of colourisers is asked for, and the tests that it is made of."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tasks.corpora.clips import SPLITS, Split
from tasks.request import RequestError

Test = Literal["middle", "far", "sibling"]

FAR_FRAMES = 24
"""Clips that are shorter have no test `far`: nothing in them is far from anything."""


@dataclass(frozen=True)
class ColourTest:
    """A clip made grey, and one still of it."""

    name: Test
    frames: int
    """That are coloured: the first ones of the clip."""
    still: int
    """Which frame is given in colour."""
    scored: int
    """The first ones, that are compared with the truth."""
    told: bool = True
    """Whether it is said which frame the still shows; else it shows none of them, as from another shot."""


@dataclass(frozen=True)
class ColourEvaluationRequest:
    """One frozen set of clips, the same for all colourisers. Raises RequestError for what cannot be."""

    corpus: str
    """A finished corpus of three channels; its clean clips are made grey."""
    split: Split = "test"
    clips: int = 24
    """Spread over the films of the split; each once at most, so that a small corpus gives fewer."""
    seed: int = 7
    """Decides which clips; not negative."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():
            raise RequestError("name a finished corpus: a directory or a URI")
        if self.split not in SPLITS:
            raise RequestError(f"split {self.split}: choose {', '.join(SPLITS)}")
        if self.clips < 1:
            raise RequestError(f"{self.clips} clips: at least 1")
        if not 0 <= self.seed < 2**63:
            raise RequestError(f"seed {self.seed}: a whole number from 0")


def trials_of(frames: int) -> Iterator[ColourTest]:
    """What a clip of so many frames is tried with. `middle`: its middle frame is the still. `far`: its last
    one is, and the first half is scored, as in the test of RTN (Wan et al., CVPR 2022). `sibling`: its last
    one is, and no longer part of the film. At least 2."""
    half = frames // 2
    yield ColourTest("middle", frames, frames // 2, frames)
    if frames >= FAR_FRAMES:
        yield ColourTest("far", frames, frames - 1, half)
    yield ColourTest("sibling", half, frames - 1, half, told=False)
