"""Synthetic film for every test: procedural reels with known shots, transitions and damage.

Nothing here is filmed: textures, buildings and blob-shaped people are drawn from a seed, cut together the
way reels are (hard cuts, cut-ins on the same set, dissolves, fades), and damaged the way prints are. The
tonality is that of a faded print (standard deviation 25-42 grey levels). Arrays are grey, uint8 unless
asked for uint16, shape (H, W).
"""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Kind = Literal["hard", "dissolve", "fade"]
Camera = Literal["static", "handheld", "pan", "whip", "zoom", "passer"]
Grey = NDArray[np.float32]

CAMERAS: tuple[Camera, ...] = ("static", "static", "handheld", "pan", "whip", "zoom", "passer")


@dataclass(frozen=True)
class Edit:
    """One true transition: frames [start, end) are mixed; a hard cut has start == end == the new shot's
    first."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True)
class Damage:
    """How badly the print is worn."""

    flicker: float = 0.0
    """Standard deviation of the frame's gain, 0 is none, 0.1 is strong; the lamp's offset and a slope come
    with it."""
    dirt: float = 0.0
    """Mean number of blotches per frame, black and white, none older than one frame."""
    grain: float = 0.0
    """Standard deviation of the grain in grey levels of 255."""
    weave_px: float = 0.0
    """Standard deviation of the gate weave at 160 px width; it scales with the width."""
    scratches: int = 0
    """Vertical scratches that run through whole shots."""
    flashes: float = 0.0
    """Chance that a frame is ruined: burnt white, black, covered in dirt, or jumping."""
    splices: float = 0.0
    """Chance that a hard cut wears a glue line on the frames beside it."""


CLEAN = Damage()
WORN = Damage(flicker=0.05, dirt=3, grain=4, weave_px=0.5, scratches=1, flashes=0.004, splices=0.3)
RUINED = Damage(flicker=0.10, dirt=8, grain=7, weave_px=1.0, scratches=2, flashes=0.01, splices=0.5)


@dataclass(frozen=True)
class Plan:
    """What the reel is made of."""

    shots: int = 8
    """Number of shots."""
    shot_frames: tuple[int, int] = (16, 48)
    """Shortest and longest shot, transitions apart."""
    gradual: float = 0.0
    """Share of transitions that are dissolves or fades, half of each."""
    transition_frames: tuple[int, int] = (8, 24)
    """Shortest and longest dissolve; a fade takes this long out and again in."""
    short_shots: float = 0.0
    """Share of shots of only three to five frames."""
    cut_ins: float = 0.2
    """Share of shots that are a closer or wider view of the shot before, on the same set."""
    cameras: tuple[Camera, ...] = CAMERAS
    """What the camera may do, drawn evenly."""
    height: int = 120
    width: int = 160
    """Picture size in pixels."""


@dataclass(frozen=True)
class Film:
    """A reel and the truth about it."""

    frames: list[NDArray[Any]]
    """The print as scanned, damage included; uint8 or uint16, (H, W)."""
    clean: list[NDArray[Any]]
    """The same frames before damage, same type."""
    dirt: list[NDArray[np.bool_]]
    """True where a blotch or scratch was drawn."""
    edits: tuple[Edit, ...]
    """The true transitions, in order."""
    ruined: tuple[int, ...]
    """Ordinals of single ruined frames; none of them is a cut."""


def make_film(
    seed: int,
    plan: Plan = Plan(),
    damage: Damage = CLEAN,
    dtype: type[np.uint8] | type[np.uint16] = np.uint8,
) -> Film:
    """Draws a reel; the same arguments give the same bytes."""
    rng = np.random.default_rng(seed)
    pictures, edits = _assemble(rng, plan)
    return _finish(pictures, edits, damage, rng, dtype)


def wear(pictures: list[Grey], damage: Damage, seed: int, edits: tuple[Edit, ...] = ()) -> Film:
    """Puts the same damage on pictures from elsewhere (float32 or uint8 grey levels of 255)."""
    rng = np.random.default_rng(seed)
    return _finish([np.asarray(p, np.float32) for p in pictures], edits, damage, rng, np.uint8)


def fade_tonality(picture: Grey, std: float, mean: float) -> Grey:
    """The picture squeezed to a faded print's contrast, in grey levels of 255."""
    scaled: Grey = ((picture - picture.mean()) / (picture.std() + 1e-3) * std + mean).astype(np.float32)
    return scaled


