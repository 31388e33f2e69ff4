"""Darkened corners, bleached edges, and light that leaked in.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from degradation.exact import field, limited, stream
from degradation.family import InPlace, Moment, Planes, Setting, Size, counts, shares

_WARM = (1.0, 0.62, 0.3)  # light through the film's back comes orange
_KNOTS = (6, 8)


@dataclass(frozen=True)
class Vignette:
    """Light that is uneven over the frame: the lens's and the edges' stay, leaks flash and wander."""

    corners: float = 0.25
    """Mean share of the light that is missing in the corners. It stays, so the target has it too."""
    bleached: float = 0.1
    """Mean share of the way to white at the bleached edge of a film; a side is bleached or it is not."""
    leaks: float = 0.0
    """Mean number of light leaks that begin in a frame: bright clouds at a side, a few frames long, on the
    film and not on the target."""
    leak_light: float = 0.4
    """Mean light that a leak adds at its brightest, of full contrast."""
    probability: float = 1.0
    family: Literal["vignette"] = "vignette"

    def __post_init__(self) -> None:
        shares(corners=self.corners, bleached=self.bleached, leak_light=self.leak_light)
        shares(probability=self.probability)
        counts(leaks=self.leaks)

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            corners=min(self.corners * severity, 1.0),
            bleached=min(self.bleached * severity, 1.0),
            leaks=self.leaks * severity,
        )

    def begin(self, setting: Setting) -> "_Shading":
        return _Shading(self, setting.size, stream(setting.seed, self.family))


@dataclass
class _Leak:
    right: bool
    light: float
    left_frames: int
    cloud_hw: NDArray[np.float64]


class _Shading:
    def __init__(self, recipe: Vignette, size: Size, rng: np.random.Generator) -> None:
        self._recipe = recipe
        self._size = size
        self._rng = rng
        left_HW, bleached_HW = self._corners(), self._bleached()
        self._still = _Uneven(left_HW * (1 - bleached_HW), bleached_HW)
        self._leak: _Leak | None = None

    def next(self) -> Moment:
        rng, recipe = self._rng, self._recipe
        begins = rng.random() < recipe.leaks
        if begins:
            light = min(float(rng.exponential(recipe.leak_light)), 0.9)
            cloud_hw = rng.uniform(0, 1, _KNOTS)
            self._leak = _Leak(bool(rng.random() < 0.5), light, int(rng.integers(2, 9)), cloud_hw)
        if self._leak is None:
            return Moment(on_target=self._still)
        light_HW = self._leaked(self._leak)
        self._leak.left_frames -= 1
        if self._leak.left_frames == 0:
            self._leak = None
        tints = _WARM if self._size.channels == 3 else (1.0,)
        return Moment(
            on_target=self._still,
            on_film=_Light(np.stack([light_HW * np.float32(tint) for tint in tints])),
            event="light leak" if begins else "",
        )

    def _leaked(self, leak: _Leak) -> Planes:
        rng = self._rng
        leak.cloud_hw = 0.6 * leak.cloud_hw + 0.4 * rng.uniform(0, 1, _KNOTS)
        reach = np.linspace(1, 0, _KNOTS[1]) ** 2
        shaped_hw = leak.light * float(rng.uniform(0.4, 1.0)) * (0.3 + 1.4 * leak.cloud_hw) * reach
        shaped_hw[:, -3:] = 0  # it does not cross the frame
        return field(shaped_hw[:, ::-1] if leak.right else shaped_hw, self._size.height, self._size.width)

    def _corners(self) -> NDArray[np.float32]:
        """The light that is left, (H, W): falling with the fourth power of the way from a middle."""
        rng, size = self._rng, self._size
        depth = min(float(rng.uniform(0, 2) * self._recipe.corners), 0.9)
        middle = rng.uniform(-0.12, 0.12, 2)
        rows = np.linspace(-1, 1, size.height) - middle[0]
        columns = np.linspace(-1, 1, size.width) - middle[1]
        out_HW = (rows**2)[:, None] + columns**2
        left_HW = 1 - depth * np.minimum(out_HW / 2, 1) ** 2
        light_HW: NDArray[np.float32] = np.round(left_HW, 5).astype(np.float32)
        return light_HW

    def _bleached(self) -> NDArray[np.float32]:
        """How far each pixel is bleached, (H, W): ragged, along a side."""
        rng, size = self._rng, self._size
        strength = min(float(rng.exponential(self._recipe.bleached)), 0.8)
        side = int(rng.integers(3))
        shaped_hw = np.zeros((9, 12))
        shaped_hw[:, 0] = strength * rng.uniform(0.2, 1.0, 9)
        shaped_hw[:, 1] = shaped_hw[:, 0] * rng.uniform(0.0, 0.5, 9)
        if side == 2:  # both
            shaped_hw = np.maximum(shaped_hw, shaped_hw[::-1, ::-1])
        return field(shaped_hw[:, ::-1] if side == 1 else shaped_hw, size.height, size.width)


@dataclass(frozen=True)
class _Uneven(InPlace):
    left_HW: NDArray[np.float32]
    """Of the light, after both."""
    bleached_HW: NDArray[np.float32]

    def __call__(self, planes_CHW: Planes) -> Planes:
        out = planes_CHW * self.left_HW
        out += self.bleached_HW
        return limited(out)


@dataclass(frozen=True)
class _Light(InPlace):
    light_CHW: Planes

    def __call__(self, planes_CHW: Planes) -> Planes:
        return limited(planes_CHW + self.light_CHW)
