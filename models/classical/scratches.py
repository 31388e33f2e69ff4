"""Vertical scratches: thin lines that stay for many frames and go with the film's gate, not with the scene.

Shape suffixes: H rows, W columns, B bands (groups of rows), S slopes, T frames.

Sources: ridge test and a-contrario validation after Newson, Almansa, Gousseau, Perez, "Robust automatic line
scratch detection in films", IEEE TIP 2014; the temporal rule (what moves with the scene is no scratch) from
the same.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


# How far to either side a limb is looked for: 19 px of 480, past the bright rim itself.
_LIMB_SHARE = 0.04
# Of its length, along which a limb's sides differ either way, or along which one of them is the darker. At
# 0.7 a launching rocket's rim passed for a scratch in dozens of frames; 0.5 costs a tenth of true scratches.
_LIMB_LENGTH, _LIMB_ONE_SIDED = 0.5, 0.85


@dataclass(frozen=True)
class ScratchSettings:
    """What counts as a scratch."""

    widest_share: float = 0.012
    """Widest line, as a share of the frame's height (0.012 is 6 px of 480)."""
    shortest_share: float = 0.5
    """Shortest line, as a share of the height."""
    lean: float = 0.05
    """Steepest lean to either side, pixels across per pixel down (0.05 is 3 degrees)."""
    floor: float = 2.5 / 255
    """Contrast, of 1, under which nothing is a scratch."""
    log_false_alarms: float = -4.0
    """Logarithm (base 10) of the lines expected by accident per frame; lower is stricter."""
    watch_frames: int = 4
    """How many frames to either side a line is followed before it is believed; 0 believes nothing."""
    fewest_sightings: int = 6
    """In how many of those frames, this one included, it must be seen."""
    wander_px: float = 0.5
    """How much a line must wander against a scene that stands still (standard deviation), pixels at 480 rows;
    what stands as still as a door frame is left alone."""
    full_share: float = 0.8
    """How much of the height a line must run through for its wandering alone to tell."""


@dataclass(frozen=True)
class Line:
    """One line seen in one frame."""

    column: float
    """Where it crosses the middle row, pixels."""
    lean: float
    """Pixels across per pixel down."""
    bright: bool
    top: int
    """First row."""
    bottom: int
    """Past the last row."""
    contrast: float
    """Mean height of the ridge, of 1."""

    def columns_at(self, rows: NDArray[np.intp], height: int) -> Float:
        """Where the line crosses rows."""
        return (self.column + self.lean * (rows - (height - 1) / 2)).astype(np.float32)


