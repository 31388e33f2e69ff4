"""Which films and shots serve as clean footage, and the reason where they do not."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from storage.errors import SourceError
from storage.vault import Vault
from tasks.corpora.films import FilmFacts, Span, difference_hash, measure_film
from tasks.corpora.usable import Rejection, UsableFilm, usable_films
from tests.footage import Frames, pan, shots, smaller, write_compressed, write_film


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    vault = Vault(str(tmp_path_factory.mktemp("vault")))
    vault.prepare()
    return vault


def measured(vault: Vault, path: Path) -> FilmFacts:
    return measure_film(vault, str(path), lambda frames: None)


def judged(*films: FilmFacts, size: int = 64) -> tuple[list[UsableFilm], list[Rejection]]:
    return usable_films(films, size, 12)


def codes(rejections: list[Rejection]) -> list[str]:
    return [rejection.code for rejection in rejections]


def pulled_down() -> Frames:
    """Every fourth frame twice."""
    return [frame for n, frame in enumerate(pan(3, 24)) for _ in range(2 if n % 4 == 3 else 1)]


def black(frames: int) -> Frames:
    return [np.full((120, 160), 9, np.uint8)] * frames


def flickering(frames: int) -> Frames:
    return [np.full((120, 160), 9 + 40 * (n % 2), np.uint8) for n in range(frames)]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        pytest.param(pan(1, 30), [], id="usable"),
        pytest.param(pulled_down(), ["repeated"], id="repeats left out"),
        pytest.param(pan(1, 8), ["too_short"], id="too short"),
        pytest.param(pan(1, 1) * 30, ["frozen"], id="frozen"),
        pytest.param(black(30), ["frozen"], id="black"),
        pytest.param(flickering(30), ["flat"], id="flat"),
        pytest.param(pan(1, 30, 48, 64), ["too_small"], id="too small"),
    ],
)
def test_every_rejection_has_its_reason(
    frames: Frames, told: list[str], vault: Vault, tmp_path: Path
) -> None:
    films, rejections = judged(measured(vault, write_film(tmp_path / "film.mkv", frames)))
    assert codes(rejections) == told
    assert all(rejection.words and rejection.film for rejection in rejections)
    assert bool(films) == (told in ([], ["repeated"]))


def test_an_image_sequence_is_a_film(vault: Vault, tmp_path: Path) -> None:
    (folder := tmp_path / "scan").mkdir()
    for n, frame in enumerate(pan(2, 20)):
        cv2.imwrite(str(folder / f"scan.{n:04d}.png"), frame)
    (film,), _ = judged(measured(vault, folder))
    assert (film.name, film.scale, film.frames) == ("scan", 1, 20)


def test_shots_end_at_cuts_and_leave_out_repeats(vault: Vault, tmp_path: Path) -> None:
    two = measured(vault, write_film(tmp_path / "two.mkv", [*pan(5, 30), *pan(6, 24)]))
    (film,), _ = judged(two)
    assert [shot.frames for shot in film.shots] == [tuple(range(30)), tuple(range(30, 54))]
    slow = measured(vault, write_film(tmp_path / "slow.mkv", pulled_down()))
    (film,), (rejection,) = judged(slow)
    (shot,) = film.shots
    assert shot.frames == tuple(n for n in range(30) if n % 5 != 4)
    assert (rejection.start, rejection.end) == (0, 30)
    assert "6 of 30" in rejection.words


def test_compressed_film_is_shrunk_until_its_blocks_are_gone(vault: Vault, tmp_path: Path) -> None:
    frames = pan(7, 30, 288, 384)
    fine = measured(vault, write_compressed(tmp_path / "fine.mkv", frames, 20_000_000))
    poor = measured(vault, write_compressed(tmp_path / "poor.mkv", frames, 30_000))
    exact = measured(vault, write_film(tmp_path / "exact.mkv", frames))
    assert poor.blockiness[0] > 1200 > 1050 > exact.blockiness[0]
    for facts, scale in ((exact, "1"), (fine, "2/3")):
        (film,), _ = judged(facts)
        assert str(film.scale) == scale
    assert codes(judged(poor)[1]) == ["blocky"]
    assert codes(judged(fine, size=256)[1]) == ["too_small"]


def test_broken_frames_are_left_out_and_a_broken_film_is_refused(vault: Vault, tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mkv", pan(8, 60)).read_bytes()
    hurt = bytearray(whole)
    hurt[len(whole) // 2 : len(whole) // 2 + 200] = bytes(200)
    (tmp_path / "hurt.mkv").write_bytes(hurt)
    films, rejections = judged(measured(vault, tmp_path / "hurt.mkv"))
    assert codes(rejections) == ["corrupt"]
    lost = range(rejections[0].start or 0, rejections[0].end or 0)
    assert lost
    assert not {frame for film in films for shot in film.shots for frame in shot.frames} & set(lost)
    (tmp_path / "none.mkv").write_bytes(b"no film" * 100)
    with pytest.raises(SourceError, match="not a film"):
        measured(vault, tmp_path / "none.mkv")


def test_the_same_pictures_in_another_film_are_found(vault: Vault, tmp_path: Path) -> None:
    frames = shots(9, (40, 40), 3)
    original = measured(vault, write_film(tmp_path / "original.mkv", frames))
    copy = measured(vault, write_film(tmp_path / "copy.mkv", smaller(frames[5:], 96, 128)))
    trailer = measured(vault, write_film(tmp_path / "trailer.mkv", [*frames[40:64], *pan(10, 90)]))
    other = measured(vault, write_film(tmp_path / "other.mkv", pan(11, 40)))
    for order in ([original, copy, trailer, other], [other, trailer, copy, original]):
        films, rejections = judged(*order)
        assert [(r.code, r.film) for r in rejections] == [("duplicate", copy.sha256)]
        groups = {film.sha256: film.group for film in films}
        assert groups[trailer.sha256] == groups[original.sha256] != groups[other.sha256]


def test_a_hash_outlives_size_and_brightness() -> None:
    frame = pan(12, 1, 144, 192)[0]
    same = difference_hash((smaller([frame], 108, 144)[0] * 0.9).astype(np.uint8))
    distances = [
        (int(difference_hash(frame), 16) ^ int(other, 16)).bit_count()
        for other in (same, difference_hash(pan(13, 1, 144, 192)[0]))
    ]
    assert distances[0] <= 3
    assert distances[1] >= 11


def test_what_is_known_is_not_measured_again(vault: Vault, tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mkv", pan(14, 20))
    first = measured(vault, film)
    assert first.spans == (Span(0, 20, "shot", (), 0, first.spans[0].hashes),)
    before = {path: path.stat().st_mtime_ns for path in Path(vault.uri).rglob("*.json")}
    moved = film.rename(tmp_path / "moved.mkv")
    again = measured(vault, moved)
    assert (again.source, again.spans) == (str(moved), first.spans)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items() if path.name != "reel.json")
