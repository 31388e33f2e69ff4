"""Motion where a frame shows nothing: under what was marked in it, however large.

Shape suffixes: H rows, W columns of the full picture; h, w of the motion proxy; 2 is (dx, dy).

The frames around see the scene pass behind the hole: half their motion is the hole's, but for the gate's
weave, which is the frame's own. That difference is known all around the hole and continued into it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical.membrane import membrane
from models.metrics import grown

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

# DIS works on patches of 8 px; what is marked is covered before, so two pixels are enough.
_MARGIN_PX = 2
# A covered hole pulls at the flow beside it, through the coarse grids: led on from 24 px away, rectangles of
# 70 px on real film come back 0.7 to 2.5 dB closer than led on from their border; from 48 px, worse again.
_ASIDE_PX = 24
# So the flow nearest to the hole, which says how light has changed there, is mended too: 0.2 dB.
_BESIDE_PX = 8
_MOST_UNKNOWN = 0.98
# Round trips that miss by more tell nothing of what is around.
_LOST_PX = 1.5
# What a guess that nothing moves is worth: about a third of a neighbour's weight.
_GUESS_PX = 2.0


@dataclass(frozen=True)
class Motion:
    """From one frame to another, in pixels of the proxy's grid."""

    flow_hw2: Float
    error_hw: Float
    """How far going there and back misses its start."""


def on_proxy(given_HW: Mask, shape_hw: tuple[int, ...]) -> Mask:
    """The proxy's pixels that hold something of what was marked, and those beside them."""
    size = (shape_hw[1], shape_hw[0])
    share_hw = cv2.resize(given_HW.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return grown(share_hw > 0, _MARGIN_PX)


def mended(measured: Motion, hole_hw: Mask, passing: Motion | None) -> Motion:
    """The motion measured, and in the hole that of the scene passing by, led on from what is around it.

    passing: what the frames around say; None where there are none.
    """
    lost_hw = measured.error_hw > _LOST_PX
    unknown_hw = grown(hole_hw, _ASIDE_PX) | lost_hw
    if float(unknown_hw.mean()) > _MOST_UNKNOWN:
        unknown_hw = hole_hw | lost_hw
    basis_hw2 = np.zeros_like(measured.flow_hw2) if passing is None else passing.flow_hw2
    gap_2hw = (measured.flow_hw2 - basis_hw2).transpose(2, 0, 1)
    led_hw2 = (
        np.zeros_like(basis_hw2) if unknown_hw.all() else membrane(gap_2hw, unknown_hw).transpose(1, 2, 0)
    )
    if passing is not None:
        error_hw = passing.error_hw
    elif unknown_hw.all():
        error_hw = np.full_like(measured.error_hw, _GUESS_PX)
    else:
        error_hw = membrane(measured.error_hw[None], unknown_hw)[0]
    mended_hw = grown(hole_hw, _BESIDE_PX)
    return Motion(
        np.where(mended_hw[..., None], basis_hw2 + led_hw2, measured.flow_hw2).astype(np.float32),
        np.where(mended_hw, error_hw, measured.error_hw),
    )


def passing(there: Motion, back: Motion, share: float) -> Motion:
    """The scene's motion at a frame near two others that see it: a share of that between these two."""
    flow_hw2 = (0.5 * share) * (there.flow_hw2 - back.flow_hw2)
    return Motion(flow_hw2, np.float32(share) * np.maximum(there.error_hw, back.error_hw))
