"""What lens, dupe and digital copy take from a film, in RTN's fixed order: blur, resize, noise, JPEG, resize
back, brightness and contrast.

As RTN's released code does it (Wan 2022), not its paper: noise of 5 to 10 levels of 255 (paper: 5 to 50),
every step on every frame of every clip (paper: with a probability each), always in this order (paper:
shuffled). One thing differs: contrast turns about middle grey, not about the frame's mean, so that damage in
one place does not move the tone of all the others.

Parameters are drawn for a clip and tremble from frame to frame. Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import FULL, limited, noise, rounded, stream
from degradation.family import Mask, Moment, Planes, Setting, Size, Twice, counts, shares
from degradation.overlay import Float
from degradation.resample import Filter, resized, smoothed, whole

_FILTERS: tuple[Filter, ...] = ("bicubic", "bilinear", "lanczos")
_WEIGHT = 4096  # weights of a blur are whole numbers of this sum
_LEAST_VARIANCE_PX2 = 0.01  # below, a Gaussian leaves its own pixel alone

VISIBLE = 0.2
"""From this share on, what lands of damage behind blur and resizing counts as damage. Of the pixels that
differ by 15 levels, the mask tells 99 in 100 (at 0.3: 96); of those it tells, 83 in 100 differ by 8 levels
(at 0.1: 72). Forty clips of 256x256."""


@dataclass(frozen=True)
class Quality:
    """A poor copy of a film. Lengths are pixels of the frame, as in RTN, made for 256 of them."""

    anisotropic: float = 0.5
    """Share of clips whose blur has a direction."""
    largest_variance_px2: float = 8.0
    """Of a blur with a direction: most variance along either axis, drawn evenly from 0."""
    largest_sigma_px: float = 2.8
    """Of a blur without one: most sigma, drawn evenly from 0."""
    enlarged: float = 0.2
    """Share of clips enlarged before noise and JPEG, by up to `largest_scale`."""
    kept: float = 0.1
    """Share of clips not resized; all others are made smaller, down to `smallest_scale`."""
    largest_scale: float = 2.0
    smallest_scale: float = 0.125
    least_noise: float = 5 / 255
    """Least standard deviation of noise, of 1, at the resized frame."""
    most_noise: float = 10 / 255
    worst_jpeg: int = 40
    """Least JPEG quality; the most is 100."""
    brightness: float = 0.2
    """Most that a frame is darker or brighter, share of its light; anew in every frame."""
    contrast: float = 0.1
    """Most that a frame loses of its contrast; anew in every frame."""
    probability: float = 1.0
    family: Literal["quality"] = "quality"

    def __post_init__(self) -> None:
        shares(anisotropic=self.anisotropic, enlarged=self.enlarged, kept=self.kept)
        shares(least_noise=self.least_noise, most_noise=self.most_noise)
        shares(brightness=self.brightness, contrast=self.contrast, probability=self.probability)
        counts(largest_variance_px2=self.largest_variance_px2, largest_sigma_px=self.largest_sigma_px)
        if not 0 < self.smallest_scale <= 1 <= self.largest_scale:
            raise ValueError(f"scales must lie around 1, not {self.smallest_scale} to {self.largest_scale}")
        if self.enlarged + self.kept > 1:
            raise ValueError("enlarged and kept are shares of one whole: together at most 1")
        if self.least_noise > self.most_noise:
            raise ValueError(f"least_noise must be at most most_noise, not {self.least_noise}")
        if not 1 <= self.worst_jpeg <= 100:
            raise ValueError(f"worst_jpeg must lie in [1, 100], not {self.worst_jpeg}")

    def scaled(self, severity: float) -> Self:
        return replace(
            self,
            largest_variance_px2=self.largest_variance_px2 * severity,
            largest_sigma_px=self.largest_sigma_px * severity,
            least_noise=min(self.least_noise * severity, 1.0),
            most_noise=min(self.most_noise * severity, 1.0),
        )

    def begin(self, setting: Setting) -> "_Copying":
        return _Copying(self, setting.size, setting.seed)


@dataclass(frozen=True)
class Copied(Twice):
    """All that happens to one frame."""

    taps_px: int
    blur: tuple[float, ...]
    """Sigma alone, or variances along both axes and the angle (radians) of the first."""
    height: int
    width: int
    """The frame's size for noise and JPEG."""
    there: Filter
    back: Filter
    noise_HW: Float
    """Of the noise's standard deviation, at that size."""
    speckle: bool
    """Noise that grows with the light."""
    jpeg: int
    brightness: float
    contrast: float

    def __call__(self, planes_CHW: Planes) -> Planes:
        out_CHW = np.stack([self._copied(plane_HW) for plane_HW in planes_CHW])
        out_CHW *= np.float32(self.brightness)
        out_CHW -= np.float32(0.5)
        out_CHW *= np.float32(self.contrast)
        out_CHW += np.float32(0.5)
        return limited(out_CHW)

    def spread(self, mask_HW: Mask) -> Mask:
        """Where at least VISIBLE of the damage of these pixels lands behind blur and both resizings. JPEG's
        traces outside are not told: they are the copy's."""
        if not mask_HW.any():
            return mask_HW
        seen_HW = self._small(mask_HW.astype(np.float32))
        seen_HW = resized(seen_HW, mask_HW.shape[0], mask_HW.shape[1], self.back)
        spread_HW: Mask = seen_HW >= FULL * VISIBLE
        return spread_HW

    def _small(self, plane_HW: Float) -> Float:
        return resized(blurred(whole(plane_HW), self.taps_px, self.blur), self.height, self.width, self.there)

    def _copied(self, plane_HW: Float) -> Float:
        small_HW = self._small(plane_HW) * np.float32(1 / FULL)
        small_HW += small_HW * self.noise_HW if self.speckle else self.noise_HW
        levels_HW = np.rint(limited(small_HW) * np.float32(255)).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", levels_HW, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
        poor_HW = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)
        poor_HW *= np.float32(FULL // 255)
        return resized(poor_HW, plane_HW.shape[0], plane_HW.shape[1], self.back) * np.float32(1 / FULL)


class _Copying:
    def __init__(self, recipe: Quality, size: Size, seed: int) -> None:
        self._recipe = recipe
        self._size = size
        self._seed = seed
        self._frame = -1
        rng = stream(seed, recipe.family)
        self._taps_px = 2 * int(rng.integers(2, 12)) + 3
        self._variances = rng.uniform(0, recipe.largest_variance_px2, 2)
        self._angle = rng.uniform(0, np.pi)
        self._sigma = rng.uniform(0, recipe.largest_sigma_px)
        self._turned = rng.random() < recipe.anisotropic
        lot, larger, smaller = rng.random(), rng.uniform(1, recipe.largest_scale), rng.random()
        self._scale = 1.0
        if lot < recipe.enlarged:
            self._scale = larger
        elif lot >= recipe.enlarged + recipe.kept:
            self._scale = recipe.smallest_scale + smaller * (1 - recipe.smallest_scale)
        self._noise = rng.uniform(recipe.least_noise, recipe.most_noise)
        self._jpeg = rng.uniform(recipe.worst_jpeg, 100)

    def next(self) -> Moment:
        self._frame += 1
        recipe, rng = self._recipe, stream(self._seed, self._recipe.family, self._frame)
        trembling = rng.uniform(0.95, 1.05, 2)
        turn = rng.uniform(-0.1 * np.pi, 0.1 * np.pi)
        if self._turned:
            blur = (*(self._variances * trembling), self._angle + turn)
        else:
            blur = (self._sigma * trembling[0],)
        height, width = (max(8, round(side * self._scale)) for side in (self._size.height, self._size.width))
        there, back = (_FILTERS[n] for n in rng.integers(0, len(_FILTERS), 2))
        sigma = self._noise + rng.uniform(-0.5, 0.5) / 255
        sigma = rounded(np.clip(sigma, recipe.least_noise, recipe.most_noise))
        jpeg = round(float(np.clip(self._jpeg + rng.uniform(-15, 15), recipe.worst_jpeg, 100)))
        return Moment(
            on_film=Copied(
                taps_px=self._taps_px,
                blur=tuple(rounded(each) for each in blur),
                height=height,
                width=width,
                there=there,
                back=back,
                speckle=bool(rng.random() < 0.5),
                jpeg=jpeg,
                brightness=rounded(rng.uniform(1 - recipe.brightness, 1 + recipe.brightness)),
                contrast=rounded(rng.uniform(1 - recipe.contrast, 1)),
                noise_HW=noise(height, width, rng) * np.float32(sigma),
            )
        )


def blurred(whole_HW: Float, taps_px: int, blur: tuple[float, ...]) -> Float:
    """Whole numbers blurred by a Gaussian of a sigma, or of two variances and an angle; edges mirrored."""
    if len(blur) == 1:
        return smoothed(whole_HW, taps_px, max(blur[0], 0.05))
    # Picture and weights are whole, and so is every sum: rounding takes away what a Fourier transform in
    # double precision errs by, a millionth of one.
    sums_HW = cv2.filter2D(
        whole_HW.astype(np.float64), -1, _kernel(taps_px, *blur), borderType=cv2.BORDER_REFLECT_101
    )
    blurred_HW: Float = np.rint(np.rint(sums_HW) * (1 / _WEIGHT)).astype(np.float32)
    return blurred_HW


def _kernel(taps_px: int, along_px2: float, across_px2: float, angle: float) -> NDArray[np.float64]:
    """Whole weights (taps, taps) of a Gaussian; their sum is fixed."""
    steps = np.arange(taps_px) - taps_px // 2
    along = steps[None, :] * np.cos(angle) + steps[:, None] * np.sin(angle)
    across = steps[:, None] * np.cos(angle) - steps[None, :] * np.sin(angle)
    exponent = along**2 / max(along_px2, _LEAST_VARIANCE_PX2) + across**2 / max(
        across_px2, _LEAST_VARIANCE_PX2
    )
    weights = np.exp(-exponent / 2)
    fixed: NDArray[np.float64] = np.rint(np.round(weights / weights.sum() * _WEIGHT, 6))
    fixed[taps_px // 2, taps_px // 2] += _WEIGHT - fixed.sum()
    return fixed
