"""Stills coloured by a model that the user brings: a guess, which is put on record as one."""

import hashlib
from pathlib import Path

import numpy as np

from models.colour.automatic import StillColouriser, StillModelError
from models.colour.brought import load_still_colouriser
from models.colour.lab import chroma_for, rgb_of_ycc
from models.colour.references import colours
from storage.coloured import shown_grey
from storage.filesystem import reading, write_atomically
from storage.painting import encoded_still
from storage.pixels import Picture
from storage.vault import Vault
from tasks.colouring.guesses import RECORD, Guess, guesses_beside, known_guess, put_on_record
from tasks.colouring.stills import still_ab
from tasks.ingest import IngestedReel
from tasks.request import RequestError


def named_model(name: str) -> StillColouriser:
    """The model that `--by` names, loaded and tried out. Raises RequestError."""
    try:
        return load_still_colouriser(name)
    except StillModelError as error:
        raise RequestError(f"--by {error}") from error


def colour_still(
    vault: Vault, reel: IngestedReel, frame: int, picture: Picture, path: Path, model: StillColouriser
) -> Guess:
    """Writes the frame as a still with the model's colours, its record first.

    The still has the grey one's luma, so that it is told from the film by nothing but colour. Raises
    StillModelError, also where hardly any colour is in it: it would be taken for one to be painted;
    VaultError, SourceError where the record beside it is broken.
    """
    grey_HW = shown_grey(picture, reel.reel.video)
    peak = np.iinfo(grey_HW.dtype).max
    luma_HW = grey_HW.astype(np.float32) / np.float32(peak)
    chroma_2HW = chroma_for(luma_HW, model.ab_of(luma_HW), "bt709")
    rgb_HW3 = np.moveaxis(np.clip(rgb_of_ycc(luma_HW, chroma_2HW, "bt709"), 0, 1), 0, -1)
    if colours(still_ab(rgb_HW3)) == "grey":
        raise StillModelError(f"{model.maker.name}: gave next to no colour")
    image = encoded_still(np.rint(rgb_HW3 * peak).astype(grey_HW.dtype))
    guess = Guess(path.name, frame, hashlib.sha256(image).hexdigest(), model.maker)
    put_on_record(vault, reel, record_of(path), guess)
    write_atomically(path, image)
    return guess


def record_of(path: Path) -> Path:
    """The file beside a still that tells of those of its reel that a model coloured."""
    return path.with_name(f"{path.stem.rpartition('_')[0]}{RECORD}")


def guess_at(vault: Vault, reel: IngestedReel, path: Path) -> Guess | None:
    """The guess that a still is, as a model left it; None for any other. Raises SourceError, VaultError."""
    with reading(path.name):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    record = record_of(path)
    return known_guess(vault, reel, sha256, guesses_beside([record]) if record.exists() else {})
