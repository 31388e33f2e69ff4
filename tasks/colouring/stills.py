"""Painted stills: found by their names, held against the film, and kept in the vault.

A still is named `<reel>_<frame>.png` or lies in a folder `<reel>/` as `<frame>.png`; `<reel>` is the reel's
identifier or its file's name without suffix, `<frame>` a frame's number in the reel, from 0.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from models.colour.automatic import Maker
from models.colour.lab import lab_of_rgb
from models.colour.references import colours, fit
from models.names import plain_name
from models.restorer import luma
from storage.errors import SourceError
from storage.filesystem import reading
from storage.painting import SUFFIXES, read_painting, read_still
from storage.reel import Reel
from storage.vault import Vault
from tasks.colouring.guesses import RECORD, Guess, guesses_beside, guesses_of_others, known_guess
from tasks.colouring.restored import RestoredReel, lightness
from tasks.ingest import IngestedReel

Float = NDArray[np.float32]

# What a program that saves a grey picture anew may make its red, green and blue differ by.
_ROUNDED = 1.5 / 255
_NUMBERED = re.compile(r"(?:(?P<reel>.+)_)?(?P<frame>[0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Still:
    """A painted still that fits its frame; small, because it travels."""

    frame: int
    """Of the reel."""
    name: str
    """As the person called it."""
    sha256: str
    key: str
    """Where its copy lies in the vault."""
    notes: tuple[str, ...] = ()
    """What is to be looked at, though it fits."""
    guessed_by: Maker | None = None
    """The model that coloured it, where no person did, nor changed it since."""


@dataclass(frozen=True)
class ReelStills:
    """What a directory holds for a reel."""

    fit: tuple[Still, ...]
    """By frame."""
    refused: tuple[str, ...] = ()
    """One line for each that was not taken: what, where, what to do."""
    unpainted: tuple[str, ...] = ()
    """Images that have no colour yet."""
    others: int = 0
    """Images named for other reels."""
    unnamed: tuple[str, ...] = ()
    """Images whose names tell no reel and frame."""


@dataclass(frozen=True)
class _Found:
    """The images of a directory by what their names tell."""

    ours: dict[int, list[Path]]
    """By the reel's frame."""
    records: list[Path]
    """What models coloured for the reel."""
    records_of_others: list[Path]
    """The same for what has other names: this reel, where it was called otherwise, may be among them."""
    others: int
    unnamed: tuple[str, ...]


@dataclass(frozen=True)
class _Painting:
    """An image file that was read."""

    name: str
    suffix: str
    data: bytes
    rgb_HW3: Float
    sha256: str
    guessed_by: Maker | None
    tinted: bool
    """One hue all over."""


def take_stills(vault: Vault, reel: IngestedReel, restored: RestoredReel, folder: str) -> ReelStills:
    """The stills in the folder that fit the reel, copied into the vault. What does not fit costs no other.

    Raises SourceError where the folder cannot be read, VaultError.
    """
    found = _find(Path(folder), reel.reel)
    guesses = guesses_of_others(found.records_of_others) | guesses_beside(found.records)
    fit: list[Still] = []
    refused: list[str] = []
    unpainted: list[str] = []
    for frame, paths in sorted(found.ours.items()):
        paintings = []
        for path in paths:
            try:
                painting = _painting(vault, reel, path, frame, guesses)
            except SourceError as error:
                refused.append(str(error))
                continue
            if painting is None:
                unpainted.append(plain_name(path.name))
            else:
                paintings.append(painting)
        # Where a person painted the frame too, nobody asks for a guess.
        paintings = [each for each in paintings if each.guessed_by is None] or paintings
        try:
            if len(paintings) > 1:
                named = " and ".join(painting.name for painting in paintings)
                raise SourceError(f"{named}: frame {frame} has more than one still; keep one of them")
            fit += [_taken(vault, reel, restored, frame, painting) for painting in paintings]
        except SourceError as error:
            refused.append(str(error))
    return ReelStills(tuple(fit), tuple(refused), tuple(unpainted), found.others, found.unnamed)


def load_still(vault: Vault, still: Still) -> Float:
    """rgb_HW3 in [0, 1] of a still that was taken. Raises VaultError, SourceError."""
    data = vault.read(still.key)
    if hashlib.sha256(data).hexdigest() != still.sha256:
        raise SourceError(f"{vault.url(still.key)}: is not the still that was taken; delete it, run again")
    return read_painting(data, still.name)


def still_ab(rgb_HW3: Float) -> Float:
    """ab_2HW of a painting; painting programs work in sRGB."""
    return lab_of_rgb(np.ascontiguousarray(np.moveaxis(rgb_HW3, -1, 0)))[1:]


def guessers(stills: Iterable[Still]) -> tuple[str, ...]:
    """The models that coloured any of the stills, each once, as records call them."""
    return tuple(sorted({still.guessed_by.title() for still in stills if still.guessed_by}))


