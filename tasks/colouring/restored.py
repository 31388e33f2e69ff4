"""The restored film that is coloured, shot by shot: what a delivery was joined of."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.colour.presence import has_colour
from models.restorer import Footage
from storage import delivery as names
from storage.coloured import coloured_video, luma_codes, luma_signal, own_chroma, why_unpaintable
from storage.delivery import picture_at, read_pictures
from storage.errors import StorageError, VaultError
from storage.pixels import Picture
from storage.reel import Reel
from storage.survey import Progress
from storage.timeline import ShotSpan, read_cut_list
from storage.vault import Vault
from tasks.deliver import PAYLOAD
from tasks.ingest import IngestedReel
from tasks.outcome import delivery_keys
from tasks.shots import timeline_reel

Float = NDArray[np.float32]

_LOOKED_AT = 7
"""Frames of a shot that are asked whether they have colour."""
_LIT = 0.15
"""Of 1; of a dark frame 99 of 100 pixels are under it. Of twelve films the darkest frame has 0.33 there."""


class NotRestored(StorageError):
    """There is no restored film of the reel to be coloured."""


class CannotBePainted(StorageError):
    """The film's own tags are of a kind that no colour can be painted for."""


@dataclass(frozen=True)
class RestoredShot:
    """One shot as it was restored."""

    span: ShotSpan
    key: str
    """Where its output lies in the vault."""
    in_colour: bool = False
    """Whether the film has colour of its own here."""
    is_dark: bool = False
    """Whether nothing is lit here, as in leader, so that nothing can tell whether it has colour."""

    def pictures(self, vault: Vault) -> Iterator[Picture]:
        """All of them, in order. Raises VaultError."""
        return (picture for _, picture in read_pictures(self._film(vault)))

    def picture(self, vault: Vault, reel: Reel, frame: int) -> Picture:
        """One of them. frame: its number in the reel. Raises VaultError."""
        return picture_at(self._film(vault), frame - self.span.start, reel.video.rate)

    def _film(self, vault: Vault) -> Path:
        return vault.path(f"{self.key}/restored.mkv")


@dataclass(frozen=True)
class RestoredReel:
    """A delivery of a reel, as far as colouring needs it."""

    delivery: str
    """Its name, 16 hex digits."""
    shots: tuple[RestoredShot, ...]
    choices: int = 1
    """Restored deliveries of the reel in the vault, this one with them."""

    @property
    def in_colour(self) -> bool:
        """Whether the film has colour of its own wherever there is light."""
        return self.partly_in_colour and all(shot.in_colour or shot.is_dark for shot in self.shots)

    @property
    def partly_in_colour(self) -> bool:
        """Whether any shot has colour of its own."""
        return any(shot.in_colour for shot in self.shots)

    def shot_of(self, frame: int) -> RestoredShot:
        """The shot with this frame of the reel."""
        return next(shot for shot in self.shots if shot.span.start <= frame < shot.span.end)


def restored_reel(vault: Vault, reel: IngestedReel, asked: str | None = None) -> RestoredReel:
    """The delivery asked for, or the newest.

    Raises NotRestored, CannotBePainted, VaultError where its records are broken.
    """
    found = {key.rpartition("/")[2]: key for key in delivery_keys(vault, reel, in_colour=False)}
    if asked and asked not in found:
        known = ", ".join(found) or "none"
        raise NotRestored(f"{reel.reel.source}: has no delivery {asked} in this vault (it has {known})")
    if not found:
        raise NotRestored(
            f"{reel.reel.source}: not restored yet, and the restored film is what is coloured; run "
            f"`answerprint restore {reel.reel.source} --vault {vault.uri}` first"
        )
    name = asked or max(found, key=lambda each: (_made_at(vault, found[each]), each))
    folder = f"{reel.key}/deliver/{name}/{PAYLOAD}"
    spans = read_cut_list(vault.path(f"{folder}/shots.csv"), timeline_reel(reel.reel))
    try:
        outputs = [shot["output"] for shot in json.loads(vault.read(f"{folder}/{names.SUMMARY}"))["shots"]]
        shots = tuple(
            RestoredShot(span, f"{reel.key}/shots/{output}")
            for span, output in zip(spans, outputs, strict=True)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"{vault.url(folder)}/{names.SUMMARY}: broken ({error!r})") from error
    seen = []
    for shot in shots:
        if not vault.exists(f"{shot.key}/shot.json"):
            frames = f"frames {shot.span.start}-{shot.span.end - 1} of the restored film"
            raise NotRestored(f"{reel.reel.source}: {frames} are no longer in the vault; run restore again")
        seen.append(_looked_at(vault, reel, shot))
    film = RestoredReel(name, tuple(seen), len(found))
    why = why_unpaintable(reel.reel.video)
    if why and not film.in_colour:
        raise CannotBePainted(f"{reel.reel.source}: {why}")
    return film


def lightness(picture: Picture, reel: Reel) -> Float:
    """luma_HW in [0, 1], by the film's own range: what colourisers see of a restored picture."""
    return np.clip(luma_signal(luma_codes(picture), coloured_video(reel.video)), 0, 1)


def footage_of(
    vault: Vault, reel: IngestedReel, shot: RestoredShot, progress: Progress = lambda done: None
) -> Footage:
    """The shot as colourisers see it: grey, its lightness. progress: told of frames as they are read."""

    def read() -> Iterator[NDArray[np.float32]]:
        for number, picture in enumerate(shot.pictures(vault), 1):
            yield lightness(picture, reel.reel)[None]
            progress(number)

    video, span = reel.reel.video, shot.span
    return Footage(read, span.end - span.start, video.height, video.width, "grey")


def _made_at(vault: Vault, key: str) -> str:
    try:
        events = json.loads(vault.read(f"{key}/{PAYLOAD}/{names.EVENTS}"))["events"]
        return max(str(event["eventDateTime"]) for event in events)
    except (ValueError, KeyError, TypeError) as error:
        raise VaultError(f"{vault.url(key)}/{PAYLOAD}/{names.EVENTS}: broken ({error!r})") from error


def _looked_at(vault: Vault, reel: IngestedReel, shot: RestoredShot) -> RestoredShot:
    """The shot with what a few of its frames tell of its colour."""
    if reel.reel.video.layout.colour == "grey":
        return shot
    is_dark = True
    places = np.linspace(shot.span.start, shot.span.end - 1, _LOOKED_AT + 2)[1:-1]
    for frame in sorted({round(place) for place in places}):
        picture = shot.picture(vault, reel.reel, frame)
        luma_HW = lightness(picture, reel.reel)
        if np.percentile(luma_HW, 99) < _LIT:
            continue
        if has_colour(own_chroma(picture, reel.reel.video.full_range), luma_HW):
            return replace(shot, in_colour=True)
        is_dark = False
    return replace(shot, is_dark=is_dark)
