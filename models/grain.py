"""The film's grain: how strong it is at each brightness, how coarse, and more of the same for repaired
pixels.

Shape suffixes: H rows, W columns, P picked pixels, B brightness bins.

Source: additive, signal-dependent grain as in De Stefano et al., "Grain noise generation", EURASIP JASP 2006;
coarseness as the width of a Gaussian that gives white noise the measured correlation of horizontal
neighbours.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

BINS = 16
# The median absolute value of Gaussian noise of standard deviation 1 is 1 / 1.4826.
MAD_TO_SIGMA = 1.4826
# A residual against the mean of two neighbours holds 1 + 1/2 of one frame's grain.
_RESIDUAL_SHARE = float(np.sqrt(1.5))
_TILE = 256


@dataclass(frozen=True)
class Grain:
    """The grain of one plane of a shot, as far as it has been seen."""

    sigma_B: Float
    """Standard deviation per brightness bin (bin 0 black), of 1; all zero: no grain known."""
    coarseness_px: float
    """Sigma of the Gaussian that would make white noise this coarse, in pixels; 0 means white."""

    def sigma_at(self, brightness: Float) -> Float:
        """Grain's standard deviation at each brightness in [0, 1]; same shape as asked."""
        centres = (np.arange(BINS, dtype=np.float32) + 0.5) / BINS
        return np.interp(brightness, centres, self.sigma_B).astype(np.float32)


NO_GRAIN = Grain(np.zeros(BINS, np.float32), 0.0)


def blended(older: Grain | None, newer: Grain) -> Grain:
    """A running mean over frames: a reel's grain changes slowly, and one frame's measure is steady to a few
    per cent."""
    if older is None:
        return newer
    share = np.float32(0.2)
    return Grain(
        (1 - share) * older.sigma_B + share * newer.sigma_B,
        float((1 - share) * older.coarseness_px + share * newer.coarseness_px),
    )


def measure(
    plane_HW: Float, brightness_HW: Float, expected_HW: Float, quiet_HW: NDArray[np.bool_]
) -> Grain | None:
    """Grain of a plane from what differs from its motion-compensated neighbours' mean, where motion is
    `quiet`.

    Returns None where fewer than a thousand quiet pixels are left to measure on.
    """
    residual_HW = plane_HW - expected_HW
    # Every other row is plenty, and halves the time.
    residual, brightness = residual_HW[::2][quiet_HW[::2]], brightness_HW[::2][quiet_HW[::2]]
    if residual.size < 1000:
        return None
    bins = np.clip((brightness * BINS).astype(np.intp), 0, BINS - 1)
    order = np.argsort(bins, kind="stable")
    counts = np.bincount(bins, minlength=BINS)
    groups = np.split(np.abs(residual[order]), np.cumsum(counts)[:-1])
    overall = float(np.median(np.abs(residual)))
    # A bin with few pixels leans on the whole picture: 200 pixels' worth.
    medians = [
        (float(np.median(group)) * group.size + overall * 200) / (group.size + 200) if group.size else overall
        for group in groups
    ]
    sigma_B = np.array(medians, np.float32) * MAD_TO_SIGMA / _RESIDUAL_SHARE
    return Grain(sigma_B, _coarseness(residual_HW, quiet_HW, overall))


def _coarseness(residual_HW: Float, quiet_HW: NDArray[np.bool_], scale: float) -> float:
    both = quiet_HW[:, 1:] & quiet_HW[:, :-1]
    limit = 4.0 * scale + 1e-6
    left = np.clip(residual_HW[:, :-1][both], -limit, limit)
    right = np.clip(residual_HW[:, 1:][both], -limit, limit)
    if left.size < 1000:
        return 0.0
    power = float(np.mean(left * left) + np.mean(right * right)) / 2
    correlation = float(np.mean(left * right)) / max(power, 1e-12)
    if correlation <= 0.02:
        return 0.0
    # White noise blurred by a Gaussian s has the correlation exp(-1 / (4 s^2)) one pixel on.
    return float(np.sqrt(-1.0 / (4.0 * np.log(min(correlation, 0.95)))))


class GrainMaker:
    """Grain of unit strength, cut anew for each frame out of one seeded tile."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._white_HW = np.random.default_rng(seed).standard_normal((_TILE, _TILE)).astype(np.float32)

    def at(
        self,
        rows_P: NDArray[np.intp],
        columns_P: NDArray[np.intp],
        frame: int,
        plane: int,
        coarseness_px: float,
    ) -> Float:
        """Unit grain at the picked pixels of a frame's plane; the same call always gives the same grain."""
        tile_HW = self._white_HW
        if coarseness_px > 0.2:
            tile_HW = cv2.GaussianBlur(tile_HW, (0, 0), coarseness_px, borderType=cv2.BORDER_REFLECT_101)
            tile_HW = tile_HW / max(float(tile_HW.std()), 1e-6)
        down, across = np.random.default_rng((self._seed, frame, plane)).integers(0, _TILE, 2)
        picked: Float = tile_HW[(rows_P + down) % _TILE, (columns_P + across) % _TILE]
        return picked
