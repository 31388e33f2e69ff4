"""The demonstration: a clean film made old by a seed, for the restorer to make good again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from degradation.generator import age
from degradation.recipes import RECIPES, worn
from models.metrics import compare, psnr, squared_error
from storage.delivery import MASTER, read_delivery
from storage.frames import read_frames
from storage.master import Ffv1Writer
from storage.pixels import Picture, floats, layout_of, merge
from storage.survey import survey
from tasks.deliver import PAYLOAD

Damage = Literal["light", "medium", "heavy"]
_BUNDLED = "city_cc0.mp4"
_GREY = layout_of("gray")
_MASK_SLACK_PX = 2
"""A repair may reach this far beyond the damage: its edge is feathered."""


@dataclass(frozen=True)
class Aged:
    """A film that was made old, and what is known of it."""

    film: Path
    damage: Path
    """Where it was damaged: 255, else 0."""
    clean: Path
    """The same film with its weave, flicker and grain, and without the damage: the truth to compare with."""
    vault: Path
    frames: int


def age_for_demo(film: str | None, output: str, damage: Damage, seed: int) -> Aged:
    """Ages a film's lightness, shot after shot as one, and keeps the truth beside it.

    film: the bundled clip if None. Raises SourceError where it cannot be read.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("tasks") / "assets" / _BUNDLED) as bundled:
        reel, rows = survey(film or str(bundled))
        aged = Aged(
            folder / "aged.mkv",
            folder / "damage.mkv",
            folder / "truth.mkv",
            folder / "vault",
            reel.frame_count,
        )
        video = replace(reel.video, pix_fmt="gray", full_range=True, range_tag=2, matrix=2)
        recipe = worn(RECIPES[damage])

        def luma() -> Iterator[NDArray[np.float32]]:
            for picture in read_frames(reel, rows, 0, reel.frame_count):
                yield _luma(picture)

        with (
            Ffv1Writer(aged.film, video) as film_out,
            Ffv1Writer(aged.damage, video) as damage_out,
            Ffv1Writer(aged.clean, video) as clean_out,
        ):
            for frame in age(luma(), recipe, seed):
                film_out.write(_grey(frame.damaged_CHW))
                clean_out.write(_grey(frame.undamaged_CHW))
                damage_out.write(Picture((frame.mask_HW.astype(np.uint8) * 255,), _GREY))
    return aged


def measure(aged: Aged, delivery: str) -> str:
    """How close the restored film came to the truth, in one line."""
    (clean_reel, clean_rows), (damage_reel, damage_rows) = survey(str(aged.clean)), survey(str(aged.damage))
    truths = read_frames(clean_reel, clean_rows, 0, aged.frames)
    damages = read_frames(damage_reel, damage_rows, 0, aged.frames)
    found, before, after, count = None, 0.0, 0.0, 0
    for delivered, truth, damage in zip(read_delivery(Path(delivery, PAYLOAD)), truths, damages, strict=True):
        true_HW = damage.planes[0] > 0
        detection = compare(delivered.mask_HW > 0, true_HW, _MASK_SLACK_PX)
        found = detection if found is None else found + detection
        error, pixels = squared_error(floats(delivered.source), floats(truth), true_HW)
        left, _ = squared_error(floats(delivered.master), floats(truth), true_HW)
        before, after, count = before + error, after + left, count + pixels
    if found is None or not count:
        return f"{MASTER}: nothing was damaged"
    return (
        f"Inside the damage: {psnr(before, count):.1f} dB before, {psnr(after, count):.1f} dB after. "
        f"Of the damage {found.recall:.0%} was found; {found.precision:.0%} of what was changed was damage."
    )


def _luma(picture: Picture) -> NDArray[np.float32]:
    planes_CHW = floats(picture)
    if picture.layout.colour == "rgb":
        return np.tensordot(np.array([[0.2126, 0.7152, 0.0722]], np.float32), planes_CHW, axes=1)
    return planes_CHW[:1]


def _grey(planes_CHW: NDArray[np.float32]) -> Picture:
    blank = Picture((np.zeros(planes_CHW.shape[1:], np.uint8),), _GREY)
    return merge(blank, planes_CHW, np.ones(planes_CHW.shape[1:], bool))
