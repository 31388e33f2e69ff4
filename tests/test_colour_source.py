"""What a coloured film is made of: whether it has colours of its own, and how its colour is coded."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from flows.colour_commands import _print_outcome
from storage.colour_delivery import COLOUR
from storage.coloured import coloured_video, why_unpaintable
from storage.master import Ffv1Writer
from storage.painting import read_painting
from storage.pixels import Picture, layout_of
from storage.reel import VideoFacts
from storage.vault import Vault
from tasks import recipe
from tasks.colouring import choice, steps
from tasks.colouring.choice import ChoiceJob, ChoosingWorker
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import CannotBePainted, restored_reel
from tasks.colouring.steps import NothingToColour, deliver_colour, in_colour_already, read_stills
from tasks.ingest import IngestedReel
from tasks.ledger import Ledger
from tasks.run import Run
from tests.film import Plan, make_film
from tests.painting import coloured, paint, quietly, restored
from tests.reels import decoded, facts

Code = NDArray[np.uint8]
_SHOT_FRAMES = 4


def write_film(path: Path, shots: Sequence[str], pix_fmt: str = "yuv420p", **facts: int) -> Path:
    """Shots of a few frames, each in colour, grey or dark. facts: numbers of H.273."""
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


def test_colour_painted_on_a_film_in_bt2020_looks_as_it_was_painted(tmp_path: Path) -> None:
    """Decoded by BT.2020's numbers, brought to BT.709's primaries (ITU-R BT.2087), held to the still."""
    source = write_film(tmp_path / "reel.mkv", ["grey"], "yuv420p10le", matrix=9, primaries=9, transfer=14)
    vault, reel = restored(tmp_path / "vault", source, [])
    still = read_painting(paint(tmp_path / "stills", vault, reel, 0).read_bytes(), "still")
    made = coloured(vault, reel, tmp_path / "stills")
    told = facts(made.data / COLOUR)
    assert (told["matrix"], told["primaries"], told["transfer"]) == (9, 9, 14)
    luma, blue, red = decoded(made.data / COLOUR)[0][1]
    y, cb, cr = (luma - 64.0) / 876, (blue - 512.0) / 896, (red - 512.0) / 896
    r, b = y + 1.4746 * cr, y + 1.8814 * cb
    coded = np.stack([r, (y - 0.2627 * r - 0.0593 * b) / 0.678, b])
    light = np.where(coded > 0.04045, ((np.maximum(coded, 0) + 0.055) / 1.055) ** 2.4, coded / 12.92)
    light = np.tensordot(TO_BT709, light, axes=1).clip(0, 1)
    shown = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, light * 12.92)
    for half, one, other in ((np.s_[:, :160], 0, 2), (np.s_[:, 160:], 2, 0)):
        wanted, found = (still[..., one] - still[..., other])[half], (shown[one] - shown[other])[half]
        assert abs(float(np.median(found / wanted)) - 1) < 0.05


TO_BT709 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]

TAGS = {  # matrix and primaries of the film, and of the coloured film; None where it is refused
    "BT.2020": ("yuv420p", 9, 9, (9, 9)),
    "its matrix alone": ("yuv420p", 9, 2, (9, 9)),
    "its primaries alone": ("yuv420p", 2, 9, (9, 9)),
    "its primaries on grey": ("gray", 2, 9, (9, 9)),
    "grey with those of a projector": ("gray", 2, 11, (6, 1)),
    "BT.601": ("yuv420p", 5, 6, (5, 6)),
    "untagged": ("yuv420p", 2, 2, (6, 1)),
    "RGB": ("gbrp", 0, 1, (1, 1)),
    "RGB with wide primaries": ("gbrp", 0, 9, None),
    "wide primaries under another matrix": ("yuv420p", 1, 9, None),
    "narrow primaries under BT.2020": ("yuv420p", 9, 1, None),
    "primaries of 1953": ("yuv420p", 6, 4, None),
    "SMPTE 240M": ("yuv420p", 7, 7, None),
    "YCgCo": ("yuv444p", 8, 1, None),
}


@pytest.mark.parametrize(("pix_fmt", "matrix", "primaries", "found"), TAGS.values(), ids=TAGS)
def test_colour_is_painted_by_what_the_film_is_tagged_with_or_not_at_all(
    pix_fmt: str, matrix: int, primaries: int, found: tuple[int, int] | None
) -> None:
    video = VideoFacts(
        "ffv1", pix_fmt, 320, 240, Fraction(18), Fraction(1), 0, "progressive", False, 1, matrix, primaries, 6
    )
    assert bool(why_unpaintable(video)) == (found is None)
    if found:
        made = coloured_video(video)
        assert (made.matrix, made.primaries) == found
        assert why_unpaintable(made) == ""


def test_a_film_of_another_matrix_is_refused_in_one_line(tmp_path: Path) -> None:
    source = write_film(tmp_path / "reel.mkv", ["grey"], matrix=7, primaries=7, transfer=7)
    vault, reel = restored(tmp_path / "vault", source, [])
    with pytest.raises(CannotBePainted, match=r"its matrix is number 7 .*; convert the film$"):
        restored_reel(vault, reel)


def test_the_restored_delivery_that_was_taken_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest of two, cut otherwise; another where it is asked for. Prefect's server is not started."""
    monkeypatch.setattr(steps, "publish_shots", lambda *_: None)
    shots = ("grey", "grey")
    vault, reel = in_vault(tmp_path, shots)
    first = restored_reel(vault, reel)
    paint(tmp_path / "stills", vault, reel, 1)
    run = Run(ColourRequest(vault.uri, str(tmp_path / "stills"), "copied"), Ledger())

    def printed() -> str:
        made = coloured(vault, reel, tmp_path / "stills")
        _print_outcome(deliver_colour.fn(run, reel, made.film, made.stills, list(made.outputs)))
        return capsys.readouterr().out

    assert f"  film    delivery {first.delivery}\n  colour  " in printed()
    restored(tmp_path / "vault", tmp_path / "reel.mkv", [])
    second = restored_reel(vault, reel)
    assert second.delivery != first.delivery
    told = "of 2: the newest, or what --delivery DIGEST names"
    assert f"  film    delivery {second.delivery}, {told}\n" in printed()
    _print_outcome(in_colour_already(reel, restored_reel(vault, reel, first.delivery)))
    assert f"  film    delivery {first.delivery}, {told}\n" in capsys.readouterr().out


