"""A shot's job: what it holds in memory, and what becomes of it where temporary files cannot be written."""

import json
import resource
import tempfile
import weakref
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.colour.catalogue import load_colouriser
from models.colour.colouriser import Reference
from models.colour.spill import Spill, SpillError
from models.weights import WEIGHTS, write_bundle
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.vault import Vault
from tasks.colouring import colour
from tasks.colouring.colour import ColouringWorker, ColourJob
from tasks.colouring.dispatch import plan_colour
from tasks.colouring.request import ColourRequest
from tasks.colouring.restored import restored_reel
from tasks.colouring.stills import take_stills
from tasks.ingest import load
from tasks.recipe import OtherInstallation
from tasks.restore import RECORD, UnusableWeights
from tests.film import Plan, make_film
from tests.networks import opinionated
from tests.painting import paint, quietly, restored


@pytest.mark.parametrize("size", [(64, 64), (1024, 1024)], ids=["less than a buffer", "more than one"])
def test_a_full_disk(size: tuple[int, int]) -> None:
    with pytest.raises(SpillError, match=f"^{tempfile.gettempdir()}: no room .* TMPDIR"):
        _filled(size)


def _filled(size: tuple[int, int]) -> None:
    """Writes one array, and another where there is no room left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Spill(size, np.uint8) as spill:
        spill.put(0, np.ones(size))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size[0] * size[1], limits[1]))
        try:
            spill.put(1, np.ones(size))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_place_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SpillError, match=f"^{tmp_path}/gone: .*No such file"):
        Spill((2, 3), np.uint8)


def _job(root: Path, *stills: int, colouriser: str = "propagate") -> tuple[Vault, ColourJob]:
    """A vault with a grey reel of one shot, and the shot's job with these frames painted."""
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(root / "reel.mkv", video) as writer:
        for frame in make_film(3, Plan(1, (8, 8), cut_ins=0, height=120, width=160)).frames:
            writer.write(Picture((frame,), GREY8))
    vault, reel = restored(root / "vault", root / "reel.mkv", [])
    for still in stills:
        paint(root / "stills", vault, reel, still)
    film = restored_reel(vault, reel)
    request = ColourRequest(vault.uri, str(root / "stills"), colouriser)
    taken = take_stills(vault, reel, film, request.stills)
    ((job, _),) = plan_colour(vault, reel, film, taken.fit, {}, request)
    return vault, job


def test_it_costs_a_try_of_the_shot_and_not_the_reel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault, job = _job(tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        with pytest.raises(SpillError, match=f"^{tmp_path}/gone: ") as caught:
            ColouringWorker().run(job, quietly)
    assert not getattr(caught.value, "final", False)  # the pool tries it again
    ColouringWorker().run(job, quietly)
    assert vault.exists(f"{job.key}/{RECORD}")


def test_a_shots_stills_are_not_held_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[Reference]] = []
    held: list[int] = []
    load = colour._reference

    def watched(*asked: Any) -> Reference:
        held.append(sum(reference() is not None for reference in seen))
        reference = load(*asked)
        seen.append(weakref.ref(reference))
        return reference

    monkeypatch.setattr(colour, "_reference", watched)
    _, job = _job(tmp_path, 1, 3, 5, 6)
    ColouringWorker().run(job, quietly)
    assert len(held) == 4
    assert max(held) <= 1


def test_a_network_colours_a_shot_that_is_named_by_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_bundle(tmp_path / "b", opinionated())
    vault, job = _job(tmp_path, 2, colouriser=str(tmp_path / "b"))
    ColouringWorker().run(job, quietly)
    record = json.loads(vault.read(f"{job.key}/{RECORD}"))
    assert record["colouriser"] == "redye"
    assert record["recipe"]["colouriser"]["weights_sha256"] == bundle.sha256
    assert str(tmp_path / "b") not in json.dumps(record)
    reel = load(vault, job.reel_id)
    card = load_colouriser(job.colouriser).card
    assert colour.colour_key(reel, job, card) == job.key
    monkeypatch.setattr(colour, "network_engines", lambda: {"torch": "0.1"})
    assert colour.colour_key(reel, job, card) != job.key
    assert ColourRequest(vault.uri, str(tmp_path / "stills"), str(tmp_path / "b")).title == (
        f"redye {bundle.sha256[:16]}"
    )


def test_weights_that_change_under_a_worker_do_not_lend_their_name(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", opinionated(1))
    vault, before = _job(tmp_path, 2, colouriser=str(tmp_path / "b"))
    worker = ColouringWorker()
    worker.run(before, quietly)
    bundle = write_bundle(tmp_path / "b", opinionated(2))
    reel = load(vault, before.reel_id)
    card = load_colouriser(str(tmp_path / "b")).card
    after = replace(before, key=colour.colour_key(reel, before, card))
    assert after.key != before.key
    with pytest.raises(OtherInstallation, match="other versions than the run"):
        worker.run(after, quietly)
    assert not vault.exists(f"{after.key}/{RECORD}")
    ColouringWorker().run(after, quietly)
    record = json.loads(vault.read(f"{after.key}/{RECORD}"))
    assert record["recipe"]["colouriser"]["weights_sha256"] == bundle.sha256


def test_a_record_names_the_weights_that_coloured(tmp_path: Path) -> None:
    used = write_bundle(tmp_path / "b", opinionated(1))
    vault, job = _job(tmp_path, 2, colouriser=str(tmp_path / "b"))

    def swapped(frames: int) -> None:
        if frames == 1:
            write_bundle(tmp_path / "b", opinionated(2))

    ColouringWorker().run(job, swapped)
    record = json.loads(vault.read(f"{job.key}/{RECORD}"))
    assert record["recipe"]["colouriser"]["weights_sha256"] == used.sha256


def test_weights_that_a_worker_cannot_load_cost_no_tries(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", opinionated())
    vault, job = _job(tmp_path, 2, colouriser=str(tmp_path / "b"))
    (tmp_path / "b" / WEIGHTS).write_bytes(b"0")
    with pytest.raises(UnusableWeights, match="sha256 begins") as caught:
        ColouringWorker().run(job, quietly)
    assert caught.value.final
    assert not vault.exists(f"{job.key}/{RECORD}")
