"""Whether colour can be learnt from a corpus, told before hours go into walking through its clips."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from models.colour.propagate import PropagateSettings
from storage.corpus import Corpus
from storage.errors import StorageError
from tasks.evaluation.colour.set import coloured
from tasks.learning.request import TrainingRequest
from tasks.learning.windows import WindowConfig

_HALVED = 2
"""A clip whose still is of another shot loses half its frames."""


def check_walkable(request: TrainingRequest) -> None:
    """Raises StorageError where train or val has no clips, grey ones, or ones too short, too small or too
    large."""
    corpus, windows = Corpus.open(request.corpus), request.windows()
    for config in (windows, replace(windows, split="val")):
        rows = corpus.kept(config.split)
        if not rows:
            raise StorageError(f"{corpus.uri}: has no clips for {config.split}")
        coloured(corpus, rows)
        for row in rows:
            _check(corpus.uri, row, config)


def _check(uri: str, row: Mapping[str, Any], config: WindowConfig) -> None:
    height, width, name = row["height"], row["width"], row["clip"]
    least, most_px = config.frames * _HALVED, PropagateSettings().work_px
    if "/" in name or "\\" in name or name.startswith("."):
        raise StorageError(f"{uri}: {name!r} is not the name of a clip")
    if row["frames"] < least or min(height, width) < config.crop_px:
        raise StorageError(
            f"{uri}: clip {name} has {row['frames']} frames of {width}x{height}, too little for windows of "
            f"{config.frames} frames (of {least}) of {config.crop_px}x{config.crop_px}"
        )
    if max(height, width) > most_px:
        raise StorageError(
            f"{uri}: clip {name} is of {width}x{height}, and colour is carried on {most_px} px a side at "
            "most; make smaller clips"
        )
