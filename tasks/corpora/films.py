"""What of a film could serve as clean footage: its shots, measured, whatever size of clip is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import gcd

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from storage.digest import digest_of
from storage.eightbit import Bytes, Window, grey8, shrunk
from storage.errors import VaultError
from storage.filesystem import first_line, name_of
from storage.frames import read_frames
from storage.reel import FrameRow
from storage.survey import Progress
from storage.timeline import ShotSpan
from storage.vault import Vault
from tasks.ingest import IngestedReel, ingest
from tasks.looks import read_looks
from tasks.recipe import installation
from tasks.shots import find_shots

SCALES = (Fraction(1), Fraction(4, 5), Fraction(2, 3), Fraction(1, 2))
"""By how much a film may be shrunk, mildest first."""
BLOCK_PX = 8
"""The grid of transforms in MPEG-1, -2, -4, H.264 and JPEG."""
_LOSSLESS = frozenset(
    {"ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210", "dpx", "tif", "tiff", "png"}
)
_SAMPLES = 8
"""Frames that are looked at in full, spread over the film."""
_STILL_LEVELS, _STILL_SHARE = 2, 1000
"""A frame repeats the one before if fewer than one in a thousand pixels of its look differ by more than two
levels: hands that juggle in front of a still camera change ten times as many, a pulldown's repeats none."""
_FLAT_LEVELS = 8
"""A frame whose lightness spans no more, between its 6th and 94th percentile, shows nothing."""


@dataclass(frozen=True)
class Span:
    """Frames [start, end) of one shot, or of a part of it that no damaged frame interrupts."""

    start: int
    end: int
    kind: str
    """`shot`; `transition`: two shots mixed; `damaged`: the decoder lost or spoilt these."""
    repeats: tuple[int, ...] = ()
    """Frames that show nothing new."""
    flat_frames: int = 0
    """How many frames show nothing at all."""
    hashes: tuple[str, ...] = ()
    """Difference hashes, 16 hex digits each, of the frames that are neither."""


@dataclass(frozen=True)
class FilmFacts:
    """A film as it was measured: nothing here depends on what is asked for."""

    sha256: str
    reel_id: str
    name: str
    source: str
    width: int
    height: int
    lossless: bool
    interlaced: bool
    blockiness: tuple[int, ...]
    """For each of SCALES, thousandths: steps of lightness on the codec's grid over those beside it."""
    spans: tuple[Span, ...]
    """All frames of the film, in order."""


_FACTS = TypeAdapter(FilmFacts)


def measure_film(vault: Vault, source: str, progress: Progress) -> FilmFacts:
    """Ingests the source, finds its shots and measures them, or finds that the vault knows all this.

    Raises SourceError: not a film, or one that cannot be decoded.
    """
    reel = ingest(vault, source, None, progress)
    key = f"{reel.key}/clean-{digest_of(installation('models/shots', 'storage', *_MODULES))}.json"
    if vault.exists(key):
        facts = _read(vault, key)
    else:
        facts = _measured(reel, find_shots(vault, reel, None, progress), vault)
        vault.write(key, _FACTS.dump_json(facts))
    return replace(facts, source=source, name=name_of(source))


_MODULES = ("tasks/corpora/films.py", "tasks/looks.py", "tasks/shots.py")


def _read(vault: Vault, key: str) -> FilmFacts:
    try:
        return _FACTS.validate_json(vault.read(key))
    except ValueError as error:
        raise VaultError(
            f"{vault.url(key)}: not a film's measures ({first_line(error)}); delete it"
        ) from error


def _measured(reel: IngestedReel, shots: Sequence[ShotSpan], vault: Vault) -> FilmFacts:
    facts = reel.reel
    spans = [part for shot in shots for part in _parts(shot, reel.rows)]
    return FilmFacts(
        sha256=facts.sha256,
        reel_id=facts.reel_id,
        name=facts.name,
        source=facts.source,
        width=facts.video.width,
        height=facts.video.height,
        lossless=facts.video.codec in _LOSSLESS,
        interlaced=facts.video.field_order != "progressive",
        blockiness=_blockiness_of(reel, [span for span in spans if span.kind == "shot"]),
        spans=tuple(_looked_at(spans, read_looks(vault.path(reel.looks), reel.rows))),
    )


