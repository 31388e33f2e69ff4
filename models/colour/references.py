"""Whether a coloured still fits the frame it is meant for.

Shape suffixes: H rows, W columns; h, w of the shrunken pictures; 2 is (a, b).
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.view import inside, sample
from models.motion import Byte, MotionSettings, grid, proxy, proxy_scale, shrink

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

Verdict = Literal["aligned", "shifted", "toned", "other"]
"""`aligned`: the same picture, in place. `shifted`: the same, moved. `toned`: in place, with another tone
curve (paler, darker, inverted). `other`: another picture."""
Colours = Literal["grey", "tinted", "coloured"]
"""`tinted`: one hue all over, like sepia."""

_LOOK = MotionSettings(proxy_px=320)
# Correlation of local contrast, on 27 clips: of a frame with itself, repainted, blurred or as JPEG, 0.88 and
# more; with another film under 0.54. A frame a second away passes where next to nothing moves (13 of 27).
_SAME = 0.7
# Of the picture's longer side; and never less than this many pixels.
_SHIFT_SHARE, _SHIFT_PX = 0.002, 1.0
# Mean difference of luma, of 1.
_TONE = 0.06
# Chroma that is hardly seen; and share of the picture that must have more.
_SEEN_CHROMA, _SEEN_SHARE = 4.0, 0.005
# A tint leaves only black and white without chroma.
_TINTED_SHARE = 0.5


@dataclass(frozen=True)
class Fit:
    """How a still lies on a frame."""

    verdict: Verdict
    likeness: float
    """Correlation of local contrast once moved, in [-1, 1]; below 0 for a negative."""
    right_px: float
    down_px: float
    """How far the still's picture lies right of the frame's, and below it, in pixels of the frame."""
    tone: float
    """Mean difference of luma once moved, of 1."""


def fit(still_HW: Float, frame_HW: Float) -> Fit:
    """How the still's luma lies on the frame's, both in [0, 1] and of one size.

    Only moving as a whole is looked for, not turning or scaling. Raises ValueError for another size.
    """
    if still_HW.shape != frame_HW.shape:
        raise ValueError(f"a still of {still_HW.shape} for a frame of {frame_HW.shape}")
    scale = proxy_scale(frame_HW.shape, _LOOK.proxy_px)
    move_2, likeness = _placed(look(still_HW), look(frame_HW))
    right_px, down_px = (move_2 / scale).tolist()
    moved_hw, seen_hw = _moved(shrink(still_HW, scale), move_2)
    tone = float(np.abs(moved_hw - shrink(frame_HW, scale))[seen_hw].mean()) if seen_hw.any() else 1.0
    limit_px = max(_SHIFT_PX, _SHIFT_SHARE * max(frame_HW.shape))
    verdict: Verdict = "aligned"
    if abs(likeness) < _SAME:
        verdict = "other"
    elif max(abs(right_px), abs(down_px)) > limit_px:
        verdict = "shifted"
    elif tone > _TONE:
        verdict = "toned"
    return Fit(verdict, likeness, right_px, down_px, tone)


def look(luma_HW: Float) -> Byte:
    """What `alike` sees of a picture with luma in [0, 1]: small, so that many may be kept."""
    return proxy(luma_HW, _LOOK)


def alike(one_hw: Byte, other_hw: Byte) -> float:
    """The likeness that `fit` finds for two pictures of one size, by their looks."""
    return _placed(one_hw, other_hw)[1]


def colours(ab_2HW: Float) -> Colours:
    """Whether a still has any colour, and more than one."""
    seen_HW = np.hypot(ab_2HW[0], ab_2HW[1]) > _SEEN_CHROMA
    if float(seen_HW.mean()) < _SEEN_SHARE:
        return "grey"
    # Of one tint, next to nothing is left beside the common hue, and it lies all over.
    hue_2 = ab_2HW.reshape(2, -1).mean(1)
    hue_2 = hue_2 / max(float(np.hypot(*hue_2)), 1e-6)
    along_HW = np.tensordot(hue_2, ab_2HW, axes=1)
    across_HW = np.hypot(ab_2HW[0] - hue_2[0] * along_HW, ab_2HW[1] - hue_2[1] * along_HW)
    other_HW = (across_HW > _SEEN_CHROMA) | (along_HW < -_SEEN_CHROMA)
    one_tint = float(other_HW.mean()) < _SEEN_SHARE and float(seen_HW.mean()) > _TINTED_SHARE
    return "tinted" if one_tint else "coloured"


def _placed(still_look_hw: Byte, frame_look_hw: Byte) -> tuple[Float, float]:
    """How far the still is moved against the frame, (dx, dy) in small pixels, and their likeness then."""
    still_hw, frame_hw = _detail(still_look_hw), _detail(frame_look_hw)
    window = cv2.createHanningWindow(frame_hw.shape[::-1], cv2.CV_32F)
    in_place = _correlation(still_hw, frame_hw)
    sign = 1.0 if in_place > -_SAME else -1.0
    # OpenCV lays the window on its arguments themselves where their size is one its transform likes.
    (right, down), _ = cv2.phaseCorrelate(frame_hw.copy(), sign * still_hw, window)
    move_2 = np.array([right, down], np.float32)
    likeness = _likeness(still_hw, frame_hw, move_2)
    if abs(in_place) >= abs(likeness):  # phase correlation found nothing better
        return np.zeros(2, np.float32), in_place
    return move_2, likeness


def _detail(look_hw: Byte) -> Float:
    """Local contrast about 0: what no tone curve changes much."""
    return np.asarray(look_hw / 50 - 2.56, np.float32)


def _moved(still_hw: Float, move_2: Float) -> tuple[Float, Mask]:
    """The still laid on the frame, and where it shows anything of it."""
    place_hw2 = grid(*still_hw.shape) + move_2
    return sample(still_hw, place_hw2), inside(place_hw2) > 0


def _likeness(still_hw: Float, frame_hw: Float, move_2: Float) -> float:
    """Correlation where both are seen; 0 where that is less than a quarter of the picture."""
    moved_hw, seen_hw = _moved(still_hw, move_2)
    return _correlation(moved_hw[seen_hw], frame_hw[seen_hw]) if seen_hw.mean() > 0.25 else 0.0


def _correlation(one_hw: Float, other_hw: Float) -> float:
    one, other = one_hw - one_hw.mean(), other_hw - other_hw.mean()
    size = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / size if size > 1e-6 else 0.0
