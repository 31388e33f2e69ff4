"""A numbered run of DPX, TIFF or PNG files as one reel. Every number keeps its place, file or no file."""

import fnmatch
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from storage.dpx import DamagedFrame
from storage.errors import SourceError, UnreachableSource
from storage.filesystem import reading
from storage.remote import Place, RemotePath, place_at
from storage.still import CODECS, StillHeader, decode_image, read_header

_PATTERN = re.compile(r"%0?(\d*)d|(#+)")
_GLOB = re.compile(r"[*?\[]")
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
# A longer hole is more likely two rolls under one name than frames that a scanner dropped.
MOST_MISSING_IN_A_ROW = 1000
# Short sequences have no meaningful tenth: a hole of this many frames is always filled.
ALWAYS_ALLOWED_MISSING = 10
# One bad first file must not cost the reel; three in a row are no accident.
_FIRST_DECODES = 3
_Good = tuple[Place, StillHeader, tuple[str, ...]]


@dataclass(frozen=True)
class ImageSequence:
    """A reel made of files. An ordinal counts from 0; a number is what stands in a file's name."""

    files: tuple[Place, ...]
    """Every file there is, in order of number."""
    frames: tuple[Place | None, ...]
    """The file of each ordinal; None where the numbering has a gap."""
    first_number: int
    missing: tuple[int, ...]
    """Numbers without a file."""
    damaged: tuple[tuple[int, str], ...]
    """Ordinals whose file cannot be read whole, and why."""
    header: StillHeader
    notes: tuple[str, ...]
    """What a person should know: files left aside, headers that disagree."""

    def faults(self) -> dict[int, str]:
        """Why each ordinal without a good picture has none."""
        gaps = {number - self.first_number: f"no file numbered {number}" for number in self.missing}
        return dict(sorted((gaps | dict(self.damaged)).items()))


def is_sequence(path: str) -> bool:
    """Whether this names still images: a folder of numbered ones, a pattern, or one of the files."""
    place = place_at(path)
    suffix = place.suffix.lower()
    if place.is_dir():
        return any(_NUMBERED.fullmatch(Path(name).stem) for name in _images(place))
    if place.exists():
        return suffix in CODECS
    is_open = not suffix or bool(_GLOB.search(suffix))
    return _is_pattern(place.name) and (is_open or suffix in CODECS)


def find_sequence(path_or_pattern: str) -> ImageSequence:
    """The one sequence in a folder, here or in a store, or the one that a pattern names.

    The pattern may stand in the file name only: `scan.%06d.dpx`, `scan.####.tif`, or a glob, `scan*.png`.

    Reads every file's header and decodes one picture. Raises SourceError where there is no sequence or more
    than one, where files differ in size or layout, where the numbering jumps too far, or where the format is
    one that would not be decoded exactly. Damaged files do not raise: they are listed.
    """
    folder, numbered, notes = _collect(path_or_pattern)
    missing = _missing(folder, sorted(numbered))
    first = min(numbered)
    good, damaged = _read_headers(numbered, first)
    if not good:
        reason = damaged[0][1] if damaged else "no files"
        raise SourceError(f"{folder}: none of the {len(numbered)} files can be read ({reason}): scan again")
    _require_one_shape(good)
    _decode_first(good, damaged, numbered)
    header, disagreements = _summary([header for _, header, _ in good])
    said = dict.fromkeys(note for _, _, its_notes in good for note in its_notes)
    return ImageSequence(
        files=tuple(numbered[number] for number in sorted(numbered)),
        frames=_by_ordinal(numbered),
        first_number=first,
        missing=missing,
        damaged=tuple(sorted(damaged)),
        header=header,
        notes=(*notes, *said, *disagreements),
    )


def list_frames(path_or_pattern: str) -> tuple[Place | None, ...]:
    """`ImageSequence.frames` from the names alone, for those who have found the sequence before.

    Raises SourceError as `find_sequence` does for names.
    """
    folder, numbered, _ = _collect(path_or_pattern)
    _missing(folder, sorted(numbered))
    return _by_ordinal(numbered)


def _is_pattern(name: str) -> bool:
    return bool(_PATTERN.search(name) or _GLOB.search(name))


def _images(folder: Place) -> Iterator[str]:
    if isinstance(folder, RemotePath):
        files = [path for path in folder.iterdir() if path.is_file()]
        names = [path.name for path in files if path.suffix.lower() in CODECS]
        return iter(sorted(name for name in names if not name.startswith(".")))
    with reading(str(folder)), os.scandir(folder) as entries:
        found = [e for e in entries if not e.name.startswith(".") and Path(e.name).suffix.lower() in CODECS]
        return iter(sorted(entry.name for entry in found if _is_file(entry)))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


