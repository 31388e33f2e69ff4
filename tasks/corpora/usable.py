"""Which shots of which films serve as clean footage, and why the others do not."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from storage.eightbit import shrunk_px
from tasks.corpora.films import SCALES, FilmFacts, Span

Code = Literal[
    "corrupt", "interlaced", "too_small", "blocky", "duplicate", "transition", "too_short", "frozen",
    "flat", "repeated", "refused",
]  # fmt: skip

_BLOCKY = 1100
"""Thousandths: where steps on the codec's grid are a tenth stronger than beside it, its blocks can be seen.
Film without blocks measured 0.90 to 1.03, a strongly compressed one 1.32."""
_COMPRESSED_SCALES = (Fraction(2, 3), Fraction(1, 2))
_LEAST_SCALE = Fraction(4, 5)
"""For compressed film that shows no blocks and would be too small otherwise."""
_SAME_BITS = 3
"""Hashes that differ in no more of their 64 bits are of one picture: of a film at half the size and
a low bit rate 563 of 564 did not, and other films never came closer than 9."""
_ASKED = 4
"""Every how manieth picture of a film is looked for among all of the others."""
_SAME_HASHES = 2
"""Films with so many pictures in common are kept in one split: a single one may be chance."""


@dataclass(frozen=True)
class Rejection:
    """Something that was not taken: a whole film, frames of it, or a clip."""

    source: str
    code: Code
    words: str
    film: str | None = None
    """The film's sha256; None where it could not be read."""
    start: int | None = None
    end: int | None = None
    """Frames [start, end); None for a whole film."""

    @property
    def reason(self) -> str:
        return f"{self.code}: {self.words}"


@dataclass(frozen=True)
class UsableShot:
    """Frames of one shot, in order, without those that show nothing new."""

    frames: tuple[int, ...]


@dataclass(frozen=True)
class UsableFilm:
    """A film to cut clips from."""

    sha256: str
    reel_id: str
    name: str
    source: str
    scale: Fraction
    height: int
    width: int
    """After shrinking."""
    group: str
    """One sha256 for all films that share pictures: they are never split."""
    shots: tuple[UsableShot, ...]

    @property
    def frames(self) -> int:
        return sum(len(shot.frames) for shot in self.shots)


def usable_films(
    measured: Sequence[FilmFacts], size: int, frames: int
) -> tuple[list[UsableFilm], list[Rejection]]:
    """What clips of this size and length can be cut from; the order of the films changes nothing."""
    films: list[UsableFilm] = []
    rejections: list[Rejection] = []
    groups, copies = _kin(sorted(measured, key=lambda facts: (-facts.width * facts.height, facts.sha256)))
    for facts in sorted(measured, key=lambda facts: facts.sha256):
        told = copies.get(facts.sha256)
        scale = told or _scale(facts, size)
        if isinstance(scale, Rejection):
            rejections.append(scale)
            continue
        shots = []
        for span in facts.spans:
            judged = list(_shot(facts, span, frames))
            shots += [each for each in judged if isinstance(each, UsableShot)]
            rejections += [each for each in judged if isinstance(each, Rejection)]
        if shots:
            height, width = shrunk_px(facts.height, scale), shrunk_px(facts.width, scale)
            group = groups[facts.sha256]
            film = UsableFilm(
                facts.sha256,
                facts.reel_id,
                facts.name,
                facts.source,
                scale,
                height,
                width,
                group,
                tuple(shots),
            )
            films.append(film)
    return films, rejections