# -- the set and the camera --------------------------------------------------------------------------------


def _clouds(rng: np.random.Generator, height: int, width: int) -> Grey:
    """Noise of several octaves, about unit variance."""
    total = np.zeros((height, width), np.float32)
    for octave in range(1, 7):
        cells = 2**octave
        grid = rng.standard_normal((cells + 1, cells * width // height + 2)).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.75**octave
    return total / (total.std() + 1e-6)


def _stage(rng: np.random.Generator, height: int, width: int) -> Grey:
    """A set about three frames wide: sky, ground, buildings with windows, trees."""
    stage = _clouds(rng, height, width) * rng.uniform(0.3, 1.0)
    horizon = int(height * rng.uniform(0.3, 0.8))
    stage[:horizon] += rng.uniform(-1.5, 2.5)
    for _ in range(rng.integers(2, 14)):
        wide, tall = int(rng.integers(8, width // 5)), int(rng.integers(8, height))
        left, top = int(rng.integers(0, width)), horizon - int(tall * rng.uniform(0, 1))
        tone = float(rng.normal(0, 1.5))
        cv2.rectangle(stage, (left, max(top, 0)), (left + wide, top + tall), tone, -1)
        step = int(rng.integers(5, 14))
        for x in range(left + 3, left + wide - 3, step):
            for y in range(max(top, 0) + 3, top + tall - 3, step):
                cv2.rectangle(
                    stage, (x, y), (x + step // 3, y + step // 2), tone + float(rng.normal(0, 1)), -1
                )
    for _ in range(rng.integers(0, 8)):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(stage, centre, int(rng.integers(4, height // 4)), float(rng.normal(0, 1.3)), -1)
    stage += _clouds(rng, height, width) * 0.25  # nothing filmed is perfectly flat
    blurred: Grey = cv2.GaussianBlur(stage, (0, 0), float(rng.uniform(0.5, 1.2)))
    return blurred


@dataclass(frozen=True)
class _Figure:
    """A person-shaped blob on the set."""

    x: float
    y: float
    size: float
    speed: float
    tone: float


def _shoot(
    rng: np.random.Generator, stage: Grey, plan: Plan, camera: Camera, count: int, zoom: float
) -> list[Grey]:
    """`count` frames of a stage, in grey levels of 255."""
    rows, columns = stage.shape
    unit = plan.width / 160
    figures = [
        _Figure(
            x=float(rng.uniform(0, plan.width)),
            y=float(rng.uniform(0.4, 0.9) * plan.height),
            size=float(rng.uniform(0.06, 0.3) * plan.height),
            speed=float(rng.normal(0, 1.5) * unit),
            tone=float(rng.normal(0, 2)),
        )
        for _ in range(rng.integers(1, 5))
    ]
    if camera == "passer":
        figures.append(_Figure(-plan.width * 0.8, plan.height * 0.6, plan.height * 0.5, 12 * unit, 2.5))
    direction = float(rng.choice([-1.0, 1.0]))
    speed = {"pan": rng.uniform(0.5, 3), "whip": rng.uniform(5, 9)}.get(camera, 0.0) * unit * direction
    growth = float(rng.uniform(0.995, 1.006)) if camera == "zoom" else 1.0
    corner = np.array([rng.uniform(0.2, 0.8) * columns, rng.uniform(0.3, 0.7) * rows])
    std, mean = float(rng.uniform(25, 42)), float(rng.uniform(95, 150))
    drift = np.zeros(2)
    frames: list[Grey] = []
    for t in range(count):
        if camera == "handheld":
            drift += rng.normal(0, 0.8 * unit, 2)
        scale = zoom * growth**t
        centre = corner + drift + [speed * t, 0]
        matrix = np.array(
            [
                [1 / scale, 0, centre[0] - plan.width / 2 / scale],
                [0, 1 / scale, centre[1] - plan.height / 2 / scale],
            ]
        )
        view = cv2.warpAffine(
            stage,
            matrix,
            (plan.width, plan.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        if camera == "whip":
            view = cv2.blur(view, (max(1, int(abs(speed) / 2)), 1))
        for figure in figures:
            _draw(view, figure, t)
        frames.append(view)
    middle = frames[count // 2]
    gain, level = std / (float(middle.std()) + 1e-3), float(middle.mean())
    return [_curve((frame - level) * gain + mean) for frame in frames]


def _curve(picture: Grey) -> Grey:
    """Toe and shoulder of the film: nothing is blocked up or burnt out altogether."""
    curved: Grey = (128 + 110 * np.tanh((picture - 128) / 110)).astype(np.float32)
    return curved


def _draw(view: Grey, figure: _Figure, t: int) -> None:
    x = round(figure.x + figure.speed * t)
    sway = round(np.sin(t * 0.5 + figure.x) * figure.size * 0.08)
    body, head = int(figure.size), max(1, int(figure.size * 0.35))
    cv2.ellipse(
        view, (x, round(figure.y)), (max(1, body // 2), body), sway, 0, 360, figure.tone, -1, cv2.LINE_AA
    )
    neck = (x + sway, round(figure.y) - body - head // 2)
    cv2.circle(view, neck, head, figure.tone * 0.4 + 0.8, -1, cv2.LINE_AA)


# -- the edit ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Join:
    """How one shot goes over into the next."""

    kind: Kind
    length: int = 0
    hold: int = 0


def _assemble(rng: np.random.Generator, plan: Plan) -> tuple[list[Grey], tuple[Edit, ...]]:
    joins = [_join(rng, plan) for _ in range(plan.shots - 1)]
    pictures: list[Grey] = []
    edits: list[Edit] = []
    stage, zoom = _stage(rng, plan.height * 2, plan.width * 3), 1.0
    for index in range(plan.shots):
        if index and rng.random() < plan.cut_ins:
            zoom = 1.0 if zoom > 1 else float(rng.uniform(1.5, 2.2))
        elif index:
            stage, zoom = _stage(rng, plan.height * 2, plan.width * 3), 1.0
        low, high = plan.shot_frames if rng.random() >= plan.short_shots else (3, 5)
        before = joins[index - 1] if index else _Join("hard")
        after = joins[index] if index < len(joins) else _Join("hard")
        count = int(rng.integers(low, high + 1)) + before.length + after.length
        camera: Camera = plan.cameras[int(rng.integers(len(plan.cameras)))]
        shot = _shoot(rng, stage, plan, camera, count, zoom)
        if before.kind == "dissolve":
            overlap, shot = shot[: before.length], shot[before.length :]
            start = len(pictures) - before.length
            for k, head in enumerate(overlap):
                w = (k + 1) / (before.length + 1)
                pictures[start + k] = ((1 - w) * pictures[start + k] + w * head).astype(np.float32)
        if before.kind == "fade":
            shot[: before.length] = _ramp(shot[: before.length])
        if after.kind == "fade":
            shot[-after.length :] = _ramp(shot[-after.length :][::-1])[::-1]
        pictures += shot
        if index < len(joins):
            edits.append(_edit(after, len(pictures)))
            pictures += [np.full((plan.height, plan.width), _BLACK, np.float32)] * after.hold
    return pictures, tuple(edits)


_BLACK = 12.0


def _join(rng: np.random.Generator, plan: Plan) -> _Join:
    if rng.random() >= plan.gradual:
        return _Join("hard")
    low, high = plan.transition_frames
    length = int(rng.integers(low, high + 1))
    return _Join("dissolve", length) if rng.random() < 0.5 else _Join("fade", length, int(rng.integers(0, 6)))


def _edit(join: _Join, position: int) -> Edit:
    """The true range of a join, given the number of frames before it (a tail still to be mixed included)."""
    end = position + join.hold + (join.length if join.kind == "fade" else 0)
    return Edit(position - join.length, end, join.kind)


def _ramp(shot: list[Grey]) -> list[Grey]:
    """Rises from black to the picture."""
    gains = [k / len(shot) for k in range(len(shot))]
    return [((p - _BLACK) * gain + _BLACK).astype(np.float32) for p, gain in zip(shot, gains, strict=True)]


# -- the wear ----------------------------------------------------------------------------------------------


def _finish(
    pictures: list[Grey],
    edits: tuple[Edit, ...],
    damage: Damage,
    rng: np.random.Generator,
    dtype: type[np.uint8] | type[np.uint16],
) -> Film:
    height, width = pictures[0].shape
    glued = {
        e.start + d for e in edits if e.kind == "hard" and rng.random() < damage.splices for d in (-1, 0)
    }
    near_edits = {e.start + d for e in edits for d in range(-2, max(e.end - e.start, 0) + 3)}
    lines = [_scratch(rng, width) for _ in range(damage.scratches)]
    gain, ruined, frames, masks = 0.0, [], [], []
    for n, picture in enumerate(pictures):
        gain = 0.3 * gain + float(rng.normal(0, 1)) * damage.flicker
        worn = _flicker(rng, _weave(rng, picture, damage.weave_px), gain, damage.flicker)
        mask = np.zeros((height, width), np.uint8)
        for _ in range(rng.poisson(damage.dirt)):
            _blotch(rng, worn, mask, 0.03)
        for x, tone in lines:
            worn[:, int(x + rng.normal(0, 0.4)) % width] += tone
            mask[:, int(x) % width] = 1
        if n in glued:
            worn[(0 if n % 2 else height - 5) :][:5] = 235
        if rng.random() < damage.flashes and 2 < n < len(pictures) - 3 and n not in near_edits:
            worn = _ruin(rng, worn, mask)
            ruined.append(n)
        worn += _grain(rng, height, width, damage.grain)
        frames.append(_to(worn, dtype))
        masks.append(mask.astype(bool))
    return Film(frames, [_to(p, dtype) for p in pictures], masks, edits, tuple(ruined))


def _to(picture: Grey, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    scale = 257 if dtype is np.uint16 else 1
    return np.clip(np.rint(picture * scale), 0, 255 * scale).astype(dtype)


def _weave(rng: np.random.Generator, picture: Grey, weave_px: float) -> Grey:
    if weave_px == 0:
        return picture.copy()
    dx, dy = rng.normal(0, weave_px, 2) * picture.shape[1] / 160
    matrix = np.array([[1, 0, dx], [0, 1, dy]])
    size = (picture.shape[1], picture.shape[0])
    moved: Grey = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return moved


def _flicker(rng: np.random.Generator, picture: Grey, gain: float, strength: float) -> Grey:
    """Gain, offset and a slope across the picture, as uneven exposure leaves them."""
    if strength == 0:
        return picture
    height, width = picture.shape
    slope_x, slope_y = rng.normal(0, strength / 2, 2)
    plane = np.linspace(-1, 1, width) * slope_x + np.linspace(-1, 1, height)[:, None] * slope_y
    lit: Grey = (picture * (1 + gain + plane) + rng.normal(0, 40 * strength)).astype(np.float32)
    return lit


def _scratch(rng: np.random.Generator, width: int) -> tuple[float, float]:
    return float(rng.uniform(0, width)), float(rng.choice([-45.0, 60.0]))


def _blotch(rng: np.random.Generator, picture: Grey, mask: NDArray[np.uint8], reach: float) -> None:
    """One ragged speck; most are small, a few reach several hundredths of the width."""
    height, width = picture.shape
    radius = max(1.0, float(rng.exponential(reach)) * width)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    radii = radius * rng.uniform(0.4, 1.0, 9)
    centre = rng.uniform(0, 1, 2) * [width, height]
    outline = np.stack([centre[0] + radii * np.cos(angles), centre[1] + radii * np.sin(angles)], -1)
    points = [np.rint(outline).astype(np.int32)]
    cv2.fillPoly(picture, points, float(rng.choice([10.0, 30.0, 225.0, 245.0])))
    cv2.fillPoly(mask, points, 1)


def _ruin(rng: np.random.Generator, picture: Grey, mask: NDArray[np.uint8]) -> Grey:
    """A frame spoilt on its own: burnt, black, buried in dirt, out of the gate, or badly overexposed."""
    how = int(rng.integers(5))
    if how == 0:
        return picture * 0.03 + 235
    if how == 1:
        return picture * 0.05
    if how == 2:
        for _ in range(40):
            _blotch(rng, picture, mask, 0.05)
        return picture
    if how == 3:
        return np.roll(picture, int(picture.shape[0] * rng.uniform(0.15, 0.5)), axis=0)
    return picture * 1.5 + 40


def _grain(rng: np.random.Generator, height: int, width: int, sigma: float) -> Grey:
    if sigma == 0:
        return np.zeros((height, width), np.float32)
    noise = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 0.7)
    return (noise / noise.std() * sigma).astype(np.float32)
