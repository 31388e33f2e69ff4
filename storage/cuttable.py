"""The shot list as CSV: ours, PySceneDetect's, or one cut a line as a person writes it."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence

from storage.shotlist import CutListError, Placed, ShotSpan, TimelineReel, check_cover, names_of, shot_of

_COLUMNS = ("start", "end", "kind", "certainty", "detectors")


def csv_text(shots: Sequence[ShotSpan], reel: TimelineReel) -> str:
    """One row a shot: start (first frame, from 0), end (one past the last), kind, certainty, detectors.

    Raises CutListError where the shots do not cover the reel.
    """
    check_cover([("", shot) for shot in shots], reel, "shots")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for shot in shots:
        writer.writerow((shot.start, shot.end, shot.kind, repr(shot.certainty), names_of(shot)))
    return out.getvalue()


def from_csv(text: str, name: str, reel: TimelineReel) -> list[Placed]:
    # Spreadsheets of half the world write semicolons, and commas within numbers.
    head = "".join(text.splitlines()[:2])
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise CutListError(f"{name} line {reader.line_num}: no CSV ({error}): save it anew") from error
    rows = [(line, row) for line, row in rows if any(row) and not row[0].startswith("#")]
    # PySceneDetect may put one row of timecodes before its header.
    for at, (_, row) in enumerate(rows[:2]):
        columns = {cell.lower(): index for index, cell in enumerate(row)}
        if {"start", "end"} <= columns.keys():
            return [_place(_csv_shot, row, columns, name, line) for line, row in rows[at + 1 :]]
        if {"start frame", "end frame"} <= columns.keys():
            return [_place(_scenedetect_shot, row, columns, name, line) for line, row in rows[at + 1 :]]
    if not rows or any(len(list(filter(None, row))) != 1 for _, row in rows):
        raise CutListError(f"{name}: no shot list: write start,end columns or one cut frame a line")
    if not _is_number(rows[0][1][0]):
        rows = rows[1:]
    return _from_cuts([(line, row[0]) for line, row in rows], name, reel)


def _place(
    read: Callable[[dict[str, str]], ShotSpan], row: list[str], columns: dict[str, int], name: str, line: int
) -> Placed:
    cells = {column: row[index] if index < len(row) else "" for column, index in columns.items()}
    try:
        return f" line {line}", read(cells)
    except ValueError as error:
        raise CutListError(f"{name} line {line}: {error}") from error


def _csv_shot(cells: dict[str, str]) -> ShotSpan:
    return shot_of(
        _frame(cells["start"]),
        _frame(cells["end"]),
        cells.get("kind", ""),
        cells.get("certainty", ""),
        cells.get("detectors", ""),
    )


def _scenedetect_shot(cells: dict[str, str]) -> ShotSpan:
    """PySceneDetect counts from 1 and its last frame is within the scene."""
    return shot_of(_frame(cells["start frame"]) - 1, _frame(cells["end frame"]))


def _from_cuts(cells: Iterable[tuple[int, str]], name: str, reel: TimelineReel) -> list[Placed]:
    bounds = [("", 0)]
    for line, cell in cells:
        where = f" line {line}"
        try:
            cut = _frame(cell)
        except ValueError as error:
            raise CutListError(f"{name}{where}: {error}") from error
        if cut == 0 and len(bounds) == 1:
            bounds = [(where, 0)]
        elif not bounds[-1][1] < cut < reel.frames:
            raise CutListError(
                f"{name}{where}: cut at {cut}: write frames in rising order, after {bounds[-1][1]} and "
                f"before the reel's end at {reel.frames}"
            )
        else:
            bounds.append((where, cut))
    ends = [start for _, start in bounds[1:]] + [reel.frames]
    return [(where, ShotSpan(start, end)) for (where, start), end in zip(bounds, ends, strict=True)]


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?\d{1,18}", cell, re.ASCII))


def _frame(cell: str) -> int:
    if not _is_number(cell):
        raise ValueError(f"{cell[:40]!r} is no frame number: write whole numbers")
    return int(cell)
