"""What is measured of a blob that stands out, and how sure that makes us that it is dirt.

Shape suffixes: H rows, W columns, N blobs, F features, P pixels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.classical import recurrence
from models.classical.blotches import Blobs, BlotchSettings, Witnesses, slope

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """One row per blob."""

    shapes: recurrence.Shapes
    """Size, contrast, place and form, to be known again by."""
    border_N: Float
    """Share of the blob's pixels at the frame's very edge, where the gate's shadow weaves in and out."""
    strength_N: Float
    """The same, unsigned, in local noise deviations."""
    split_N: Float
    """How far the two neighbours disagree under the blob, by its contrast: 0 for dirt on a known ground."""
    unrest_N: Float
    """Share of the pixels around the blob that differ from a neighbour too."""
    edge_N: Float
    """Steepness along the blob's outline, by its contrast, per pixel: low for smoke and light."""
    texture_N: Float
    """Steepness of the ground around the blob, by its contrast, per pixel."""
    again_N: Float
    """How badly the blob is found again in the neighbour where it is found better (`recurrence.found_again`).
    """
    again_other_N: Float
    """The same in the other neighbour."""
    echo_N: Float
    """What of the blob's own kind is near by in both neighbours (`recurrence.echo`)."""
    beyond_N: Float
    """How far the blob lies outside all tones shown within a dozen pixels, by its contrast: 0 inside, 1 at
    most."""

    def features_NF(self, company_N: Float) -> Float:
        """The evidence as numbers a straight line can weigh; `company` as `company` below tells."""
        size_N = np.log(self.shapes.area_N / 20).astype(np.float32)
        trace_N = np.log(self.echo_N + 0.1).clip(-2.4, 3)
        return np.stack(
            [
                size_N,
                np.log(np.maximum(self.strength_N, 0.1) / 5),
                np.minimum(self.split_N, 2),
                self.unrest_N,
                np.minimum(self.texture_N, 1),
                np.minimum(self.again_N, 0.6),
                np.minimum(self.again_other_N, 0.8),
                trace_N,
                np.sqrt(company_N),
                size_N * trace_N,
                size_N * np.minimum(self.again_N, 0.6),
                size_N * self.unrest_N,
                self.beyond_N,
            ],
            axis=1,
        )


def gather(
    blobs: Blobs,
    seen: Witnesses,
    here_HW: Float,
    there_HW: list[Float],
    blotching: BlotchSettings,
    recurring: recurrence.RecurrenceSettings,
) -> Evidence:
    """Measures every blob; `here` and `there` are reliefs of this frame and of its nearest neighbours."""
    difference_HW = seen.now_HW - seen.expected_HW
    contrast_N = blobs.mean_N(difference_HW)
    size_N: Float = np.maximum(np.abs(contrast_N), np.float32(1e-6))
    area_N = np.bincount(blobs.blob_P, minlength=blobs.count).astype(np.float32)
    energy_N = blobs.mean_N(np.square(difference_HW)) * area_N
    limit_HW = np.maximum(blotching.grow_sigmas * seen.noise_HW, 0.5 * blotching.floor)
    differs_HW = (np.abs(seen.now_HW - seen.before_HW) > limit_HW) | (
        np.abs(seen.now_HW - seen.after_HW) > limit_HW
    )
    around = _surroundings(blobs)
    costs = [recurrence.found_again(blobs, energy_N, here_HW, other_HW, recurring) for other_HW in there_HW]
    reach_px = recurring.reach_px(*here_HW.shape)
    return Evidence(
        recurrence.shapes(blobs, contrast_N),
        border_N=blobs.mean_N(_border(*here_HW.shape)),
        strength_N=(size_N / np.maximum(blobs.mean_N(seen.noise_HW), 1e-6)).astype(np.float32),
        split_N=blobs.mean_N(np.abs(seen.before_HW - seen.after_HW)) / size_N,
        unrest_N=around.mean_N(differs_HW.astype(np.float32)),
        edge_N=_outline(blobs).mean_N(slope(difference_HW)) / size_N,
        texture_N=around.mean_N(slope(seen.expected_HW)) / size_N,
        again_N=np.min(costs, axis=0),
        again_other_N=np.max(costs, axis=0),
        echo_N=recurrence.echo(blobs, contrast_N, energy_N, seen, limit_HW, reach_px),
        beyond_N=blobs.mean_N(_beyond(seen)) / size_N,
    )


def company(blobs: Blobs, others: list[Blobs]) -> Float:
    """Per blob, the share of its neighbourhood (12 px) that stood out in the frames around it too.

    Dirt falls anywhere; what flickers, burns or flutters does so again in the same place.
    """
    if not others or blobs.count == 0:
        return np.zeros(blobs.count, np.float32)
    side = (25, 25)
    shares = [
        blobs.mean_N(cv2.blur(other.mask_HW.astype(np.float32), side, borderType=cv2.BORDER_REFLECT_101))
        for other in others
    ]
    share_N: Float = np.mean(shares, axis=0).astype(np.float32)
    return share_N


