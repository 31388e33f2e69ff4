"""From what a person names to the list of reels: files, globs, directories, a list of URIs."""

import glob
import os
from collections.abc import Iterable
from pathlib import PurePosixPath

from storage.container import FILM_SUFFIXES
from storage.filesystem import is_local, local_path, name_of
from storage.remote import Place, RemotePath
from storage.sequence import is_sequence
from tasks.request import RequestError

_LIST_SUFFIX = ".txt"


def find_sources(named: Iterable[str]) -> list[str]:
    """Every reel named, in order, each once; local ones by their absolute path.

    A directory of images is one reel; any other directory gives its film files and its image-sequence
    folders, at every depth. A `.txt` file lists sources, one a line (a line that begins with `#` is a
    comment). What is named as a file is taken at its word: whether it is a film shows at ingest. Raises
    RequestError where a name gives nothing.
    """
    found: dict[str, str] = {}
    for name in named:
        matches = _expand(name, frozenset())
        if not matches:
            raise RequestError(
                f"{name}: no films there; name files, image sequences, directories or a .txt list"
            )
        for source in matches:
            found.setdefault(os.path.realpath(source) if is_local(source) else source, source)
    return list(found.values())


def _expand(name: str, above: frozenset[str]) -> list[str]:
    """above: the directories and lists that led here; what leads back to one of them adds nothing."""
    if not is_local(name):
        return _in_store(name)
    path = local_path(name)
    within = above | {os.path.realpath(path)}
    if path.is_dir():
        if within == above:
            return []
        return [str(path)] if is_sequence(str(path)) else _in_directory(path, within)
    if path.suffix.lower() == _LIST_SUFFIX and path.is_file():
        lines = [] if within == above else path.read_text(errors="replace").splitlines()
        named = [line.strip() for line in lines]
        return [source for line in named if line and line[0] != "#" for source in _expand(line, within)]
    # As written: the working directory may have a name with brackets.
    pattern = str(path) if name.startswith("file:/") else os.path.expanduser(name)
    if not path.exists() and glob.has_magic(pattern):
        matches = sorted(glob.glob(pattern, recursive=True))
        stills = all(os.path.isfile(match) and is_sequence(match) for match in matches)
        if not (stills and is_sequence(str(path))):
            return [found for match in matches for found in _expand(match, above)]
    return [str(path)]


def _in_store(name: str) -> list[str]:
    """As in directories here; what is named as a film is not asked for, and patterns name no films."""
    if PurePosixPath(name_of(name)).suffix.lower() in FILM_SUFFIXES:
        return [name]
    place = RemotePath.of(name)
    if not place.is_dir() or is_sequence(str(place)):
        return [str(place)]
    return _in_directory(place, frozenset())


def _in_directory(root: Place, above: frozenset[str]) -> list[str]:
    found = []
    entries: list[Place] = [*root.iterdir()]
    for path in sorted(entries, key=str):
        if path.is_dir():
            found += _expand(str(path), above)
        elif path.suffix.lower() in FILM_SUFFIXES:
            found.append(str(path))
    return found