def _scale(facts: FilmFacts, size: int) -> Fraction | Rejection:
    """How much the film must be shrunk to be as good as clean."""
    if facts.interlaced:
        return _film(facts, "interlaced", "its frames are woven of two fields; deinterlace it first")
    blockiness = dict(zip(SCALES, facts.blockiness, strict=True))
    wanted = SCALES if facts.lossless else _COMPRESSED_SCALES
    smooth = [scale for scale in wanted if blockiness[scale] <= _BLOCKY]
    if not smooth:
        worst = min(blockiness[scale] for scale in wanted)
        words = f"steps on the 8-pixel grid are {worst / 1000:.2f} times those beside it, however shrunk"
        return _film(facts, "blocky", words)
    if smooth[0] == _COMPRESSED_SCALES[0] and blockiness[_LEAST_SCALE] <= _BLOCKY:
        smooth.append(_LEAST_SCALE)
    for scale in smooth:
        if min(shrunk_px(facts.height, scale), shrunk_px(facts.width, scale)) >= size:
            return scale
    largest = max(smooth)
    shown = f"{shrunk_px(facts.width, largest)}x{shrunk_px(facts.height, largest)}"
    return _film(facts, "too_small", f"{shown} when shrunk to {largest} against compression, under {size}")


def _shot(facts: FilmFacts, span: Span, frames: int) -> Iterator[UsableShot | Rejection]:
    count = span.end - span.start
    kept = tuple(sorted(set(range(span.start, span.end)) - set(span.repeats)))
    if span.kind == "damaged":
        yield _span(facts, span, "corrupt", f"{count} frames are damaged in the source")
    elif span.kind == "transition":
        yield _span(facts, span, "transition", "two shots are mixed here")
    elif count < frames:
        yield _span(facts, span, "too_short", f"{count} frames, {frames} are needed")
    elif len(kept) < frames:
        yield _span(facts, span, "frozen", f"only {len(kept)} of {count} frames show anything new")
    elif span.flat_frames * 2 > len(kept):
        yield _span(facts, span, "flat", f"{span.flat_frames} of {len(kept)} frames show nothing")
    else:
        if span.repeats:
            words = f"{len(span.repeats)} of {count} frames show nothing new and are left out"
            yield _span(facts, span, "repeated", words)
        yield UsableShot(kept)


def _film(facts: FilmFacts, code: Code, words: str) -> Rejection:
    return Rejection(facts.source, code, words, facts.sha256)


def _span(facts: FilmFacts, span: Span, code: Code, words: str) -> Rejection:
    return replace(_film(facts, code, words), start=span.start, end=span.end)


def _kin(films: Sequence[FilmFacts]) -> tuple[dict[str, str], dict[str, Rejection]]:
    """(group of each film, films that hold little but what an earlier one shows)."""
    groups: dict[str, str] = {}
    copies: dict[str, Rejection] = {}
    known: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    for film in films:
        hashes = [each for span in film.spans if span.kind == "shot" for each in span.hashes]
        shared: dict[str, int] = defaultdict(int)
        asked = hashes[::_ASKED]
        for each in asked:
            for other in _owners(each, known):
                shared[other] += 1
        kin = sorted(other for other, count in shared.items() if count >= _SAME_HASHES)
        groups[film.sha256] = film.sha256
        if kin:
            heads = {groups[other] for other in kin}
            first = min(heads)
            groups[film.sha256] = first
            groups.update({each: first for each, head in groups.items() if head in heads})
            most = max(kin, key=lambda other: shared[other])
            if shared[most] * 2 >= len(asked):
                words = f"{shared[most]} of {len(asked)} pictures looked at are in {most[:16]} too"
                copies[film.sha256] = _film(film, "duplicate", words)
        for each in hashes:
            for band in _bands(each):
                known[band].append((int(each, 16), film.sha256))
    return groups, copies


def _owners(each: str, known: dict[tuple[int, str], list[tuple[int, str]]]) -> set[str]:
    """The films that show this picture. Of four parts of a hash one is the same if three bits differ."""
    value = int(each, 16)
    return {
        film
        for band in _bands(each)
        for other, film in known.get(band, ())
        if (other ^ value).bit_count() <= _SAME_BITS
    }


def _bands(each: str) -> list[tuple[int, str]]:
    return [(part, each[4 * part : 4 * part + 4]) for part in range(4)]