def still_name(reel: Reel, frame: int, stem: str = "") -> str:
    """What the still of a frame is called. stem: what the reel is called; its file's name if left out."""
    return f"{stem or plain_stem(reel.name)}_{frame:06d}.png"


def plain_stem(name: str) -> str:
    """A film's name without suffix, as its stills are named by it."""
    return PurePosixPath(plain_name(name)).stem


def _find(folder: Path, reel: Reel) -> _Found:
    found: dict[int, list[Path]] = defaultdict(list)
    unnamed: list[str] = []
    others = 0
    name = plain_name(reel.name)
    ours = {reel.reel_id, plain_stem(name), name}
    with reading(str(folder)):
        files = [path for path in folder.rglob("*") if path.is_file()]
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    records = sorted(path for path in files if plain_name(path.name).endswith(RECORD))
    own = [path for path in records if plain_name(path.name).removesuffix(RECORD) in ours]
    of_others = [path for path in records if path not in own]
    for path in sorted(images):
        name = plain_name(path.name)
        match = _NUMBERED.fullmatch(plain_stem(name))
        if match is None or (match["reel"] is None and path.parent == folder):
            unnamed.append(name)
        elif (match["reel"] or plain_name(path.parent.name)) not in ours:
            others += 1
        else:
            found[int(match["frame"])].append(path)
    return _Found(found, own, of_others, others, tuple(unnamed))


def shows(path: Path, reel: Reel, frame_HW: Float) -> bool:
    """Whether an image, painted or not, shows the frame, in place or moved. Raises SourceError."""
    return fit(luma(np.moveaxis(_read(path, reel), -1, 0), "rgb"), frame_HW).verdict != "other"


def unpainted(path: Path, reel: Reel) -> bool:
    """Whether every pixel of a still of the reel is grey: the first stroke is a person's. Raises
    SourceError."""
    return float(np.ptp(_read(path, reel), axis=2).max()) <= _ROUNDED


def _read(path: Path, reel: Reel) -> Float:
    """rgb_HW3 in [0, 1] of an image of the reel's size. Raises SourceError."""
    name, video = plain_name(path.name), reel.video
    return read_painting(read_still(path, name, video.width, video.height), name)


def _painting(
    vault: Vault, reel: IngestedReel, path: Path, frame: int, guesses: Mapping[str, Guess]
) -> _Painting | None:
    """What was painted on the frame; None if nothing was yet. Raises SourceError, VaultError."""
    name, video = plain_name(path.name), reel.reel.video
    if frame >= reel.reel.frame_count:
        last = reel.reel.frame_count - 1
        raise SourceError(f"{name}: the reel has no frame {frame}, its last is {last}; rename it")
    data = read_still(path, name, video.width, video.height)
    rgb_HW3 = read_painting(data, name)
    found = colours(still_ab(rgb_HW3))
    if found == "grey":
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    guess = known_guess(vault, reel, sha256, guesses)
    maker = guess.maker if guess else None
    return _Painting(name, path.suffix.lower(), data, rgb_HW3, sha256, maker, found == "tinted")


def _taken(
    vault: Vault, reel: IngestedReel, restored: RestoredReel, frame: int, painting: _Painting
) -> Still:
    picture = restored.shot_of(frame).picture(vault, reel.reel, frame)
    notes = _fitting(painting, frame, lightness(picture, reel.reel))
    key = f"{reel.key}/stills/{painting.sha256[:16]}{painting.suffix}"
    if not vault.exists(key):
        vault.write(key, painting.data)
    return Still(frame, painting.name, painting.sha256, key, notes, painting.guessed_by)


def _fitting(painting: _Painting, frame: int, frame_HW: Float) -> tuple[str, ...]:
    """What a person should know of a still that fits its frame. Raises SourceError for one that does not."""
    name = painting.name
    found = fit(luma(np.moveaxis(painting.rgb_HW3, -1, 0), "rgb"), frame_HW)
    if found.verdict == "other":
        raise SourceError(
            f"{name}: does not show frame {frame} (likeness {found.likeness:.2f} of 1); is it another frame, "
            "or of another film?"
        )
    if found.likeness < 0:
        raise SourceError(f"{name}: is a negative of frame {frame}; paint on the positive")
    if found.verdict == "shifted":
        right, down = round(found.right_px), round(found.down_px)
        raise SourceError(
            f"{name}: lies {right} px right and {down} px down of frame {frame}; is it the frame beside it? "
            "if not, move it back"
        )
    notes = []
    if found.verdict == "toned":
        notes.append(f"its tone is {found.tone:.0%} off that of frame {frame}; its colours may look other")
    if painting.tinted:
        notes.append("one tint all over: is it painted?")
    return tuple(notes)
