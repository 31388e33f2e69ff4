"""Words on the film: subtitles, rolling titles, writing on a card.

Shape suffixes: C planes, H rows, W columns, R rows of the whole roll.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.exact import limited, rounded
from degradation.family import Planes, Size

_PRINTED = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)
_FINE = 4  # bits of a pixel's fraction
_WORDS = (
    "the end", "Directed by", "Part II", "morning", "He never came back", "home", "1906", "Chapter",
    "and she waited", "Dr. Smith", "Photography", "A letter from", "Paris", "No!", "meanwhile", "later",
)  # fmt: skip


class Captions:
    """White words over the scene, or ink on a card that covers it; they stay, or roll up."""

    def __init__(
        self, kind: Literal["subtitle", "titles", "writing"], size: Size, rng: np.random.Generator
    ) -> None:
        self._size, self._rng = size, rng
        self._speed = float(rng.uniform(0.5, 2.5)) * size.height / 480 if kind == "titles" else 0.0
        self._place = 0.0
        self._ink, self._card = 0.96, 0.0
        self._card_shown = 0.0
        match kind:
            case "subtitle":
                lines, line_px = int(rng.integers(1, 3)), size.height * float(rng.uniform(0.06, 0.09))
                first_px, rows = size.height * 0.93 - (lines - 1) * line_px, size.height
            case "titles":
                lines, line_px = int(rng.integers(6, 14)), size.height * float(rng.uniform(0.08, 0.14))
                first_px, rows = line_px, max(size.height, round((lines + 1) * line_px))
                self._card_shown = float(rng.choice((0.0, 0.85, 1.0)))
            case "writing":
                lines, line_px = int(rng.integers(3, 7)), size.height * float(rng.uniform(0.1, 0.14))
                first_px, rows = size.height * 0.5 - (lines - 1) * line_px / 2, size.height
                dark = rng.random() < 0.6  # ink on paper, else chalk on a board
                self._ink, self._card = (0.12, 0.85) if dark else (0.92, 0.1)
                self._card_shown = float(rng.uniform(0.75, 1.0))
        font = int(rng.choice(_PRINTED))
        thickness = max(1, round(line_px / 30)) + int(kind != "writing" and rng.random() < 0.4)
        self._words_RW = np.zeros((rows, size.width), np.uint8)
        for number in range(lines):
            base_px = first_px + number * line_px
            if kind == "writing":
                self._write(base_px, line_px, thickness)
            else:
                self._print(base_px, line_px, font, thickness)

    def __call__(self, planes_CHW: Planes) -> Planes:
        rows = (np.arange(self._size.height) + int(self._place)) % len(self._words_RW)
        self._place += self._speed
        out = planes_CHW + np.float32(rounded(self._card_shown)) * (np.float32(self._card) - planes_CHW)
        words_HW: NDArray[np.float32] = self._words_RW[rows] * np.float32(1 / 255)
        out += words_HW * (np.float32(self._ink) - out)
        return limited(out)

    def _print(self, base_px: float, line_px: float, font: int, thickness: int) -> None:
        """A line of words, centred, as large as fits."""
        rng, width = self._rng, self._size.width
        words = " ".join(str(word) for word in rng.choice(_WORDS, int(rng.integers(1, 4))))
        scale = rounded(line_px / 42)
        (wide, _), _ = cv2.getTextSize(words, font, scale, thickness)
        if wide > 0.94 * width:
            scale, wide = rounded(scale * 0.94 * width / wide), round(0.94 * width)
        at = (width - wide) // 2, round(base_px)
        cv2.putText(self._words_RW, words, at, font, scale, 255, thickness, cv2.LINE_AA)

    def _write(self, base_px: float, line_px: float, thickness: int) -> None:
        """A line of a hand that nobody can read: loops, some of them up, some down, leaning."""
        rng, width = self._rng, self._size.width
        x = width * float(rng.uniform(0.08, 0.15))
        while x < 0.85 * width:
            letters = int(rng.integers(2, 9))
            turns = np.linspace(0, 2 * np.pi * letters, 14 * letters)
            letter = np.minimum(turns / (2 * np.pi), letters - 1).astype(int)
            tall = rng.choice((0.16, 0.18, 0.34, 0.4), letters, p=(0.4, 0.3, 0.2, 0.1))[letter] * line_px
            wide = rng.uniform(0.6, 1.3, letters)[letter] * 0.11 * line_px
            below = (rng.random(letters) < 0.12)[letter] * 0.5 * line_px
            up = tall * (1 - np.cos(turns)) / 2 - below * (1 - np.cos(turns)) / 2
            along = x + turns * 0.035 * line_px + wide * np.sin(turns) + 0.35 * up
            points = np.round(np.stack([along, base_px - up], axis=1) * 2**_FINE).astype(np.int32)
            cv2.polylines(self._words_RW, [points], False, 255, thickness, cv2.LINE_AA, _FINE)
            x = float(along[-1]) + float(rng.uniform(0.2, 0.4)) * line_px
