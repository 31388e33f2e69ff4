"""Evening out exposure: each frame's tones are brought to what its neighbourhood in time has on average.

Shape suffixes: T frames, Q quantiles, C planes, H rows, W columns.

Source: scale-time equalisation, Delon, "Movie and video scale-time equalization", IEEE TIP 2006: the inverse
of the distribution function, smoothed over time with a Gaussian.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.restorer import Footage, Planes, luma

Float = NDArray[np.float32]


@dataclass(frozen=True)
class DeflickerSettings:
    """How flicker is told from change that was meant."""

    window_frames: float = 5.0
    """Sigma of the smoothing over time, frames; 0 leaves everything as it is."""
    furthest: float = 0.15
    """Most a tone may be moved, of 1; beyond it, the frame is moved by just that much."""
    knots: int = 24
    """How many tones the curve is given at; at least 4."""

    def __post_init__(self) -> None:
        if self.window_frames < 0 or not 0 < self.furthest <= 1 or self.knots < 4:
            raise ValueError("window_frames must be 0 or more, furthest in (0, 1], knots 4 or more")


@dataclass(frozen=True)
class FlickerCorrection:
    """What was done to one frame: enough to do it again, or to undo it."""

    frame: int
    """Within the shot, from 0."""
    tones_Q: tuple[float, ...]
    """Lightness before, rising, of 1."""
    moved_Q: tuple[float, ...]
    """What was added there."""

    @property
    def strength(self) -> float:
        """Mean change of a tone, of 1: 0 where the frame was left alone."""
        return float(np.mean(np.abs(self.moved_Q)))


def deflicker(
    footage: Footage, settings: DeflickerSettings | None = None
) -> tuple[Footage, list[FlickerCorrection]]:
    """The shot with its flicker evened out, readable again and again, and what was done to each frame.

    Looks at all frames once (a few numbers each are kept); the returned footage corrects as it is read.
    """
    settings = settings or DeflickerSettings()
    shares = np.linspace(1, 99, settings.knots)
    quantiles_TQ = np.array(
        [np.percentile(luma(planes, footage.colour)[::2, ::2], shares) for planes in footage], np.float64
    ).reshape(-1, settings.knots)
    aims_TQ = _smoothed(quantiles_TQ, settings.window_frames)
    corrections = [
        _correction(frame, before_Q, after_Q, settings)
        for frame, (before_Q, after_Q) in enumerate(zip(quantiles_TQ, aims_TQ, strict=True))
    ]

    def read() -> Iterator[Planes]:
        for planes_CHW, correction in zip(footage, corrections, strict=True):
            yield corrected(planes_CHW, correction, footage)

    return replace(footage, read=read), corrections


def corrected(planes_CHW: Planes, correction: FlickerCorrection, footage: Footage) -> Planes:
    """One frame with its correction applied; the frame itself where there is none."""
    if correction.strength == 0:
        return planes_CHW
    light_HW = luma(planes_CHW, footage.colour)
    steps = np.linspace(0, 1, 2048)
    # Past the outermost tones known the correction fades to nothing at black and white: neither is lifted or
    # clipped.
    gaps = np.interp(steps, (0.0, *correction.tones_Q, 1.0), (0.0, *correction.moved_Q, 0.0)).astype(
        np.float32
    )
    moved_HW = gaps[np.clip(light_HW * 2047 + 0.5, 0, 2047).astype(np.intp)]
    if footage.colour == "rgb":
        # The same ratio for every plane keeps the hue.
        ratio_HW = (light_HW + moved_HW) / np.maximum(light_HW, 1e-3)
        out: Planes = np.clip(planes_CHW * np.clip(ratio_HW, 0.5, 2.0), 0, 1).astype(np.float32)
        return out
    out = planes_CHW.copy()
    out[0] = np.clip(light_HW + moved_HW, 0, 1)
    return out


def _smoothed(quantiles_TQ: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """The curves smoothed over time about their own straight trend: a fade at a shot's end stays a fade."""
    frames = quantiles_TQ.shape[0]
    if sigma <= 0 or frames < 3:
        return quantiles_TQ
    reach = min(frames - 1, round(3 * sigma))
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    aims = np.empty_like(quantiles_TQ)
    for t in range(frames):
        inside = (offsets + t >= 0) & (offsets + t < frames)
        x, w = offsets[inside], weights[inside]
        near_TQ = quantiles_TQ[t + x]
        # A weighted straight line through the neighbourhood, read at its middle: keeps fades, which a mean
        # would bend.
        mean_x = (w * x).sum() / w.sum()
        mean_Q = (w[:, None] * near_TQ).sum(0) / w.sum()
        slope_Q = (w[:, None] * (x - mean_x)[:, None] * near_TQ).sum(0) / max(
            (w * (x - mean_x) ** 2).sum(), 1e-9
        )
        aims[t] = mean_Q - slope_Q * mean_x
    return aims


def _correction(
    frame: int, before_Q: NDArray[np.float64], after_Q: NDArray[np.float64], settings: DeflickerSettings
) -> FlickerCorrection:
    tones_Q = np.maximum.accumulate(before_Q + np.arange(before_Q.size) * 1e-6)
    moved_Q = np.clip(after_Q - before_Q, -settings.furthest, settings.furthest)
    # A flat frame (black leader) has no tones to tell apart.
    if tones_Q[-1] - tones_Q[0] < 4 / 255 or settings.window_frames == 0:
        moved_Q = np.zeros_like(moved_Q)
    aimed_Q = np.clip(np.maximum.accumulate(tones_Q + moved_Q), 0, 1)
    return FlickerCorrection(frame, tuple(map(float, tones_Q)), tuple(map(float, aimed_Q - tones_Q)))
