"""Stills that shots of one scene share: found by workers, put on record, and told where that fails."""

from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.survey import Progress
from storage.vault import Vault
from tasks.colouring.colour import ColouringWorker
from tasks.colouring.dispatch import Loan, find_loans, plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import RestoredReel, restored_reel
from tasks.colouring.stills import Still, take_stills
from tasks.ingest import IngestedReel
from tasks.pool import JobFailed
from tests.film import Plan, make_film
from tests.painting import HerePool, paint, quietly, restored

Scene = tuple[Vault, IngestedReel, RestoredReel]


class _CountingPool(HerePool):
    """Knows how many jobs it was given."""

    def __init__(self) -> None:
        super().__init__(ColouringWorker())
        self.given = 0

    def submit(self, job: Any, cost: float, deadline_s: float, progress: Progress = quietly) -> "Future[Any]":
        self.given += 1
        return super().submit(job, cost, deadline_s, progress)


class _FailingPool(HerePool):
    def submit(self, job: Any, cost: float, deadline_s: float, progress: Progress = quietly) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(JobFailed("given up after 3 tries"))
        return future


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Four shots: a set-up, another, the first again, one of its own."""
    root = tmp_path_factory.mktemp("scene")
    one, two, other = (make_film(seed, Plan(1, (8, 8), cameras=("static",))).frames for seed in (1, 2, 3))
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(root / "reel.mkv", video) as writer:
        for frame in [*one, *two, *one[::-1], *other]:
            writer.write(Picture((frame,), GREY8))
    vault, reel = restored(root / "vault", root / "reel.mkv", [8, 16, 24])
    return vault, reel, restored_reel(vault, reel)


@pytest.fixture
def asked(scene: Scene, tmp_path: Path) -> tuple[tuple[Still, ...], ColourRequest]:
    vault, reel, film = scene
    for frame in (2, 6, 10):
        paint(tmp_path / "stills", vault, reel, frame)
    stills = take_stills(vault, reel, film, str(tmp_path / "stills")).fit
    return stills, ColourRequest(vault.uri, str(tmp_path / "stills"), "copied")


def _frames(loans: dict[int, Loan]) -> dict[int, set[int]]:
    return {n: {lent.still.frame for lent in loan.stills} for n, loan in loans.items()}


def test_what_was_found_once_is_not_looked_for_again(
    scene: Scene, asked: tuple[tuple[Still, ...], ColourRequest]
) -> None:
    """Nor where a still is painted anew; where another frame is painted it is."""
    vault, reel, film = scene
    stills, request = asked
    for given, painted in ((2, stills), (0, stills), (0, [replace(stills[0], sha256="0"), *stills[1:]])):
        pool = _CountingPool()
        loans = find_loans(vault, reel, film, painted, request, pool, quietly)
        assert (pool.given, _frames(loans)) == (given, {2: {2, 6}, 3: set()})
    assert "0" in {lent.still.sha256 for lent in loans[2].stills}
    pool = _CountingPool()
    loans = find_loans(vault, reel, film, stills[1:], request, pool, quietly)
    assert (pool.given, _frames(loans)) == (2, {2: {6}, 3: set()})


def test_nothing_is_looked_for_where_nothing_is_shared_or_painted(
    scene: Scene, asked: tuple[tuple[Still, ...], ColourRequest]
) -> None:
    vault, reel, film = scene
    stills, request = asked
    pool = _CountingPool()
    assert find_loans(vault, reel, film, stills, replace(request, share=False), pool, quietly) == {}
    loans = find_loans(vault, reel, film, (), request, pool, quietly)
    assert (pool.given, _frames(loans)) == (0, {n: set() for n in range(4)})


def test_a_shot_whose_scene_could_not_be_found_out_is_left_grey_and_told(
    scene: Scene, asked: tuple[tuple[Still, ...], ColourRequest]
) -> None:
    vault, reel, film = scene
    stills, request = asked
    stills = stills[:2]  # of the first shot, and nothing on record for these two alone
    loans = find_loans(vault, reel, film, stills, request, _FailingPool(ColouringWorker()), quietly)
    planned = plan_colour(vault, reel, film, stills, loans, request)
    assert [job.origin for job, _ in planned] == ["stills", "none", "none", "none"]
    assert [output.failure for _, output in planned] == [None, *["given up after 3 tries"] * 3]
    pool = _CountingPool()
    assert find_loans(vault, reel, film, stills, request, pool, quietly) == loans
    assert pool.given == 0
    retried = find_loans(vault, reel, film, stills, replace(request, retry_failed=True), pool, quietly)
    assert (pool.given, _frames(retried)) == (3, {1: set(), 2: {2, 6}, 3: set()})
    assert find_loans(vault, reel, film, stills, request, pool, quietly) == retried
    assert pool.given == 3


@pytest.mark.parametrize(
    "damaged",
    [b'{"likeness": [0.9', b"\xff", b"[]", b'{"likeness": [0.9]}', b'{"likeness": ["a", "b", "c"]}', b"{}"],
)
def test_a_record_that_is_damaged_is_made_anew(
    damaged: bytes, scene: Scene, asked: tuple[tuple[Still, ...], ColourRequest]
) -> None:
    vault, reel, film = scene
    stills, request = asked
    found = find_loans(vault, reel, film, stills, request, _CountingPool(), quietly)
    records = [vault.path(key) for key in vault.files(f"{reel.key}/loans")]
    whole = {path: path.read_bytes() for path in records}
    for path in records:
        path.write_bytes(damaged)
    pool = _CountingPool()
    assert find_loans(vault, reel, film, stills, request, pool, quietly) == found
    assert pool.given == 2
    for path in records:
        path.write_bytes(whole[path])
