"""Under which licence films came: a table that their keeper writes, and what a corpus tells of it.

The table is CSV (commas, semicolons or tabs) with the columns `film` and `licence`, and `origin` if wanted. A
film is named as its file or folder is, with or without its suffix, and with so many of the folders before it
as tell it from others.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from storage.errors import StorageError
from storage.filesystem import apart, first_line, is_local, open_input
from tasks.corpora.usable import UsableFilm
from tasks.request import RequestError

UNKNOWN = "unknown"
_FILM, _LICENCE, _ORIGIN = "film", "licence", "origin"
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Licence:
    """One row of the table."""

    film: str
    licence: str | None
    """In the keeper's words, at best an SPDX name; None where they do not know."""
    origin: str | None
    """From where the film came."""

    def fits(self, film: UsableFilm) -> bool:
        """Whether the row names this film."""
        *folders, name = _parts(self.film)
        *above, own = _parts(film.source)
        return name in (own, PurePosixPath(own).stem) and above[len(above) - len(folders) :] == folders


def read_licences(table: str) -> tuple[Licence, ...]:
    """The rows of the table, a path or URI. Raises RequestError where it is none."""
    try:
        with open_input(table) as file:
            text = file.read().decode("utf-8-sig")
        separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
        head, *lines = list(csv.reader(StringIO(text, newline=""), delimiter=separator)) or [[]]
    except (StorageError, ValueError, csv.Error) as error:
        told = first_line(error).removeprefix(f"{table}: ")
        raise RequestError(f"--licences {table}: cannot be read ({told})") from error
    names = [name.strip().lower() for name in head]
    missing = [name for name in (_FILM, _LICENCE) if name not in names]
    if missing:
        raise RequestError(
            f"--licences {table}: has no column {missing[0]}; its first line must name film, licence and, if "
            f"wanted, origin"
        )
    rows = [{name: value.strip() for name, value in zip(names, line, strict=False)} for line in lines]
    return tuple(
        Licence(row[_FILM], row.get(_LICENCE) or None, row.get(_ORIGIN) or None)
        for row in rows
        if _parts(row.get(_FILM, ""))
    )


def _parts(place: str) -> tuple[str, ...]:
    """Folders and name, of a URI without what says how to reach its store."""
    return PurePosixPath(place if is_local(place) else unquote(apart(place)[0])).parts


def licences_of(films: Sequence[UsableFilm], rows: Sequence[Licence]) -> dict[str, Licence]:
    """What the rows tell of these films, by sha256; rows of other films tell nothing.

    Raises RequestError where a row fits more than one of them, or a film has rows that differ.
    """
    found: dict[str, Licence] = {}
    for row in rows:
        named = [film for film in films if row.fits(film)]
        if len(named) > 1:
            raise RequestError(
                f"--licences: {row.film} may be {named[0].source} or {named[1].source}; write so much of the "
                f"path that one is left"
            )
        for film in named:
            other = found.setdefault(film.sha256, row)
            if (other.licence, other.origin) != (row.licence, row.origin):
                raise RequestError(
                    f"--licences: {film.source} has two rows that differ, {other.film} and {row.film}"
                )
    return found


def licensed_films(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The films that a corpus' clips are of, as its statistics tell, each with its licence and origin."""
    known = {film["sha256"]: film for film in record["films"]}
    return [
        {**film, **{name: known[film["film"]].get(name) or UNKNOWN for name in (_LICENCE, _ORIGIN)}}
        for film in record["statistics"]["films"]
    ]


def clips_by_licence(films: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """films: as `licensed_films` tells them."""
    counts: Counter[str] = Counter()
    for film in films:
        counts[film[_LICENCE]] += film["clips"]
    return dict(sorted(counts.items()))
