"""How near a colour comes to the true one, and how steady it is along motion.

Shape suffixes: H rows, W columns of the picture; 3 is (L, a, b), 2 is (a, b) of CIE L*a*b*.

Sources: CIEDE2000, Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula", Color Research and
Application 30, 2005, whose equation numbers stand below; flicker: the warping error of Lai et al., "Learning
Blind Video Temporal Consistency", ECCV 2018, of chroma.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.fidelity import psnr
from models.metrics.steadiness import seen_change
from models.motion import Pair

Float = NDArray[np.float32]

# ab run over some 200 units; 255 is the peak of 8-bit Lab pictures, which papers measure.
_PEAK = 255.0


@dataclass(frozen=True)
class ColourFidelity:
    """Sums over frames with `+`."""

    difference: float = 0.0
    """Sum of CIEDE2000 over pixels."""
    squared: float = 0.0
    """Sum of squared errors of a and b."""
    pixels: int = 0

    def __add__(self, other: "ColourFidelity") -> "ColourFidelity":
        return ColourFidelity(
            self.difference + other.difference, self.squared + other.squared, self.pixels + other.pixels
        )

    @property
    def ciede2000(self) -> float:
        """Mean over pixels; about 1 is just seen side by side. 0 where nothing was compared."""
        return self.difference / self.pixels if self.pixels else 0.0

    @property
    def psnr_ab(self) -> float:
        """Of a and b pooled, dB, for a peak of 255."""
        return psnr(self.squared / _PEAK**2, 2 * self.pixels)


def colour_fidelity(lab_3HW: Float, truth_3HW: Float) -> ColourFidelity:
    """One frame's differences."""
    return ColourFidelity(
        float(ciede2000(lab_3HW, truth_3HW).sum(dtype=np.float64)),
        float(((lab_3HW[1:] - truth_3HW[1:]).astype(np.float64) ** 2).sum()),
        lab_3HW[0].size,
    )


def ciede2000(one_3HW: Float, other_3HW: Float) -> Float:
    """The difference of two colours, pixel by pixel; kL = kC = kH = 1. Any shape after the first axis."""
    (l1, a1, b1), (l2, a2, b2) = one_3HW, other_3HW
    # Equations 2 to 7.
    c_mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(c_mean7 / (c_mean7 + 25.0**7))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1) % (2 * np.pi), np.arctan2(b2, a2) % (2 * np.pi)
    # 8 to 11.
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    both = c1 * c2
    turn = np.where(both == 0, 0, turn)
    d_l, d_c, d_h = l2 - l1, c2 - c1, 2 * np.sqrt(both) * np.sin(turn / 2)
    # 12 to 14; the mean hue lies half a turn on where the two stand more than half a circle apart.
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_mean = np.where(np.abs(h1 - h2) > np.pi, (h1 + h2 + 2 * np.pi) / 2, (h1 + h2) / 2)
    h_mean = np.where(both == 0, h1 + h2, h_mean)
    # 15 to 21.
    t = (
        1
        - 0.17 * np.cos(h_mean - np.pi / 6)
        + 0.24 * np.cos(2 * h_mean)
        + 0.32 * np.cos(3 * h_mean + np.pi / 30)
        - 0.20 * np.cos(4 * h_mean - np.radians(63))
    )
    away = (np.degrees(h_mean) - 275) / 25
    c_mean7 = c_mean**7
    twist = -2 * np.sqrt(c_mean7 / (c_mean7 + 25.0**7)) * np.sin(np.radians(60) * np.exp(-(away**2)))
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    # 22.
    squared = (d_l / s_l) ** 2 + (d_c / s_c) ** 2 + (d_h / s_h) ** 2 + twist * (d_c / s_c) * (d_h / s_h)
    difference: Float = np.sqrt(np.maximum(squared, 0))
    return difference


def chroma_flicker(frames: Iterable[Float], pairs: Iterable[Pair]) -> float:
    """How much chroma changes along motion: mean distance of ab_2HW from the frame before, where both are
    seen.

    pairs: the motion of the true clip (`steadiness.motion_of`), never of a result. To be read beside the
    truth's own: light changes colour too. Raises ValueError where frames and motion are not of one clip.
    """
    total, pixels = 0.0, 0
    motion = iter(pairs)
    before_2HW: Float | None = None
    for here_2HW in frames:
        if before_2HW is not None:
            pair = next(motion, None)
            if pair is None:
                raise ValueError("there are more frames than motion: the guide is another clip")
            changes = [
                seen_change(here, before, pair.backward_hw2, pair.forward_hw2)
                for here, before in zip(here_2HW, before_2HW, strict=True)
            ]
            seen_HW = changes[0][1]
            total += float(np.hypot(changes[0][0], changes[1][0])[seen_HW].sum(dtype=np.float64))
            pixels += int(seen_HW.sum())
        before_2HW = here_2HW
    if next(motion, None) is not None:
        raise ValueError("there is more motion than frames: the guide is another clip")
    return total / pixels if pixels else 0.0
