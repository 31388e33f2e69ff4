"""RTN's degradation as its text tells, written plainly: Pillow for templates, OpenCV and NumPy for the rest.

What the generator is measured beside. Written from the description of RTN's released code (Wan 2022), not
from the code; one frame after another, floats in [0, 1]. The description names neither the library that blurs
(its mirrored edges and pinned versions speak for SciPy) nor whether templates are read anew for every frame
(there are more than a thousand), so both can be chosen.

Shape suffixes: H rows, W columns, K taps.
"""

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage

Float = NDArray[np.float32]
Template = tuple[str, Callable[[], Image.Image]]
"""Its folder, and how to get at it."""
Blur = Callable[[Float, int, tuple[float, float], float], Float]
"""Blurs a frame: taps, variances along both axes, angle of the first."""

_LINES, _WHOLE, _BRIGHT = "001", "008", "011"
_THICKENED = ("002", "003", "004", "005", "006", "007", "009", "012")
_BORDER_PX = 40
_RESIZINGS = (cv2.INTER_CUBIC, cv2.INTER_LINEAR, cv2.INTER_LANCZOS4)


def degraded(
    frames_HW: Sequence[Float], templates: Sequence[Template], seed: int, blur: Blur
) -> Iterator[tuple[Float, Float]]:
    """(film, target) of each frame of a clip."""
    rng = np.random.default_rng(seed)
    height, width = frames_HW[0].shape
    lines = [template for template in templates if template[0] == _LINES]
    walking = rng.random() < 0.2
    if walking:
        kind, opened = lines[rng.integers(len(lines))]
        texture = _texture(kind, opened(), height, width, rng)
        mode = int(rng.integers(3))
    taps = 2 * int(rng.integers(2, 12)) + 3
    turned, angle = rng.random() < 0.5, rng.uniform(0, np.pi)
    variances = rng.uniform(0, 8, 2) if turned else np.full(2, rng.uniform(0, 2.8) ** 2)
    scale = rng.choice([rng.uniform(1, 2), 1.0, rng.uniform(0.125, 1)], p=[0.2, 0.1, 0.7])
    noise, quality = rng.uniform(5, 10), rng.uniform(40, 100)
    for frame_HW in frames_HW:
        if walking:
            texture = _walked(texture, rng)
        else:
            kind, opened = templates[rng.integers(len(templates))]
            texture = _texture(kind, opened(), height, width, rng)
            mode = 0 if kind == _BRIGHT else int(rng.integers(3))
        film = _blended(frame_HW, texture, mode, rng.uniform(0.6, 1))
        along, across = np.maximum(variances * rng.uniform(0.95, 1.05, 2 if turned else 1), 0.01)
        film = blur(film, taps, (along, across), angle + rng.uniform(-0.1, 0.1) * np.pi)
        size = max(8, round(width * scale)), max(8, round(height * scale))
        film = np.clip(cv2.resize(film, size, interpolation=_RESIZINGS[rng.integers(3)]), 0, 1)
        film = _noisy(film, np.clip(noise + rng.uniform(-0.5, 0.5), 5, 10) / 255, rng)
        film = _compressed(film, int(np.clip(quality + rng.uniform(-15, 15), 40, 100)))
        film = np.clip(cv2.resize(film, (width, height), interpolation=_RESIZINGS[rng.integers(3)]), 0, 1)
        film = np.clip(film * np.float32(rng.uniform(0.8, 1.2)), 0, 1)
        mean, contrast = film.mean(), np.float32(rng.uniform(0.9, 1))
        yield np.clip((film - mean) * contrast + mean, 0, 1), _sharpened(frame_HW)


def opencv_blur(film: Float, taps: int, variances: tuple[float, float], angle: float) -> Float:
    """One that looks the same every way is made of a row and a column."""
    along, across = variances
    if along == across:
        return cv2.GaussianBlur(film, (taps, taps), np.sqrt(along), borderType=cv2.BORDER_REFLECT_101)
    kernel_KK = _gaussian(taps, along, across, angle)
    return cv2.filter2D(film, -1, kernel_KK, borderType=cv2.BORDER_REFLECT_101)


