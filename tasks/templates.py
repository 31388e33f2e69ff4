"""A folder of someone's own scanned dirt, for recipes with templates.

Scans lie in the folder or, told apart by kind, in subfolders: those that RTN numbers, `001` (lines that walk
through a shot) to `012`, have its treatment each. Which licence they have is the user's to know; nothing of
them is stored but their digest.

Shape suffixes: H rows, W columns.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from degradation.sheets import ScannedSheets, Sheet
from storage.errors import SourceError
from storage.pixels import Unpacker, luma8
from storage.still import decode_image

_JPEG = (".jpg", ".jpeg")
_SCANS = (".png", ".tif", ".tiff", *_JPEG)
_WORDS = ("", ".txt", ".md")  # a licence, a note: no scan and no mistake
_LEAST_SIDE_PX = 100  # the borders where no marks are sought take 80


def read_templates(folder: Path) -> ScannedSheets:
    """All scans of the folder, in the order of their names, as dark marks on white.

    They stay in memory, a byte a pixel.
    Raises SourceError where there is none, or where a file is no scan that can be read.
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: no folder of templates; give one with PNG, TIFF or JPEG scans in it")
    paths = sorted(
        (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    total = hashlib.sha256()
    sheets = []
    for path in paths:
        suffix = path.suffix.lower()
        if suffix in _WORDS:
            continue
        if suffix not in _SCANS:
            raise SourceError(f"{path}: no scan; move it away, or write it as PNG, TIFF or JPEG")
        data = path.read_bytes()
        total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
        total.update(data)
        kind = path.parent.name if path.parent != folder else ""
        sheets.append(Sheet.of(kind, _on_white(_grey(path, data))))
    if not sheets:
        raise SourceError(f"{folder}: no templates; put PNG, TIFF or JPEG scans of dirt into it")
    return ScannedSheets(total.hexdigest(), tuple(sheets))


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
        raise SourceError(f"{path}: {error}; repair it or move it away") from error
    if min(grey_HW.shape) < _LEAST_SIDE_PX:
        raise SourceError(f"{path}: a scan needs {_LEAST_SIDE_PX} pixels a side, not {min(grey_HW.shape)}")
    return np.asarray(grey_HW, np.uint8)


def _on_white(grey_HW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inverted where most of it is dark; its ground, the median, made white: film without marks is clear."""
    if np.median(grey_HW) < 128:
        grey_HW = 255 - grey_HW
    ground = int(np.median(grey_HW))
    return np.minimum(np.arange(256) * 255 // ground, 255).astype(np.uint8)[grey_HW]
