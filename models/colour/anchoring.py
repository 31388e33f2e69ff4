"""Which frame of the shot each still belongs to, and how its pixels lie there.

Shape suffixes: h rows, w columns of the working picture; 2 is (x, y) in its pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.carry import Anchor
from models.colour.view import View, recognised
from models.flow import FlowEstimator
from models.motion import grid

Float = NDArray[np.float32]

# A still of another shot is laid beside this many frames, spread over the shot, and motion is looked for to
# the likest few.
_TRIED_FRAMES, _LIKEST = 48, 4
# Of the picture: motion agrees with about as much by chance; a still that does no better is not believed.
_CHANCE = 0.15
_THUMB_PX = (32, 24)


@dataclass(frozen=True)
class Still:
    """A reference at working size."""

    view: View
    ab_2hw: Float
    frame: int | None


class ViewOf(Protocol):
    """Frames' views by number."""

    def __getitem__(self, frame: int) -> View: ...


def anchored(stills: Sequence[Still], frames: int, views: ViewOf, estimator: FlowEstimator) -> list[Anchor]:
    """The stills laid on frames of the shot, at most one on each, at least one, in order of time.

    A still of this shot lies on its own frame; one of another shot on the frame that agrees with most of it,
    and is believed as a whole by how much that is.
    """
    found: dict[int, Anchor] = {}
    for still in stills:
        if still.frame is not None:
            height, width = still.view.luma_hw.shape
            full_hw = np.ones((height, width), np.float32)
            found[still.frame] = Anchor(
                still.frame, still.view, still.ab_2hw, grid(height, width), full_hw, own=True
            )
    for still in stills:
        if still.frame is None:
            anchor = _likest(still, frames, views, estimator)
            if anchor.frame not in found or found[anchor.frame].fits < anchor.fits:
                found[anchor.frame] = anchor
    # Where there is better, a still that hardly fits would only cut its way short.
    best = max(anchor.fits for anchor in found.values())
    return [found[frame] for frame in sorted(found) if found[frame].fits > 0.5 * best or best == 0]


def _likest(still: Still, frames: int, views: ViewOf, estimator: FlowEstimator) -> Anchor:
    """The still on the frame that agrees with most of it."""
    thumb = _thumb(still.view)
    tried = np.unique(np.linspace(0, frames - 1, min(frames, _TRIED_FRAMES)).round().astype(int))
    alike = [float((_thumb(views[int(frame)]) * thumb).mean()) for frame in tried]
    likest = [int(tried[place]) for place in np.argsort(alike)[::-1][:_LIKEST]]
    laid = [_laid(still, frame, views[frame], estimator) for frame in likest]
    return max(laid, key=lambda anchor: float(anchor.confidence_hw.mean()))


def _laid(still: Still, frame: int, here: View, estimator: FlowEstimator) -> Anchor:
    pair = estimator.between(still.view.look_hw, here.look_hw)
    place_hw2 = grid(*here.luma_hw.shape) + pair.backward_hw2
    sure_hw = recognised(here.luma_hw, still.view.luma_hw, place_hw2, pair.backward_error_hw)
    fits = float(np.clip(((sure_hw > 0.5).mean() - _CHANCE) / (0.5 - _CHANCE), 0, 1))
    return Anchor(frame, still.view, still.ab_2hw, place_hw2, sure_hw * fits, fits)


def _thumb(view: View) -> Float:
    """A tiny copy of mean 0 and spread 1, so that the mean of a product is a correlation."""
    tiny = cv2.resize(view.luma_hw, _THUMB_PX, interpolation=cv2.INTER_AREA)
    even: Float = (tiny - tiny.mean()) / (tiny.std() + 1e-3)
    return even