def scipy_blur(film: Float, taps: int, variances: tuple[float, float], angle: float) -> Float:
    return ndimage.convolve(film, _gaussian(taps, *variances, angle), mode="mirror")


def _texture(
    kind: str, template: Image.Image, height: int, width: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    if kind == _WHOLE or rng.random() < 0.15:
        return np.asarray(template.resize((width, height), Image.Resampling.LANCZOS))
    grey_HW = np.asarray(template)
    defects_HW = grey_HW < grey_HW.mean() - (25 if kind == _LINES else 15)
    defects_HW[:, :_BORDER_PX] = defects_HW[:, -_BORDER_PX:] = False
    defects = np.flatnonzero(defects_HW)
    rows, columns = grey_HW.shape
    anchor = rng.choice(defects) if len(defects) else rng.integers(grey_HW.size)
    side = int(rng.integers(150, 361))
    top = int(np.clip(anchor // columns - rng.integers(side), 0, rows - side))
    left = int(np.clip(anchor % columns - rng.integers(side), 0, columns - side))
    box = template.crop((left, top, left + side, top + side))
    if kind != _LINES:
        angle = rng.uniform(0, 360)
        box = box.rotate(angle, Image.Resampling.BILINEAR)
        inside = side / (abs(np.cos(np.deg2rad(angle))) + abs(np.sin(np.deg2rad(angle))))
        margin = int((side - inside) / 2) + 1
        box = box.crop((margin, margin, side - margin, side - margin))
    box = box.resize((width, height), Image.Resampling.LANCZOS)
    if kind in _THICKENED and rng.random() < 0.5:
        box = box.filter(ImageFilter.MinFilter(3))
    if kind != _LINES and rng.random() < 0.7:
        box = ImageEnhance.Contrast(box).enhance(rng.uniform(2, 4))
    return np.asarray(box)


def _walked(texture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    step = int(rng.integers(5, 16))
    if rng.random() < 0.5:
        return np.pad(texture[:, step:], ((0, 0), (0, step)), "edge")
    return np.pad(texture[:, :-step], ((0, 0), (step, 0)), "edge")


def _blended(frame_HW: Float, texture: NDArray[np.uint8], mode: int, opacity: float) -> Float:
    light = texture.astype(np.float32) / 255
    if mode == 0:
        mixed = frame_HW + opacity * (1 - light)
    elif mode == 1:
        mixed = frame_HW - opacity * (1 - light)
    else:
        mixed = frame_HW * ((1 - opacity) + opacity * light)
    return np.clip(mixed, 0, 1).astype(np.float32, copy=False)


def _gaussian(taps: int, along: float, across: float, angle: float) -> Float:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = turn @ np.diag([1 / along, 1 / across]) @ turn.T
    steps = np.arange(taps) - taps // 2
    places = np.stack(np.meshgrid(steps, steps), axis=-1)
    kernel = np.exp(-0.5 * np.einsum("...i,ij,...j", places, inverse, places))
    return (kernel / kernel.sum()).astype(np.float32)


def _noisy(film: Float, sigma: float, rng: np.random.Generator) -> Float:
    noise = rng.standard_normal(film.shape, dtype=np.float32) * np.float32(sigma)
    if rng.random() < 0.5:
        noise = film * noise
    return np.clip(film + noise, 0, 1)


def _compressed(film: Float, quality: int) -> Float:
    levels = np.rint(film * 255).astype(np.uint8)
    packed = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255


def _sharpened(frame_HW: Float) -> Float:
    detail = frame_HW - cv2.GaussianBlur(frame_HW, (51, 51), 0)
    soft = cv2.GaussianBlur((np.abs(detail) > 10 / 255).astype(np.float32), (51, 51), 0)
    return soft * np.clip(frame_HW + 0.5 * detail, 0, 1) + (1 - soft) * frame_HW
