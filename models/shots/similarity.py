"""How alike two normalised pictures are, with and without allowing for motion."""

from dataclasses import dataclass

import cv2
import numpy as np

from models.shots.normalise import Picture

# Blocks of a quarter of the width, searched for 10 % to either side and 8 % up and down: a whip pan of 9 px
# per frame at 160 px stays inside. Smaller blocks find a good match by chance in any picture: across true
# cuts 16x12 blocks agreed to 0.53 (median), 24x18 to 0.38, 32x24 to 0.33, while within shots the 1st
# percentile was 0.59, 0.52, 0.47 (10 % flicker, dirt, grain, weave).
_BLOCK_W, _BLOCK_H = 24, 18
_REACH_X, _REACH_Y = 10, 6
# A flat block says nothing and a very contrasty one must not decide alone: weights are capped here.
_WEIGHT_CAP = 0.6
# For blends: twelve square tiles and 10 % of the width to every side.
_TILE, _TILE_REACH = 24, 10
_BORDER = cv2.BORDER_REFLECT_101


def correlation(a_HW: Picture, b_HW: Picture) -> float:
    """Pearson's correlation in [-1, 1]; 0 where either is flat."""
    a, b = a_HW - a_HW.mean(), b_HW - b_HW.mean()
    power = float(np.vdot(a, a)) * float(np.vdot(b, b))
    return float(np.vdot(a, b)) / power**0.5 if power > 1e-6 else 0.0


def matched(a_HW: Picture, b_HW: Picture) -> float:
    """How well each picture can be put together from blocks of the other, in [0, 1]; the worse of both ways.

    Normalised cross-correlation per block (blind to local gain and offset, so to flicker), best over the
    search range, averaged with the block's contrast as weight. A pan matches, a cut does not; what a
    passer-by uncovers fails in a few blocks only.
    """
    return min(_explained(a_HW, b_HW), _explained(b_HW, a_HW))


@dataclass(frozen=True)
class Blend:
    """How a picture is explained by two others, tile by tile, motion allowed for."""

    explained: float
    """Share of the variance that the two explain, in [0, 1]."""
    gain: float
    """What both explain over the better one."""


def blend(a_HW: Picture, b_HW: Picture, c_HW: Picture) -> Blend:
    """Tries to put `c` together from tiles of `a` and `b`, each moved freely within the search range.

    A moved tile is explained by one of them alone, so that motion gains nothing by mixing; a dissolve does.
    """
    sources = [
        cv2.copyMakeBorder(p, _TILE_REACH, _TILE_REACH, _TILE_REACH, _TILE_REACH, _BORDER)
        for p in (a_HW, b_HW)
    ]
    gains, shares, weights = [], [], []
    for top in range(0, c_HW.shape[0] - _TILE + 1, _TILE):
        for left in range(0, c_HW.shape[1] - _TILE + 1, _TILE):
            tile = c_HW[top : top + _TILE, left : left + _TILE]
            reach = (slice(top, top + _TILE + 2 * _TILE_REACH), slice(left, left + _TILE + 2 * _TILE_REACH))
            both, alone = _tile(tile - tile.mean(), sources[0][reach], sources[1][reach])
            gains.append(max(0.0, both - alone))
            shares.append(max(both, alone))
            weights.append(min(float(tile.std()), _WEIGHT_CAP) + 0.01)
    return Blend(float(np.average(shares, weights=weights)), float(np.average(gains, weights=weights)))


def _tile(tile_HW: Picture, area_a: Picture, area_b: Picture) -> tuple[float, float]:
    """Shares explained by a patch of each, and by the better patch alone; either may be fitted first."""
    power = float(np.vdot(tile_HW, tile_HW)) + 1e-3
    both, alone = 0.0, 0.0
    for first, second in ((area_a, area_b), (area_b, area_a)):
        one = _patch(first, tile_HW)
        along = float(np.vdot(tile_HW, one))
        other = _patch(second, tile_HW - along * one)
        alone = max(alone, along * along / power)
        of_one, of_other = weigh(float(np.vdot(one, other)), along, float(np.vdot(tile_HW, other)))
        if of_one > 0 and of_other > 0:
            both = max(both, (of_one * along + of_other * float(np.vdot(tile_HW, other))) / power)
    return both, alone


def _patch(area_HW: Picture, tile_HW: Picture) -> Picture:
    """The area's best match for the tile, zero mean and unit length."""
    left, top = cv2.minMaxLoc(cv2.matchTemplate(area_HW, tile_HW, cv2.TM_CCOEFF_NORMED))[3]
    patch = area_HW[top : top + _TILE, left : left + _TILE]
    patch = patch - patch.mean()
    unit: Picture = patch / (np.linalg.norm(patch) + 1e-6)
    return unit


def weigh(alike: float, ca: float, cb: float) -> tuple[float, float]:
    """Least squares of c on a and b, both of unit length, from their products: a with b, c with a, c with
    b."""
    rest = max(1e-3, 1 - alike * alike)
    return (ca - cb * alike) / rest, (cb - ca * alike) / rest


def _explained(source_HW: Picture, target_HW: Picture) -> float:
    rows, columns = target_HW.shape[0] // _BLOCK_H, target_HW.shape[1] // _BLOCK_W
    padded = cv2.copyMakeBorder(source_HW, _REACH_Y, _REACH_Y, _REACH_X, _REACH_X, _BORDER)
    blocks = target_HW.reshape(rows, _BLOCK_H, columns, _BLOCK_W)
    weights = np.minimum(blocks.std(axis=(1, 3)), _WEIGHT_CAP)
    total = 0.0
    for row, column in np.argwhere(weights > 1e-3):
        top, left = row * _BLOCK_H, column * _BLOCK_W
        area = padded[top : top + _BLOCK_H + 2 * _REACH_Y, left : left + _BLOCK_W + 2 * _REACH_X]
        scores = cv2.matchTemplate(area, blocks[row, :, column, :], cv2.TM_CCOEFF_NORMED)
        total += float(weights[row, column]) * cv2.minMaxLoc(scores)[1]
    return max(0.0, total / (float(weights.sum()) + 1e-6))