def _parts(shot: ShotSpan, rows: Sequence[FrameRow]) -> Iterator[Span]:
    """The shot, taken apart where frames are damaged."""
    edges = [n for n in range(shot.start + 1, shot.end) if bool(rows[n].damage) != bool(rows[n - 1].damage)]
    for start, end in pairwise([shot.start, *edges, shot.end]):
        yield Span(start, end, "damaged" if rows[start].damage else shot.kind)


def _looked_at(spans: Sequence[Span], looks: Iterator[Bytes]) -> Iterator[Span]:
    """The spans with what their frames' looks tell; `looks` runs through the whole film."""
    for span in spans:
        repeats, hashes, flat_frames = [], [], 0
        last: Bytes | None = None
        for frame in range(span.start, span.end):
            look = next(looks)
            if last is not None and _repeats(last, look):
                repeats.append(frame)
                continue
            last = look
            if _is_flat(look):
                flat_frames += 1
            else:
                hashes.append(difference_hash(look))
        yield Span(span.start, span.end, span.kind, tuple(repeats), flat_frames, tuple(hashes))


def _repeats(one: Bytes, other: Bytes) -> bool:
    changed = np.count_nonzero(cv2.absdiff(one, other) > _STILL_LEVELS)
    return bool(changed * _STILL_SHARE < one.size)


def _is_flat(look: Bytes) -> bool:
    levels = np.sort(look, axis=None)
    return int(levels[levels.size * 94 // 100]) - int(levels[levels.size * 6 // 100]) <= _FLAT_LEVELS


def difference_hash(look: Bytes) -> str:
    """Whether each of 8 by 8 fields is darker than the next to its right: 64 bits as 16 hex digits."""
    height, width = look.shape[0] // 8, look.shape[1] // 9
    fields = look[: 8 * height, : 9 * width].reshape(8, height, 9, width).sum(axis=(1, 3), dtype=np.int64)
    return np.packbits(fields[:, :-1] < fields[:, 1:]).tobytes().hex()


def _blockiness_of(reel: IngestedReel, spans: Sequence[Span]) -> tuple[int, ...]:
    frames = [n for span in spans for n in range(span.start, span.end)]
    chosen = frames[len(frames) // (2 * _SAMPLES) :: max(1, len(frames) // _SAMPLES)]
    video = reel.reel.video
    whole = Window(0, 0, video.height, video.width)
    totals = {scale: np.zeros(4, np.int64) for scale in SCALES}
    for frame in chosen:
        (picture,) = read_frames(reel.reel, reel.rows, frame, frame + 1)
        grey_HW = grey8(picture, video, whole)
        for scale in SCALES:
            totals[scale] += grid_steps(shrunk(grey_HW, scale), scale)
    return tuple(_ratio(totals[scale]) for scale in SCALES)


def grid_steps(grey_HW: Bytes, scale: Fraction) -> NDArray[np.int64]:
    """(sum, count, sum, count): steps from pixel to pixel on the codec's grid, and beside it.

    Of a shrunk picture only those steps count that lie where whole source pixels met: the others are softer.
    """
    whole = scale.numerator
    period = BLOCK_PX // gcd(BLOCK_PX, scale.denominator)
    found = np.zeros(4, np.int64)
    for plane in (grey_HW, grey_HW.T):
        below, above = plane[whole::whole], plane[whole - 1 :: whole]
        steps = cv2.absdiff(np.ascontiguousarray(below), np.ascontiguousarray(above[: len(below)]))
        on_grid = steps[period - 1 :: period]
        on, every = int(on_grid.sum(dtype=np.int64)), int(steps.sum(dtype=np.int64))
        found += (on, on_grid.size, every - on, steps.size - on_grid.size)
    return found


def _ratio(steps: NDArray[np.int64]) -> int:
    on, on_count, beside, beside_count = (int(value) for value in steps)
    return 1000 * on * beside_count // (on_count * beside) if on_count and beside else 1000
