"""A folder of someone's own scanned dirt, for recipes with templates.

Scans lie in the folder or, told apart by kind, in subfolders: those that RTN numbers, `001` (lines that walk
through a shot) to `012`, have its treatment each. Which licence they have is the user's to know; nothing of
them is stored but their digest.

Shape suffixes: H rows, W columns.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.drawings import OWN
from degradation.recipe import Recipe
from degradation.sheets import ScannedSheets, Sheet, Sheets
from storage.errors import SourceError
from storage.filesystem import first_line, is_local, local_path
from storage.pixels import Unpacker, luma8
from storage.still import decode_image

_JPEG = (".jpg", ".jpeg")
_SCANS = (".png", ".tif", ".tiff", *_JPEG)
_WORDS = ("", ".txt", ".md")  # a licence, a note: no scan and no mistake
_LEAST_SIDE_PX = 100  # the borders where no marks are sought take 80
_READING = Lock()  # two threads of a worker would hold the same scans twice


class TemplatesError(SourceError):
    """The templates are not there, or not those that a recipe names."""


def with_templates(recipe: Recipe, folder: str) -> Recipe:
    """The recipe, naming the folder's templates by their digest; the same where `folder` is empty.

    Raises TemplatesError where it has no use for them, or names others already.
    """
    if folder and recipe.templates is not None and not recipe.templates.templates_sha256:
        recipe = recipe.having(replace(recipe.templates, templates_sha256=_at(folder).sha256))
    sheets_for(recipe, folder)
    return recipe


def sheets_for(recipe: Recipe, folder: str) -> Sheets:
    """What the recipe's templates are cut from: our own drawings, or the scans in the folder.

    Scans are read once a process, and again where a file changed. Raises TemplatesError where they are not
    those that the recipe names.
    """
    wanted = recipe.templates.templates_sha256 if recipe.templates is not None else ""
    if not folder:
        if wanted:
            raise TemplatesError(
                f"recipe {recipe.name} was made with templates {wanted[:16]}; name their folder with "
                f"--templates"
            )
        return OWN
    if recipe.templates is None:
        raise TemplatesError(
            f"{folder}: recipe {recipe.name} lays on no templates; take one that does, like rtn-paper"
        )
    sheets = _at(folder)
    if sheets.sha256 != wanted:
        told = f"templates {wanted[:16]}" if wanted else "our own drawings"
        raise TemplatesError(
            f"{folder}: holds templates {sheets.sha256[:16]}, recipe {recipe.name} was made with {told}"
        )
    return sheets


def _at(folder: str) -> ScannedSheets:
    if not is_local(folder):
        raise TemplatesError(f"{folder}: templates must lie in a folder that every worker can open")
    path = local_path(folder)
    stats = [(file, file.stat()) for file in _files(path)]
    with _READING:
        return _read(path, tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))


@lru_cache(1)
def _read(folder: Path, _: tuple[tuple[Path, int, int], ...]) -> ScannedSheets:
    return read_templates(folder)


def read_templates(folder: Path) -> ScannedSheets:
    """All scans of the folder, in the order of their names, as dark marks on white.

    They stay in memory, a byte a pixel.
    Raises TemplatesError where there is none, or where a file is no scan that can be read.
    """
    if not folder.is_dir():
        raise TemplatesError(f"{folder}: no folder of templates; give one with PNG, TIFF or JPEG scans in it")
    total = hashlib.sha256()
    sheets = []
    for path in _files(folder):
        suffix = path.suffix.lower()
        if suffix in _WORDS:
            continue
        if suffix not in _SCANS:
            raise TemplatesError(f"{path}: no scan; move it away, or write it as PNG, TIFF or JPEG")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TemplatesError(f"{path}: cannot be read ({first_line(error)})") from error
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        total.update(data)
        kind = path.parent.name if path.parent != folder else ""
        sheets.append(Sheet.of(kind, _on_white(_grey(path, data))))
    if not sheets:
        raise TemplatesError(f"{folder}: no templates; put PNG, TIFF or JPEG scans of dirt into it")
    return ScannedSheets(total.hexdigest(), tuple(sheets))


def _files(folder: Path) -> list[Path]:
    return sorted(
        (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")),
        key=lambda path: path.relative_to(folder).as_posix(),
    )


def _grey(path: Path, data: bytes) -> NDArray[np.uint8]:
    try:
        if path.suffix.lower() in _JPEG:
            grey_HW = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
            if grey_HW is None:
                raise SourceError("cannot be decoded")
        else:
            picture = Unpacker().picture(decode_image(data, path.suffix))
            grey_HW = luma8(picture, picture.width)
    except SourceError as error:
        raise TemplatesError(f"{path}: {error}; repair it or move it away") from error
    if min(grey_HW.shape) < _LEAST_SIDE_PX:
        raise TemplatesError(f"{path}: a scan needs {_LEAST_SIDE_PX} pixels a side, not {min(grey_HW.shape)}")
    return np.asarray(grey_HW, np.uint8)


def _on_white(grey_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inverted where most of it is dark; its ground, the median, made white: film without marks is clear."""
    if np.median(grey_HW) < 128:
        grey_HW = 255 - grey_HW
    ground = int(np.median(grey_HW))
    return np.minimum(np.arange(256) * 255 // ground, 255).astype(np.uint8)[grey_HW]