def _beyond(seen: Witnesses) -> Float:
    """How far each pixel is outside the tones that the neighbours show within a dozen pixels."""
    height, width = seen.now_HW.shape
    size = (max(1, width // 2), max(1, height // 2))
    # Half size is near enough for extremes, and four times as fast.
    lowest = cv2.resize(cv2.min(seen.before_HW, seen.after_HW), size, interpolation=cv2.INTER_AREA)
    highest = cv2.resize(cv2.max(seen.before_HW, seen.after_HW), size, interpolation=cv2.INTER_AREA)
    square = np.ones((13, 13), np.uint8)
    lowest_HW = cv2.resize(cv2.erode(lowest, square), (width, height), interpolation=cv2.INTER_LINEAR)
    highest_HW = cv2.resize(cv2.dilate(highest, square), (width, height), interpolation=cv2.INTER_LINEAR)
    beyond_HW: Float = np.maximum(cv2.max(seen.now_HW - highest_HW, lowest_HW - seen.now_HW), 0)
    return beyond_HW


def _border(height: int, width: int) -> Float:
    """1 along the frame's edge (1.5 % of its shorter side, 3 px at least), 0 inside."""
    margin = max(3, round(0.015 * min(height, width)))
    border_HW = np.ones((height, width), np.float32)
    border_HW[margin:-margin, margin:-margin] = 0
    return border_HW


def _like_one_of(shapes: recurrence.Shapes, chosen_N: Mask) -> Mask:
    """Which blobs have a chosen one of their own sign and about their size (a fifth to five times) in the
    frame."""
    ratio_NN = shapes.area_N[None, chosen_N] / shapes.area_N[:, None]
    same_NN = shapes.contrast_N[None, chosen_N] * shapes.contrast_N[:, None] > 0
    like_N: Mask = np.any(same_NN & (ratio_NN > 0.2) & (ratio_NN < 5), axis=1)
    return like_N


def _along_the_gate(shapes: recurrence.Shapes, height: int, width: int) -> Mask:
    """Long strips beside and along an edge of the frame: the border of the gate, weaving, not dirt."""
    x_N, y_N = shapes.centre_N2[:, 0], shapes.centre_N2[:, 1]
    upright_N = np.abs(shapes.heading_N - np.pi / 2) < 0.15
    lying_N = np.minimum(shapes.heading_N, np.pi - shapes.heading_N) < 0.15
    # 7 %: a scan often shows that much beside the picture.
    at_side_N = np.minimum(x_N, width - x_N) < 0.07 * width
    at_end_N = np.minimum(y_N, height - y_N) < 0.07 * height
    strip_N: Mask = (shapes.long_N > 5.0) & ((upright_N & at_side_N) | (lying_N & at_end_N))
    return strip_N


def _surroundings(blobs: Blobs) -> Blobs:
    """The pixels 3 to 6 px around each blob."""
    # float32 holds label numbers up to 2^24 and, unlike int32, can be dilated.
    numbers_HW = blobs.labels_HW.astype(np.float32)
    near_HW = cv2.dilate(numbers_HW, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    wide_HW = cv2.dilate(numbers_HW, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    return _picked(blobs, np.where(near_HW > 0, 0, wide_HW).astype(np.int32))


def _outline(blobs: Blobs) -> Blobs:
    inner_HW = cv2.erode(blobs.mask_HW.astype(np.uint8), np.ones((3, 3), np.uint8))
    return _picked(blobs, np.where(inner_HW > 0, 0, blobs.labels_HW))


def _picked(blobs: Blobs, labels_HW: NDArray[np.int32]) -> Blobs:
    rows_P, columns_P = np.nonzero(labels_HW)
    return Blobs(
        labels_HW, blobs.count, rows_P, columns_P, (labels_HW[rows_P, columns_P] - 1).astype(np.intp)
    )


# A logistic regression on 8,369 suspects (5,650 of them synthetic dirt) in fifteen clips: clean, aged three
# ways, and with snow, confetti, rain, sparks, smoke and fire in the scene; false ones weigh by the square
# root of their area. On clips left out: area under the ROC 0.929; at confidence 0.5, 90 % of suspected dirt's
# area is kept, and of what is suspected on clean film 9 %.
_BIAS = 0.14
_WEIGHTS_F = np.array(
    [
        -0.51,  # size
        1.15,  # strength
        -2.31,  # split
        -3.14,  # unrest
        -3.57,  # texture
        8.64,  # again
        -4.86,  # again in the other neighbour
        -0.56,  # echo
        -6.47,  # company
        -0.18,  # size x echo
        -1.19,  # size x again
        -0.06,  # size x unrest
        4.55,  # beyond
    ]
)
# Not in the regression: synthetic dirt is all sharp (0.34 and more), real dirt is from 0.2 on. Smoke and
# moving light are under 0.1.
_SOFTEST_EDGE, _CLEAR_EDGE = 0.08, 0.15
# What even odds would call 0.6 is 0.5 here: harm weighs more than dirt. At 0.55, flying ice of a rocket's
# launch went.
_CAUTION = 0.4


def confidence(
    found: Evidence, company_N: Float, moving_N: Mask, both_sides: bool, height: int, width: int
) -> Float:
    """How sure each blob is dirt, in [0, 1]; `company` and `moving` are what other frames say."""
    score_N = _BIAS - _CAUTION + found.features_NF(company_N) @ _WEIGHTS_F
    sure_N = 1 / (1 + np.exp(-score_N.clip(-30, 30)))
    sure_N *= np.clip((found.edge_N - _SOFTEST_EDGE) / (_CLEAR_EDGE - _SOFTEST_EDGE), 0, 1)
    # Something large at the very edge, where such things fly, is coming in or going out.
    at_edge_N = (found.border_N > 0.02) & (found.shapes.area_N > 0.001 * height * width)
    entering_N = at_edge_N & _like_one_of(found.shapes, moving_N)
    shadow_N = ((found.border_N > 0.5) & (found.shapes.long_N > 2.0)) | _along_the_gate(
        found.shapes, height, width
    )
    sure_N[moving_N | shadow_N | entering_N] = 0.0
    if not both_sides:
        # Seen from one side only, something that went away looks like dirt: not more than a spot is believed.
        sure_N = 0.8 * sure_N * (found.shapes.area_N < 60)
    confidence_N: Float = sure_N.astype(np.float32)
    return confidence_N
