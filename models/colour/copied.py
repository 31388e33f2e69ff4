"""The colouriser that moves nothing: each frame has the colour of the still nearest in time, as it lies.

What carrying colour has to be better than; right where nothing moves.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from models.colour.colouriser import Coloured, Reference
from models.restorer import Card, Footage

# Every tenth frame from the still the trust is halved: a guess, for the record alone.
_HALVED_FRAMES = 10


class CopiedColour:
    """Copies; of a still of another shot, with half the confidence."""

    card = Card("copy", "1", {"halved_frames": _HALVED_FRAMES})
    device = "cpu"

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        check_references(footage, references)
        for frame in range(footage.frame_count):
            nearest = min(references, key=lambda reference: _distance(reference, frame))
            trust = 0.5 if nearest.frame is None else 0.5 ** (abs(nearest.frame - frame) / _HALVED_FRAMES)
            confidence_HW = np.full((footage.height, footage.width), trust, np.float32)
            yield Coloured(nearest.ab_2HW, confidence_HW)


def _distance(reference: Reference, frame: int) -> float:
    return float("inf") if reference.frame is None else abs(reference.frame - frame)


def check_references(footage: Footage, references: Sequence[Reference]) -> None:
    """Raises ValueError where there is none, or one of another size or of a frame outside the footage."""
    if not references:
        raise ValueError("no reference: there is nothing to carry")
    for reference in references:
        if reference.ab_2HW.shape != (2, footage.height, footage.width):
            raise ValueError(f"a reference of shape {reference.ab_2HW.shape} for {footage.height} rows")
        if reference.frame is not None and not 0 <= reference.frame < footage.frame_count:
            raise ValueError(f"a reference of frame {reference.frame} of {footage.frame_count}")
