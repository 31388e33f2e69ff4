"""A large filling made one with what is around it: in light, and in the strength of its grain.

Shape suffixes: C planes, H rows, W columns.

Of a spot of dirt nobody sees either; a marked region may be half the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.fill import Source
from models.grain import BINS
from models.motion import warp

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Grain is what a Gaussian this wide takes away.
_GRAIN_PX = 1.0
# Sides of what is called a spot, and of where the calmest one is looked for.
_SPOT_PX, _NEAR_PX = 7, 21
_CALM_SHARE = 0.1
_LEAST_SPOTS = 500
_NOWHERE = np.float32(1)  # more than there can be


def stand_in(sources: list[Source]) -> tuple[Float, Mask]:
    """For a frame of which nothing shows: the mean of its neighbours brought here, and where there is none.

    One neighbour's light may not stand beside another's in patches.
    """
    total_CHW: Float = np.zeros_like(sources[0].planes_CHW)
    weight_HW: Float = np.zeros(total_CHW.shape[1:], np.float32)
    for source in sources:
        whole_HW = warp(source.damaged_HW.astype(np.float32), source.flow_HW2) == 0
        there_CHW: Float = np.stack([warp(plane, source.flow_HW2) for plane in source.planes_CHW])
        total_CHW += whole_HW * there_CHW
        weight_HW += whole_HW
    return (total_CHW / np.maximum(weight_HW, 1)).astype(np.float32), weight_HW < 1


def grain_share(now_HW: Float, canvas_HW: Float, grain_HW: Float, mask_HW: Mask, known_HW: Mask) -> Float:
    """How much of the grain meant for a filling it can take and still be no rougher than the film is.

    now: the picture. canvas: with the smooth filling in it. grain: what is to be added. In [0, 1].
    Motion that is followed badly passes for grain where grain is measured: rectangles marked on four films of
    1903 to 1940 came out 1.0 to 1.5 times as rough as what they replaced. By the film's calmest spots of each
    brightness they are 1.0 to 1.1 times as rough.
    """
    calm_B = _calmest(now_HW, known_HW)
    if calm_B is None:
        return np.ones_like(now_HW)
    centres = (np.arange(BINS, dtype=np.float32) + 0.5) / BINS
    wanted_HW = np.interp(canvas_HW, centres, calm_B).astype(np.float32)
    there_HW, meant_HW = _variance(canvas_HW, mask_HW), _variance(grain_HW, mask_HW)
    # What is rough by its own texture is judged by its calmest spot near by.
    there_HW = cv2.erode(there_HW, np.ones((_NEAR_PX, _NEAR_PX), np.uint8))
    lacking_HW = np.maximum(wanted_HW - there_HW, 0)
    share_HW: Float = np.minimum(np.sqrt(lacking_HW / np.maximum(meant_HW, 1e-9)), 1)
    return share_HW


def _calmest(plane_HW: Float, known_HW: Mask) -> Float | None:
    """For each of BINS brightnesses, the variance of what is fine in the calmest tenth of the spots known.

    None where next to nothing is known.
    """
    variance_HW = _variance(plane_HW, known_HW)[::2, ::2]
    valid_HW = variance_HW < _NOWHERE
    if int(valid_HW.sum()) < _LEAST_SPOTS:
        return None
    bins = np.clip((plane_HW[::2, ::2][valid_HW] * BINS).astype(np.intp), 0, BINS - 1)
    variance = variance_HW[valid_HW]
    overall = float(np.quantile(variance, _CALM_SHARE))
    each = [variance[bins == number] for number in range(BINS)]
    return np.array(
        [np.quantile(of, _CALM_SHARE) if of.size >= _LEAST_SPOTS else overall for of in each], np.float32
    )


def _variance(plane_HW: Float, where_HW: Mask) -> Float:
    """Of what is fine, in a spot about each pixel, by the pixels named; `_NOWHERE` if there are too few."""
    fine_HW = plane_HW - cv2.GaussianBlur(plane_HW, (0, 0), _GRAIN_PX)
    where, spot = where_HW.astype(np.float32), (_SPOT_PX, _SPOT_PX)
    weight_HW = cv2.blur(where, spot)
    variance_HW: Float = cv2.blur(fine_HW * fine_HW * where, spot) / np.maximum(weight_HW, 1e-4)
    variance_HW[weight_HW < 0.5] = _NOWHERE
    return variance_HW
