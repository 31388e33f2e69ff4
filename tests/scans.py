"""Folders of scanned dirt for the tests of templates."""

from pathlib import Path

import cv2
import numpy as np


def scan(kind: str = ".png", dark: bool = False) -> bytes:
    """A scan with one round spot."""
    grey = np.full((150, 200), 230, np.uint8)
    cv2.circle(grey, (100, 70), 12, 20, -1)
    return cv2.imencode(kind, 255 - grey if dark else grey)[1].tobytes()


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