def lines(luma_HW: Float, settings: ScratchSettings) -> list[Line]:
    """Near-vertical ridges of one frame that chance would not have lined up."""
    height, width = luma_HW.shape
    bands = min(60, height // 4)
    if bands < 12 or width < 48:
        return []
    shrunk_BW = cv2.resize(luma_HW, (width, bands), interpolation=cv2.INTER_AREA)
    ridge_BW, plain_BW = _ridges(shrunk_BW, height, settings)
    found: list[Line] = []
    for bright in (True, False):
        signed_BW = ridge_BW if bright else -ridge_BW
        votes_BW = (
            plain_BW & (signed_BW > 0) & (signed_BW >= cv2.dilate(signed_BW, np.ones((1, 5), np.uint8)))
        )
        found += _aligned(votes_BW, signed_BW, bright, height, settings)
    return [line for line in found if not _is_limb(line, shrunk_BW, height, settings)]


def _is_limb(line: Line, shrunk_BW: Float, height: int, settings: ScratchSettings) -> bool:
    """Whether the line runs along the edge of something: its sides differ nearly all the way.

    A rocket's bright rim and a window's frame wander like scratches when the camera trembles; but a scratch
    lies on top of the scene and has the same scene on both sides.
    """
    bands, width = shrunk_BW.shape
    reach = max(6, round(_LIMB_SHARE * height))
    far = round(0.5 * settings.widest_share * height) + 2 + reach // 2
    level_BW = cv2.blur(shrunk_BW, (reach, max(3, bands // 8)), borderType=cv2.BORDER_REPLICATE)
    rows = np.arange(line.top * bands // height, line.bottom * bands // height)
    middles = np.rint(line.columns_at(rows * height // bands, height)).astype(np.intp)
    left, right = (level_BW[rows, (middles + side).clip(0, width - 1)] for side in (-far, far))
    steps = left - right
    least = max(line.contrast, 3 * settings.floor)
    one_sided = (np.sign(steps) == np.sign(steps.mean())).mean() > _LIMB_ONE_SIDED
    return bool((np.abs(steps) > least).mean() > _LIMB_LENGTH or (one_sided and abs(steps.mean()) > least))


def _ridges(shrunk_BW: Float, height: int, settings: ScratchSettings) -> tuple[Float, Mask]:
    """How far each place stands above (or below) both sides, and where that is a ridge on level ground."""
    half = max(1, round(0.5 * settings.widest_share * height))
    side = max(2, half)
    mean_BW = cv2.blur(shrunk_BW, (side, 1), borderType=cv2.BORDER_REPLICATE)
    left_BW, right_BW = (
        np.roll(mean_BW, half + side // 2 + 1, axis=1),
        np.roll(mean_BW, -(half + side // 2 + 1), axis=1),
    )
    crest_BW = cv2.GaussianBlur(shrunk_BW, (3, 1), 0.7, borderType=cv2.BORDER_REPLICATE)
    ridge_BW = crest_BW - 0.5 * (left_BW + right_BW)
    size_BW = np.abs(ridge_BW)
    # What ridges are usual around here: a picket fence makes a picket nothing special.
    usual_BW = 1.25 * cv2.blur(size_BW, (61, 5), borderType=cv2.BORDER_REFLECT_101)
    level_BW = np.abs(left_BW - right_BW) < 0.7 * size_BW
    stands_BW = size_BW > np.maximum(1.5 * usual_BW, settings.floor)
    # The outermost 3 % belong to the gate's own edge.
    edge = max(half + side + 2, round(0.03 * shrunk_BW.shape[1]))
    stands_BW[:, :edge] = stands_BW[:, -edge:] = False
    return ridge_BW, stands_BW & level_BW


def _aligned(
    votes_BW: Mask, signed_BW: Float, bright: bool, height: int, settings: ScratchSettings
) -> list[Line]:
    bands, width = votes_BW.shape
    wide_BW = cv2.dilate(votes_BW.astype(np.uint8), np.ones((1, 3), np.uint8))
    offsets = (np.arange(bands) - (bands - 1) / 2) * (height / bands)
    # Neighbouring slopes part by two pixels over the whole height: within the tolerance of a vote.
    leans_S = np.arange(-settings.lean, settings.lean + 1e-6, 2.0 / height)
    totals_SBW = np.zeros((leans_S.size, bands + 1, width), np.int16)
    for number, lean in enumerate(leans_S):
        columns = np.arange(width)[None] + np.round(lean * offsets)[:, None].astype(np.intp)
        sheared = np.take_along_axis(wide_BW, columns.clip(0, width - 1), axis=1)
        np.cumsum(sheared, axis=0, out=totals_SBW[number, 1:], dtype=np.int16)
    density_W = cv2.blur(wide_BW.mean(axis=0, keepdims=True).astype(np.float32), (61, 1))[0] + 1e-3
    shortest = max(6, round(settings.shortest_share * bands))
    best: list[tuple[float, int, int, int, int]] = []
    for length in sorted({shortest, (shortest + bands) // 2, bands}, reverse=True):
        for start in range(0, bands - length + 1, max(1, length // 4)):
            counts_SW = totals_SBW[:, start + length] - totals_SBW[:, start]
            slope_W = counts_SW.argmax(axis=0)
            score_W = _log_chance(counts_SW.max(axis=0), length, density_W) + np.log10(
                leans_S.size * width * 6.0
            )
            for place in np.flatnonzero(score_W < settings.log_false_alarms):
                best.append((float(score_W[place]), int(place), int(slope_W[place]), start, length))
    best.sort()
    taken: list[Line] = []
    near = 2 * settings.widest_share * height
    for _, column, slope, start, length in best:
        if all(abs(line.column - column) > near for line in taken):
            taken.append(_measured(column, float(leans_S[slope]), start, length, signed_BW, bright, height))
    return taken


def _log_chance(counts: NDArray[np.int16], length: int, density_W: Float) -> NDArray[np.float64]:
    """Base-10 logarithm of (a bound of) the binomial tail: Hoeffding's, exact enough far out."""
    share = np.clip(counts / length, 1e-6, 1 - 1e-6)
    density = np.clip(density_W, 1e-3, 0.9)
    divergence = share * np.log(share / density) + (1 - share) * np.log((1 - share) / (1 - density))
    return np.where(share > density, -length * divergence / np.log(10), 0.0)


def _measured(
    column: int, lean: float, start: int, length: int, signed_BW: Float, bright: bool, height: int
) -> Line:
    """The line's place to a fraction of a pixel: the centroid of its mean profile."""
    bands, width = signed_BW.shape
    rows = np.arange(start, start + length)
    across = np.arange(-3, 4)
    middles = column + np.round(lean * (rows - (bands - 1) / 2) * (height / bands)).astype(np.intp)
    profile = signed_BW[rows[:, None], (middles[:, None] + across).clip(0, width - 1)].mean(axis=0)
    weights = np.maximum(profile - 0.3 * profile.max(), 0)
    shift = float((weights * across).sum() / max(weights.sum(), 1e-9))
    scale = height / bands
    return Line(
        column + shift,
        lean,
        bright,
        round(start * scale),
        round((start + length) * scale),
        float(profile.max()),
    )


@dataclass
class Sight:
    """What is kept of a frame for following lines: a few numbers."""

    lines: list[Line]
    drift_hw: Float = field(default_factory=lambda: np.zeros((16, 32), np.float32))
    """The scene's motion across to the next frame, pixels, on a coarse grid over the frame."""


def scratches(
    sights_T: list[Sight], now: int, height: int, width: int, settings: ScratchSettings
) -> list[Line]:
    """Those lines of frame `now` (a place in `sights`) that are scratches, by the frames around it."""
    return [
        line
        for line in sights_T[now].lines
        if _goes_with_the_gate(line, sights_T, now, height, width, settings)
    ]


def _goes_with_the_gate(
    line: Line, sights_T: list[Sight], now: int, height: int, width: int, settings: ScratchSettings
) -> bool:
    """Seen often enough, hardly moving in the gate, and not as the scene moves."""
    scale = height / 480
    places = {now: line.column}
    for direction in (1, -1):
        last, missed = line, 0
        for step in range(1, settings.watch_frames + 1):
            frame = now + direction * step
            if not 0 <= frame < len(sights_T) or missed > 1:
                break
            same = [
                other
                for other in sights_T[frame].lines
                if other.bright == line.bright
                and abs(other.column - last.column) < 3 * scale * (missed + 1)
                and abs(other.lean - line.lean) < 0.02
            ]
            if same:
                last = min(same, key=lambda other: abs(other.column - last.column))
                places[frame] = last.column
                missed = 0
            else:
                missed += 1
    if len(places) < settings.fewest_sightings:
        return False
    frames = sorted(places)
    steps = np.diff([places[frame] for frame in frames])
    scene = np.array(
        [
            sum(_drift_at(line, sights_T[frame].drift_hw, height, width) for frame in range(first, second))
            for first, second in pairwise(frames)
        ]
    )
    return _apart(steps / scale, scene / scale, (line.bottom - line.top) / height, settings)


def _apart(
    steps: NDArray[np.float64], scene: NDArray[np.float64], length: float, settings: ScratchSettings
) -> bool:
    """Whether a line's steps across (pixels at 480 rows) are not the scene's."""
    moved, scene_moved, against = (float((values**2).sum()) for values in (steps, scene, steps - scene))
    # The scene weaves or pans by more than flow's error (0.7 px), and the line stays behind.
    if scene_moved > 0.5 * scene.size and moved < 0.35 * scene_moved and against > 0.5 * scene_moved:
        return True
    # Or the line itself wanders: believed only of one that runs from top to bottom, as poles and posts seldom
    # do, and where its steps and the scene's add up as strangers' do (panels of a weaving wall: 0.1 to 0.5;
    # scratches: 0.8 to 1).
    strangers = against > 0.7 * (moved + scene_moved)
    # Both ways: a still line before falling ice would seem to wander against the ice.
    wander = min(
        float(np.std(np.concatenate([[0.0], np.cumsum(course)]))) for course in (steps, steps - scene)
    )
    # It wanders in most frames: a measurement that hops between two edges of a pillar hops now and then.
    restless = float(np.median(np.abs(steps))) > 0.5 * settings.wander_px
    return length > settings.full_share and strangers and restless and wander > settings.wander_px


def _drift_at(line: Line, drift_hw: Float, height: int, width: int) -> float:
    rows = np.linspace(line.top, line.bottom - 1, 9).astype(np.intp)
    columns = line.columns_at(rows, height)
    down, across = drift_hw.shape
    y = (rows * down // height).clip(0, down - 1)
    x = (columns * across / width).astype(np.intp).clip(0, across - 1)
    # Either side too: under the line itself, motion follows the line.
    around = np.stack([drift_hw[y, (x + step).clip(0, across - 1)] for step in (-1, 1)])
    # Only what three quarters of the line's length agree on: a hand over a ruled mat does not move the mat.
    low, high = np.percentile(around, (25, 75))
    return 0.0 if low * high <= 0 else float(min(low, high, key=abs))


def profile(planes_CHW: Float, line: Line, settings: ScratchSettings) -> tuple[Mask, Float]:
    """Where a scratch shows (H, W), and what it adds to each plane there (C, P): subtract it, and the film is
    under it.

    Rows are straightened along the line; what rises over the straight join of both sides, averaged along the
    line, is the scratch; grain and texture, which do not run along it, stay.
    """
    channels, height, width = planes_CHW.shape
    half = max(1.0, 0.5 * settings.widest_share * height)
    reach = int(np.ceil(half)) + 3
    rows = np.arange(line.top, line.bottom)
    middles = line.columns_at(rows, height)
    across = np.arange(-reach, reach + 1, dtype=np.float32)
    places = np.dstack(np.broadcast_arrays(middles[:, None] + across, rows[:, None].astype(np.float32)))
    places = places.astype(np.float32)
    strips = []
    for plane in planes_CHW:
        strip = cv2.remap(plane, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        left, right = strip[:, :3].mean(axis=1), strip[:, -3:].mean(axis=1)
        share = (across + reach - 1) / (2 * reach - 2)
        rise = strip - (left[:, None] + (right - left)[:, None] * share.clip(0, 1))
        # Six rows of 480: shorter gaps in a line are as wide, and grain is averaged to a third.
        strips.append(_along(rise, height))
    window = np.clip((half + 1.5 - np.abs(across)) / 1.5, 0, 1)
    mask_HW = np.zeros((height, width), bool)
    columns = np.floor(middles).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
    offsets = columns - middles[:, None]
    inside = (np.abs(offsets) <= half + 1.5) & (columns >= 0) & (columns < width)
    sign = 1.0 if line.bright else -1.0
    lead = np.maximum(sign * strips[0] * window, 0)
    shows = _resampled(lead, offsets, reach) > 0.35 * settings.floor
    chosen = inside & shows
    row_of = np.broadcast_to(rows[:, None], columns.shape)
    mask_HW[row_of[chosen], columns[chosen]] = True
    added_CHW = np.zeros((channels, height, width), np.float32)
    for c in range(channels):
        values = _resampled(strips[c] * window, offsets, reach)
        added_CHW[c][row_of[chosen], columns[chosen]] = values[chosen]
    return mask_HW, added_CHW[:, mask_HW]


def _along(rise: Float, height: int) -> Float:
    sigma = max(1.0, height * 6 / 480)
    size = 2 * round(2.5 * sigma) + 1
    smooth: Float = cv2.GaussianBlur(
        rise, (1, size), sigmaX=1, sigmaY=sigma, borderType=cv2.BORDER_REFLECT_101
    )
    return smooth


def _resampled(strip: Float, offsets: NDArray[np.float32], reach: int) -> Float:
    """The straightened strip at each pixel's own offset from the line."""
    at = (offsets + reach).astype(np.float32).clip(0, 2 * reach)
    low = np.floor(at).astype(np.intp).clip(0, 2 * reach - 1)
    part = at - low
    rows = np.arange(strip.shape[0])[:, None]
    mixed: Float = strip[rows, low] * (1 - part) + strip[rows, low + 1] * part
    return mixed
