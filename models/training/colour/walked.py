"""A clip of colour film as colouring meets it: made grey, given a still or two, and walked through once.

Carrying colour takes longer than learning from it: a clip is walked through as a whole, and windows are cut
out of that as often as wanted. Shape suffixes: T frames, H rows, W columns; 3 is (red, green, blue), (luma,
a, b) or (a, b, confidence).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.carry import State
from models.colour.colouriser import Reference
from models.colour.lab import Float, lab_of_rgb
from models.colour.propagate import PropagateSettings
from models.colour.walk import Reached, Side, Walk
from models.motion import Dis, MotionSettings
from models.neural.tiles import Area
from models.restorer import Footage, luma

Bytes = NDArray[np.uint8]

ABSENT = -1
"""How far an anchor is away that there is not."""

# What restoring leaves of a film's age, of 1: grain, the light's wavering from frame to frame, and softness.
_MOST_GRAIN, _MOST_FLICKER, _MOST_BLUR_PX = 0.02, 0.03, 0.7
_GRAIN_PX = 0.6
# So many clips of each kind: two stills of the film, or one of another shot; the others have one.
_TWO, _SIBLING = 0.35, 0.2
_ZERO_AB, _SURE = 128, 255


@dataclass(frozen=True)
class WalkedClip:
    """What is kept of a clip, in bytes: a and b from -128, confidence in 255ths. Frames that were not part of
    the film have no sides."""

    luma_T1HW: Bytes
    """As colouring sees the film."""
    truth_T3HW: Bytes
    """Luma of the clean clip, and its colour."""
    past_T3HW: Bytes
    """Colour carried from the anchor at the frame or before it, of the film's frames."""
    future_T3HW: Bytes
    past_frames: tuple[int, ...]
    """How far that anchor is away, or `ABSENT`."""
    future_frames: tuple[int, ...]
    stills: tuple[int, ...]
    """Which frames of the clip were given in colour."""

    @property
    def film_frames(self) -> int:
        """The first ones, that were coloured."""
        return len(self.past_T3HW)

    def reached(self, frame: int, area: Area) -> Reached:
        """What came to an area of a frame of the film."""
        return Reached(
            _side(self.past_T3HW[frame, :, area.rows, area.columns], self.past_frames[frame]),
            _side(self.future_T3HW[frame, :, area.rows, area.columns], self.future_frames[frame]),
        )


def walked(rgb_T3HW: Bytes, rng: np.random.Generator, foreign_3HW: Bytes | None = None) -> WalkedClip:
    """The generator decides the age that is left, and the stills.

    foreign: a frame of another film, given as the still in place of the clip's own: what no still shows is to
    be left grey. Raises ValueError for a clip of fewer than four frames.
    """
    if len(rgb_T3HW) < 4:
        raise ValueError(f"a clip of {len(rgb_T3HW)} frames: at least 4")
    film, stills, told = _given(len(rgb_T3HW), rng)
    if foreign_3HW is not None:
        film, stills, told = len(rgb_T3HW), (len(rgb_T3HW),), False
        rgb_T3HW = np.concatenate([rgb_T3HW, foreign_3HW[None]])
    frames = [rgb_3HW.astype(np.float32) / np.float32(255) for rgb_3HW in rgb_T3HW]
    lumas = [luma(frame, "rgb") for frame in frames]
    lab = [lab_of_rgb(frame) for frame in frames]
    aged_T1HW = _coded(_aged(lumas, rng), 255)[:, None]
    seen = aged_T1HW.astype(np.float32) / np.float32(255)
    references = [
        Reference(lab[still][1:], seen[still, 0], still if told else None) for still in dict.fromkeys(stills)
    ]
    height, width = lumas[0].shape
    footage = Footage(lambda: iter(seen[:film]), film, height, width, "grey")
    work_px = PropagateSettings().work_px
    walk = Walk(footage, references, work_px, Dis(MotionSettings(proxy_px=work_px)))
    reached = [step.reached for step in walk.steps()]
    past, future = ([_bytes(side, height, width) for side in sides] for sides in _sides(reached))
    truth_T3HW = np.stack(
        [np.stack([_coded(light, 255), *_ab_bytes(each[1:])]) for light, each in zip(lumas, lab, strict=True)]
    )
    return WalkedClip(
        aged_T1HW,
        truth_T3HW,
        np.stack(past),
        np.stack(future),
        tuple(_away(each.past) for each in reached),
        tuple(_away(each.future) for each in reached),
        stills,
    )


def ab_of(bytes_2HW: Bytes) -> Float:
    """a and b as they were before they became bytes, but for rounding."""
    ab_2HW: Float = bytes_2HW.astype(np.float32) - np.float32(_ZERO_AB)
    return ab_2HW


def _given(frames: int, rng: np.random.Generator) -> tuple[int, tuple[int, ...], bool]:
    """How many of the clip's frames are the film, which are given in colour, and whether it is said which."""
    drawn = rng.random()
    if drawn < _SIBLING:
        film = frames // 2
        return film, (int(rng.integers(film + 1, frames)),), False
    count = 2 if drawn < _SIBLING + _TWO else 1
    return frames, tuple(sorted(int(still) for still in rng.permutation(frames)[:count])), True


def _aged(lumas: Sequence[Float], rng: np.random.Generator) -> Float:
    """The clip's luma with what restoring may have left, (T, H, W)."""
    grain, flicker, blur_px = rng.random(3) * (_MOST_GRAIN, _MOST_FLICKER, _MOST_BLUR_PX)
    aged = []
    for luma_HW in lumas:
        soft_HW = cv2.GaussianBlur(luma_HW, (0, 0), blur_px) if blur_px > 0.2 else luma_HW
        grain_HW = cv2.GaussianBlur(rng.standard_normal(luma_HW.shape, np.float32), (0, 0), _GRAIN_PX)
        light = 1 + rng.normal(0, flicker)
        aged.append(soft_HW * light + grain_HW * (grain / max(float(grain_HW.std()), 1e-6)))
    return np.stack(aged).astype(np.float32)


def _sides(reached: Sequence[Reached]) -> tuple[list[Side | None], list[Side | None]]:
    return [each.past for each in reached], [each.future for each in reached]


def _away(side: Side | None) -> int:
    return ABSENT if side is None else side.frames_away


def _bytes(side: Side | None, height: int, width: int) -> Bytes:
    if side is None:
        return np.broadcast_to(np.array([[[_ZERO_AB]], [[_ZERO_AB]], [[0]]], np.uint8), (3, height, width))
    return np.stack([*_ab_bytes(side.state.ab_2hw), _coded(side.state.confidence_hw, _SURE)])


def _side(bytes_3HW: Bytes, away: int) -> Side | None:
    if away == ABSENT:
        return None
    sure_HW = bytes_3HW[2].astype(np.float32) / np.float32(_SURE)
    return Side(State(ab_of(bytes_3HW[:2]), sure_HW), away)


def _ab_bytes(ab_2HW: Float) -> Bytes:
    return np.rint(np.clip(ab_2HW + _ZERO_AB, 0, 255)).astype(np.uint8)


def _coded(plane: Float, peak: int) -> Bytes:
    return np.rint(np.clip(plane, 0, 1) * peak).astype(np.uint8)
