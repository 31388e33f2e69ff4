"""What a coloured film is made of: whether it has colours of its own, and how its colour is coded."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.master import Ffv1Writer
from storage.pixels import Picture, layout_of
from storage.reel import VideoFacts
from storage.vault import Vault
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import restored_reel
from tasks.colouring.steps import NothingToColour, in_colour_already, read_stills
from tasks.ingest import IngestedReel
from tasks.ledger import Ledger
from tasks.run import Run
from tests.film import Plan, make_film
from tests.painting import paint, restored

Code = NDArray[np.uint8]
_SHOT_FRAMES = 4


def write_film(path: Path, shots: Sequence[str], pix_fmt: str = "yuv420p", **facts: int) -> Path:
    """Shots of a few frames, each in colour, grey or dark. facts: numbers of H.273 for `VideoFacts`."""
    numbers = {"range_tag": 1, "matrix": 6, "primaries": 6, "transfer": 6, **facts}
    video = VideoFacts(
        "ffv1", pix_fmt, 320, 240, Fraction(18), Fraction(1), 0, "progressive", False, **numbers
    )
    layout = layout_of(pix_fmt)
    cast = np.full((120, 160), 128, np.uint8)
    bright = cast.copy()
    bright[:, :80], bright[:60] = 100, 160
    with Ffv1Writer(path, video) as writer:
        for n, kind in enumerate(shots):
            for frame in make_film(n, Plan(1, (_SHOT_FRAMES, _SHOT_FRAMES), height=240, width=320)).frames:
                luma = np.full_like(frame, 17) if kind == "dark" else frame // 2 + 16
                chroma = bright if kind == "colour" else cast
                up = layout.depth - 8
                planes = [plane.astype(layout.dtype) << up for plane in (luma, chroma, chroma[::-1])]
                writer.write(Picture(tuple(planes[: layout.planes]), layout))
    return path


def in_vault(root: Path, shots: Sequence[str]) -> tuple[Vault, IngestedReel]:
    cuts = [_SHOT_FRAMES * n for n in range(1, len(shots))]
    return restored(root / "vault", write_film(root / "reel.mkv", shots), cuts)


FILMS = {
    "colour after leader": (("dark", "colour"), True, (2,)),
    "a title in black and white": (("grey", "colour", "colour"), False, (2, 3)),
    "no colour": (("dark", "grey"), False, ()),
    "dark all through": (("dark", "dark"), False, ()),
}


@pytest.mark.parametrize(("shots", "whole", "own"), FILMS.values(), ids=FILMS)
def test_a_film_has_colour_of_its_own_wherever_there_is_light(
    shots: tuple[str, ...], whole: bool, own: tuple[int, ...], tmp_path: Path
) -> None:
    film = restored_reel(*in_vault(tmp_path, shots))
    assert film.in_colour == whole
    assert film.partly_in_colour == bool(own)
    assert tuple(n for n, shot in enumerate(film.shots, 1) if shot.in_colour) == own
    assert [shot.is_dark for shot in film.shots] == [kind == "dark" for kind in shots]


def test_a_film_with_a_grey_title_needs_no_still_and_one_without_colour_does(tmp_path: Path) -> None:
    for name, shots in (("mixed", ("grey", "colour")), ("grey", ("grey", "grey"))):
        (tmp_path / name).mkdir()
        vault, reel = in_vault(tmp_path / name, shots)
        film = restored_reel(vault, reel)
        stills = tmp_path / name / "stills"
        stills.mkdir()
        run = Run(ColourRequest(vault.uri, str(stills), "copied"), Ledger())
        if name == "grey":
            with pytest.raises(NothingToColour, match="no still of it"):
                read_stills.fn(run, reel, film)
            continue
        assert read_stills.fn(run, reel, film).fit == ()
        outcome = in_colour_already(reel, film)
        assert (outcome.status, outcome.own_colour_shots, outcome.grey_shots) == (
            "in colour already",
            (2,),
            (1,),
        )
        paint(stills, vault, reel, 1)
        assert [still.frame for still in read_stills.fn(run, reel, film).fit] == [1]
        (stills / "reel_000001.png").rename(stills / "reel_99.png")
        with pytest.raises(NothingToColour, match="has no frame 99"):
            read_stills.fn(run, reel, film)
