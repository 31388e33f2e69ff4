"""From what a person names to the list of reels: files, globs, directories, a list of URIs."""

import glob
from collections.abc import Iterable
from pathlib import Path

from storage.container import FILM_SUFFIXES
from storage.sequence import is_sequence
from tasks.request import RequestError

_LIST_SUFFIX = ".txt"


def find_sources(named: Iterable[str]) -> list[str]:
    """Every reel named, in order, each once.

    A directory of images is one reel; any other directory gives its film files and its image-sequence
    folders, at every depth. A `.txt` file lists sources, one a line (`#` starts a comment). What is named as
    a file is taken at its word: whether it is a film shows at ingest. Raises RequestError where a name gives
    nothing.
    """
    found: dict[str, None] = {}
    for name in named:
        matches = _expand(name)
        if not matches:
            raise RequestError(
                f"{name}: no films there; name files, image sequences, directories or a .txt list"
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _expand(name: str) -> list[str]:
    if "://" in name:
        return [name]
    path = Path(name).expanduser()
    if path.is_dir():
        return [str(path)] if is_sequence(str(path)) else _in_directory(path)
    if path.suffix.lower() == _LIST_SUFFIX and path.is_file():
        lines = (line.partition("#")[0].strip() for line in path.read_text(errors="replace").splitlines())
        return [source for line in lines if line for source in _expand(line)]
    if not path.exists() and not is_sequence(name) and glob.has_magic(name):
        return [found for match in sorted(glob.glob(str(path), recursive=True)) for found in _expand(match)]
    return [str(path) if path.exists() else name]


def _in_directory(root: Path) -> list[str]:
    found = []
    for path in sorted(root.iterdir()):
        if path.is_dir():
            found += [str(path)] if is_sequence(str(path)) else _in_directory(path)
        elif path.suffix.lower() in FILM_SUFFIXES:
            found.append(str(path))
    return found
