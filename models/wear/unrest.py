"""What moves and lightens every pixel from frame to frame: flicker and weave.

Shape suffixes: H rows, W columns, T frames, B blocks, 2 is (across, down).

Sources: the flicker index and the jitter index of film.md 3.2: gains over blocks along motion, and the fast
part of the accumulated global motion (`models.classical.stabilise`).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.stabilise import StabiliseSettings, common_move, smooth_path
from models.motion import Pair
from models.wear.wear import Wear

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Six by eight blocks are finer than any shutter's or lamp's shadow, and hold a thousand pixels each at 240
# rows.
_ROWS, _COLUMNS = 6, 8
# Near black a grey level is a tenth of the tone; near white film and scan saturate.
_DARKEST, _LIGHTEST = 0.08, 0.94
# Of a frame or block: with fewer pixels in sight its median tells of the few.
_LEAST_SHARE = 0.25


class Unrest:
    """Follows one shot's light and place."""

    def __init__(self) -> None:
        self._steps: list[float] = []
        self._uneven: list[float] = []
        self._moves: list[NDArray[np.float64]] = []
        self._supported = 0
        self._height = 1

    def step(self, now_HW: Float, brought_HW: Float, lost_HW: Mask, pair: Pair) -> None:
        """Takes in a frame, the one before brought to its place, where that is not to be trusted, and their
        motion."""
        self._height = pair.forward_hw2.shape[0]
        step, uneven = _gains(now_HW, brought_HW, lost_HW)
        self._steps.append(step)
        self._uneven.append(uneven)
        move, support = common_move(pair.forward_hw2, pair.forward_error_hw)
        self._moves.append(move)
        self._supported += support >= 0.2

    def finish(self) -> Wear:
        """The series of the whole shot. No weave is told of a shot that had no common motion in every other
        frame."""
        gains = np.array([*self._steps, np.nan], np.float32)
        uneven = np.array(self._uneven, np.float32)
        if len(self._moves) < 8 or self._supported < 0.5 * len(self._moves):
            return Wear(steps_T=gains, uneven_T=uneven)
        path_T2 = np.cumsum([np.zeros(2), *self._moves], axis=0)
        fast_T2 = (path_T2 - smooth_path(path_T2, StabiliseSettings().window_frames)) / self._height
        series_T2 = np.vstack([fast_T2, np.full((1, 2), np.nan)]).astype(np.float32)
        return Wear(steps_T=gains, uneven_T=uneven, across_T=series_T2[:, 0], down_T=series_T2[:, 1])


def _gains(now_HW: Float, brought_HW: Float, lost_HW: Mask) -> tuple[float, float]:
    """The frame's change of log gain, and how it differs over blocks: medians, which dirt does not move."""
    known_HW = ~lost_HW & (np.minimum(now_HW, brought_HW) > _DARKEST)
    known_HW &= np.maximum(now_HW, brought_HW) < _LIGHTEST
    if known_HW.mean() < _LEAST_SHARE:
        return float("nan"), float("nan")
    ratio_HW = np.log(np.maximum(now_HW, 1e-3) / np.maximum(brought_HW, 1e-3)).astype(np.float32)
    ratio_HW[~known_HW] = np.nan
    step = float(np.nanmedian(ratio_HW))
    # Brought to whole blocks by nearest neighbours, as the detector does.
    high, wide = ratio_HW.shape[0] // _ROWS, ratio_HW.shape[1] // _COLUMNS
    used = cv2.resize(ratio_HW, (_COLUMNS * wide, _ROWS * high), interpolation=cv2.INTER_NEAREST)
    blocks = used.reshape(_ROWS, high, _COLUMNS, wide).transpose(0, 2, 1, 3).reshape(_ROWS * _COLUMNS, -1)
    counted_B = np.isfinite(blocks).mean(axis=1) >= _LEAST_SHARE
    if counted_B.sum() < 0.25 * counted_B.size:
        return step, float("nan")
    return step, float(np.std(np.nanmedian(blocks[counted_B], axis=1) - step))
