"""Dirt spots, stains and hairs."""

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.overlay import Overlay
from degradation.recipe import Contaminants

_FINE = 4  # shapes are drawn this much larger and averaged down: soft, sub-pixel outlines


def contaminate(height: int, width: int, recipe: Contaminants, rng: np.random.Generator) -> list[Overlay]:
    """This frame's contaminants."""
    pieces = []
    for _ in range(rng.poisson(recipe.spots)):
        # Diameters of real dust on scans spread by about a factor of two (outlines of FilmDamageSimulator).
        size_px = max(1.2, height * recipe.spot_size * float(rng.lognormal(0, 0.6)))
        pieces.append(_placed(_blob(size_px, rng), height, width, recipe.bright, rng))
    for _ in range(rng.poisson(recipe.blotches)):
        size_px = max(3.0, height * recipe.blotch_size * float(rng.lognormal(0, 0.4)))
        pieces.append(_placed(_blob(min(size_px, height / 3), rng), height, width, recipe.bright, rng))
    for _ in range(rng.poisson(recipe.hairs)):
        pieces.append(_placed(_hair(height, rng), height, width, recipe.bright, rng))
    return pieces


def _placed(
    opacity_hw: NDArray[np.float32], height: int, width: int, bright: float, rng: np.random.Generator
) -> Overlay:
    rows, columns = opacity_hw.shape
    row = int(rng.integers(-rows // 2, height - rows // 2))
    column = int(rng.integers(-columns // 2, width - columns // 2))
    strength = np.float32(rng.uniform(0.55, 1.0))
    tone = rng.uniform(0.88, 1.0) if rng.random() < bright else rng.uniform(0.0, 0.12)
    return Overlay(row, column, opacity_hw * strength, float(tone))


def _blob(size_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A ragged, roundish, slightly soft spot."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(angles)
    for wave in range(2, 7):
        radius += rng.normal(0, 0.35 / wave) * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.3, 2.0) * size_px / 2
    stretch = rng.uniform(0.6, 1.0)
    turn = rng.uniform(0, np.pi)
    x, y = radius * np.cos(angles), radius * np.sin(angles) * stretch
    return _drawn(x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn), None)


def _hair(height: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A thin curved line, often upright: hairs, and the short dashes of a worn print."""
    length_px = height * float(np.clip(rng.lognormal(np.log(0.06), 0.6), 0.015, 0.3))
    upright = rng.random() < 0.5
    heading = np.pi / 2 + rng.normal(0, 0.05) if upright else rng.uniform(0, np.pi)
    bend = rng.normal(0, 0.1 if upright else 2.0)
    along = np.linspace(0, 1, 32)
    headings = heading + bend * along + 0.3 * bend * np.sin(2 * np.pi * along)
    step = length_px / 31
    thickness_px = max(1.0, height / 480 * float(rng.uniform(1.0, 2.5)))
    return _drawn(np.cumsum(np.cos(headings)) * step, np.cumsum(np.sin(headings)) * step, thickness_px)


def _drawn(x: NDArray[np.float64], y: NDArray[np.float64], thickness_px: float | None) -> NDArray[np.float32]:
    """Opacity of an outline (filled) or a line of a thickness, cut to its box with a soft edge."""
    margin = 2 + int(thickness_px or 0)
    x, y = x - x.min() + margin, y - y.min() + margin
    columns, rows = int(np.ceil(x.max())) + margin + 1, int(np.ceil(y.max())) + margin + 1
    points = np.round(np.stack([x, y], axis=1) * _FINE).astype(np.int32)
    large = np.zeros((rows * _FINE, columns * _FINE), np.float32)
    if thickness_px is None:
        cv2.fillPoly(large, [points], 1.0)
    else:
        cv2.polylines(large, [points], False, 1.0, max(1, round(thickness_px * _FINE)))
    small = cv2.resize(large, (columns, rows), interpolation=cv2.INTER_AREA)
    soft: NDArray[np.float32] = cv2.GaussianBlur(small, (3, 3), 0.5)
    return soft