def test_images_of_other_reels_are_counted_anew_and_make_no_other_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "publish_shots", lambda *_: None)
    vault, reel = in_vault(tmp_path, ("grey",))
    still = paint(tmp_path / "stills", vault, reel, 1)
    run = Run(ColourRequest(vault.uri, str(still.parent), "copied"), Ledger())
    told = []
    for name in ("first_1.png", "second_1.png"):
        (still.parent / name).write_bytes(still.read_bytes())
        made = coloured(vault, reel, still.parent)
        told.append(deliver_colour.fn(run, reel, made.film, made.stills, list(made.outputs)))
    assert [outcome.other_stills for outcome in told] == [1, 2]
    assert told[0].delivery == told[1].delivery


def test_frames_worth_painting_are_looked_for_anew_where_what_is_seen_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other facts of the film, or other code that reads it: neither finds what the vault remembers."""
    vault, reel = in_vault(tmp_path, ("grey",))
    job = ChoiceJob(vault.uri, reel.reel.reel_id, restored_reel(vault, reel).shots[0])

    def remembered() -> int:
        ChoosingWorker().run(job, quietly)
        return len(list(vault.path(f"{reel.key}/worth").iterdir()))

    assert (remembered(), remembered()) == (1, 1)
    video = replace(reel.reel.video, full_range=True, range_tag=2)
    other = replace(reel, reel=replace(reel.reel, video=video))
    with monkeypatch.context() as patch:
        patch.setattr(choice, "load", lambda *_: other)
        assert remembered() == 2
    read, seen = recipe.digest_of_code, []
    monkeypatch.setattr(recipe, "digest_of_code", lambda *paths: seen.extend(paths) or read(*paths))
    recipe.installation.cache_clear()
    assert remembered() == 2
    assert Path(choice.__file__).with_name("restored.py") in seen