def _collect(path_or_pattern: str) -> tuple[Place, dict[int, Place], list[str]]:
    """The folder, its files by number, and what was left aside."""
    path = place_at(path_or_pattern)
    folder: Place
    if path.is_dir():
        folder, wanted = path, re.compile(".*", re.DOTALL)
    elif path.is_file():
        raise SourceError(f"{path}: one frame is no reel: give its folder, or a pattern like {_hint(path)}")
    elif not path.parent.is_dir():
        raise SourceError(f"{path.parent}: no such folder (a pattern may stand in the file name only)")
    elif marks := list(_PATTERN.finditer(path.name)):
        folder, mark = path.parent, marks[-1]
        digits = int(mark[1] or 1) if mark[2] is None else len(mark[2])
        before, after = path.name[: mark.start()], path.name[mark.end() :]
        wanted = re.compile(rf"({re.escape(before)})(\d{{{min(digits, 99)},}})({re.escape(after)})")
    elif _GLOB.search(path.name):
        folder, wanted = path.parent, re.compile(fnmatch.translate(path.name))
    else:
        raise SourceError(f"{path}: no such file or folder")

    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    unnumbered = []
    for name in _images(folder):
        if match := wanted.fullmatch(name):
            parts = match if match.re.groups == 3 else _NUMBERED.fullmatch(name[: -len(Path(name).suffix)])
            if parts is None:
                unnumbered.append(name)
                continue
            tail = parts[3] if parts is match else parts[3] + Path(name).suffix
            groups.setdefault((parts[1], tail), []).append((int(parts[2]), name))
    if not groups:
        raise SourceError(f"{path}: no numbered DPX, TIFF or PNG files here")
    if len(groups) > 1:
        found = [f"{_hint(Path(files[0][1])).name} ({len(files)})" for files in groups.values()]
        more = "" if len(found) <= 5 else f" and {len(found) - 5} more"
        raise SourceError(f"{folder}: {len(found)} sequences, {', '.join(found[:5])}{more}: name one of them")
    (files,) = groups.values()
    numbered: dict[int, Place] = {}
    for number, name in sorted(files):
        if number in numbered:
            raise SourceError(f"{folder}: {numbered[number].name} and {name} bear one number: remove one")
        numbered[number] = folder / name
    notes = [f"left aside, not numbered: {', '.join(unnumbered[:5])}"] if unnumbered else []
    return folder, numbered, notes


def _hint(path: Place) -> Place:
    """The pattern that a file belongs to."""
    match = _NUMBERED.fullmatch(path.stem)
    if match is None:
        return path.with_name(f"{path.stem}.######{path.suffix}")
    return path.with_name(f"{match[1]}{'#' * len(match[2])}{match[3]}{path.suffix}")


def _by_ordinal(numbered: dict[int, Place]) -> tuple[Place | None, ...]:
    return tuple(numbered.get(number) for number in range(min(numbered), max(numbered) + 1))


def _missing(folder: Place, numbers: list[int]) -> tuple[int, ...]:
    jump = min(MOST_MISSING_IN_A_ROW, max(ALWAYS_ALLOWED_MISSING, len(numbers) // 10))
    for before, after in itertools.pairwise(numbers):
        if after - before - 1 > jump:
            raise SourceError(
                f"{folder}: {after - before - 1} numbers missing between {before} and {after}: "
                f"give the two runs as two reels, or renumber"
            )
    total = numbers[-1] - numbers[0] + 1 - len(numbers)
    if total > max(ALWAYS_ALLOWED_MISSING, len(numbers) // 2):
        raise SourceError(f"{folder}: {total} numbers missing for {len(numbers)} files: renumber them")
    present = set(numbers)
    return tuple(number for number in range(numbers[0], numbers[-1]) if number not in present)


def _read_headers(numbered: dict[int, Place], first: int) -> tuple[list[_Good], list[tuple[int, str]]]:
    good: list[_Good] = []
    damaged: list[tuple[int, str]] = []
    for number, path in sorted(numbered.items()):
        try:
            good.append((path, *read_header(path)))
        except DamagedFrame as error:
            damaged.append((number - first, str(error)))
        except OSError as error:
            damaged.append((number - first, f"cannot be read: {error}"))
        except UnreachableSource:
            raise
        except SourceError as error:
            raise SourceError(f"{path}: {error}") from error
    return good, damaged


def _require_one_shape(good: list[_Good]) -> None:
    first_path, first, _ = good[0]
    for path, header, _ in good:
        if header.shape != first.shape:
            raise SourceError(
                f"{path}: {_described(header)}, but {first_path.name} is {_described(first)}: "
                f"one reel has one kind of picture, so move the others away or convert them"
            )


def _described(header: StillHeader) -> str:
    return f"{header.width}x{header.height} {header.bit_depth}-bit {header.channels} {header.layout}"


def _decode_first(good: list[_Good], damaged: list[tuple[int, str]], numbered: dict[int, Place]) -> None:
    """Decodes the first good picture: a header may promise what the decoder does not give."""
    ordinals = {path: number - min(numbered) for number, path in numbered.items()}
    for path, header, _ in list(good[:_FIRST_DECODES]):
        try:
            with reading(str(path)):
                data = path.read_bytes()
            frame = decode_image(data, path.suffix)
        except DamagedFrame as error:
            damaged.append((ordinals[path], str(error)))
            good.pop(0)
            continue
        found = (frame.width, frame.height, frame.format.components[0].bits, len(frame.format.components))
        samples = {"grey": 1, "rgb": 3, "rgba": 4}[header.channels]
        if found != (header.width, header.height, header.bit_depth, samples):
            raise SourceError(f"{path}: {_described(header)} comes back as {frame.format.name}: convert it")
        return
    folder = numbered[min(numbered)].parent
    raise SourceError(f"{folder}: none of the first pictures can be decoded ({damaged[-1][1]}): scan again")


def _summary(headers: list[StillHeader]) -> tuple[StillHeader, list[str]]:
    """The first header, less what the others contradict, and a note for each contradiction."""
    notes = []
    rates = {header.rate for header in headers if header.rate}
    summary = replace(headers[0], rate=rates.pop() if len(rates) == 1 else None)
    if rates:
        notes.append("rate: the files' headers differ: give the rate")
    if len(headers) > 1 and len({header.timecode for header in headers}) == 1:
        summary = replace(summary, timecode=None)
    for field in ("transfer", "colorimetric", "sample_aspect", "orientation"):
        if len({getattr(header, field) for header in headers}) > 1:
            notes.append(f"{field}: the files' headers differ, the first is kept: {getattr(summary, field)}")
    if summary.orientation:
        notes.append(f"orientation: kept as stored, though the headers ask for code {summary.orientation}")
    return summary, notes
