"""A mask from outside: a film of white on black, drawn by a person or seen by another channel of the scanner.

It has the reel's own size and as many frames as the reel, and is read by the reel's own reader: any film or
image sequence will do. Workers read it themselves, shot by shot; only its index travels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.restorer import Footage, GivenMask, luma
from storage.digest import digest_of
from storage.errors import SourceError, VaultError
from storage.filesystem import name_of
from storage.frames import read_frames
from storage.pixels import Picture, floats
from storage.reel import VideoFacts
from storage.survey import Progress, digest_source, survey
from storage.vault import Vault
from tasks.ingest import IngestedReel, load_from, store
from tasks.recipe import installation
from tasks.request import MaskUse

Mask = NDArray[np.bool_]

_HALF = 0.5
"""Of the peak code: drawn masks have two tones; the soft edges that a codec gives them are split evenly."""


@dataclass(frozen=True)
class MaskOrder:
    """Which mask a shot is to be restored with, and how; small, because it travels."""

    key: str
    """Where its index lies in the vault."""
    use: MaskUse
    """`add`: the restorer's own findings count too. `replace`: only the mask."""
    dark: bool
    """Damage is dark in it, as in an infra-red scan; else it is light."""


@dataclass(frozen=True)
class MaskFilm:
    """A mask whose every frame is known, and how it is to be used."""

    film: IngestedReel
    order: MaskOrder

    @property
    def facts(self) -> dict[str, Any]:
        """What tells it from any other, for a delivery's name and record."""
        return {"sha256": self.film.reel.sha256, "use": self.order.use, "dark": self.order.dark}

    def recipe(self, start: int, end: int) -> dict[str, Any]:
        """What of it can change a byte of the shot with frames [start, end): not what it shows elsewhere."""
        return {
            "pictures_md5": digest_of([row.md5 for row in self.film.rows[start:end]]),
            "layout": self.film.reel.video.layout.name,
            "use": self.order.use,
            "dark": self.order.dark,
        }

    def given(self, start: int, end: int) -> GivenMask:
        """The masks of frames [start, end), streamed."""

        def read() -> Iterator[Mask]:
            for picture in read_frames(self.film.reel, self.film.rows, start, end):
                light_HW = _light(picture)
                yield light_HW < _HALF if self.order.dark else light_HW >= _HALF

        return GivenMask(read, self.order.use)


@dataclass(frozen=True)
class Heeded:
    """How far the mask that was given for a shot was followed."""

    pixels: int = 0
    """Marked in it, over all frames."""
    left: int = 0
    """Of these, how many stay as the source has them: nothing beside or around them was whole."""
    worst_frame_share: float = 0.0
    """Largest share of a frame that is marked."""

    def with_frame(self, given_HW: Mask | None, repaired_HW: Mask) -> "Heeded":
        """One frame more; None where no mask was given."""
        if given_HW is None:
            return self
        return Heeded(
            self.pixels + int(given_HW.sum()),
            self.left + int((given_HW & ~repaired_HW).sum()),
            max(self.worst_frame_share, float(given_HW.mean())),
        )


def masks_of(footage: Footage) -> Iterator[Mask | None]:
    """The mask given for each frame of the footage; None for each where there is none."""
    return footage.given.read() if footage.given else repeat(None, footage.frame_count)


def take_mask(
    vault: Vault, reel: IngestedReel, source: str, use: MaskUse, dark: bool, progress: Progress
) -> MaskFilm:
    """Surveys the mask, or finds that the vault knows it by its content, and checks that it fits the reel.

    Raises SourceError: not a film, another size or number of frames than the reel, or damaged.
    """
    mask = known_mask(vault, reel, source, use, dark)
    if mask is None:
        found, rows = survey(source, None, progress)
        order = MaskOrder(_key(reel, found.sha256), use, dark)
        mask = MaskFilm(IngestedReel(replace(found, surveyed_by=_surveyed_by()), tuple(rows)), order)
        check_fit(source, found.frame_count, found.video, reel.reel.frame_count, reel.reel.video)
        _check_whole(source, mask.film)
        store(vault, order.key, mask.film)
    elif mask.film.reel.source != source:  # the same mask from another place
        moved = replace(mask.film.reel, source=source, name=name_of(source))
        mask = replace(mask, film=replace(mask.film, reel=moved))
        store(vault, mask.order.key, mask.film)
    return mask


def known_mask(vault: Vault, reel: IngestedReel, source: str, use: MaskUse, dark: bool) -> MaskFilm | None:
    """The mask as far as the vault knows it already; None where it must be surveyed. Raises SourceError."""
    digest, _ = digest_source(source)
    order = MaskOrder(_key(reel, digest), use, dark)
    try:
        film = load_from(vault, order.key)
    except VaultError:  # never seen, or a record that a survey mends
        return None
    return MaskFilm(film, order) if film.reel.surveyed_by == _surveyed_by() else None


def load_mask(vault: Vault, order: MaskOrder) -> MaskFilm:
    """The mask that an order names. Raises VaultError where the vault does not know it."""
    return MaskFilm(load_from(vault, order.key), order)


def check_fit(source: str, frames: int, video: VideoFacts, reel_frames: int, reel_video: VideoFacts) -> None:
    """Raises SourceError where a mask of so many such frames is none for such a reel."""
    size, wanted = (video.width, video.height), (reel_video.width, reel_video.height)
    if size != wanted:
        raise SourceError(
            f"{source}: is {size[0]}x{size[1]} and the reel is {wanted[0]}x{wanted[1]}; "
            "a mask has the size of its reel's frames: scale or crop it"
        )
    if frames != reel_frames:
        raise SourceError(
            f"{source}: has {frames} frames and the reel has {reel_frames}; "
            "a mask has one frame for each of its reel, black where nothing is damaged"
        )


def _check_whole(source: str, film: IngestedReel) -> None:
    """A neighbour's mask in place of a lost one would have sound picture replaced."""
    bad = [row.frame for row in film.rows if row.damage]
    if bad:
        what = "is missing or cannot be read whole"
        raise SourceError(f"{source}: frame {bad[0]} of the mask {what} ({len(bad)} in all); make it anew")


def _light(picture: Picture) -> NDArray[np.float32]:
    return luma(floats(picture), picture.layout.colour)


def _key(reel: IngestedReel, digest: str) -> str:
    return f"{reel.key}/masks/{digest[:16]}"


def _surveyed_by() -> str:
    return digest_of(installation("storage"))
