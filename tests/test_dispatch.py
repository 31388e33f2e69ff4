"""Which shots are worked on, and how: given up, tried again, reverted by the reviewer."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from models.catalogue import DEFAULT
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from storage.shotlist import ShotSpan
from storage.vault import Vault
from tasks.dispatch import plan_shots
from tasks.ingest import IngestedReel, ingest
from tasks.request import RequestError, RestoreRequest
from tasks.restore import RECORD
from tasks.review import stray_decisions
from tests.film import Plan, make_film

_SPANS = [ShotSpan(0, 6), ShotSpan(6, 12)]


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(tmp_path / "film.mkv", video) as writer:
        for frame in make_film(1, Plan(2, (6, 6))).frames:
            writer.write(Picture((frame,), GREY8))
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    return vault, ingest(vault, str(tmp_path / "film.mkv"), None, lambda done: None)


@pytest.mark.parametrize(
    ("gave_up", "done_since", "retry", "restorer"),
    [
        pytest.param(False, False, False, "classical", id="a new shot is restored"),
        pytest.param(True, False, False, "none", id="a shot once given up stays as the source has it"),
        pytest.param(True, False, True, "classical", id="unless it is to be tried again"),
        pytest.param(True, True, False, "classical", id="and what then went well is not forgotten"),
    ],
)
def test_a_shot_once_given_up(
    reel: tuple[Vault, IngestedReel], gave_up: bool, done_since: bool, retry: bool, restorer: str
) -> None:
    vault, ingested = reel
    request = RestoreRequest(vault.uri, restorer="classical", retry_failed=retry)
    (job, _), _ = plan_shots(vault, ingested, _SPANS, replace(request, retry_failed=True))
    if gave_up:
        vault.write(f"{job.key.replace('/shots/', '/failures/')}.json", b'{"reason": "its worker died"}')
    if done_since:
        vault.write(f"{job.key}/{RECORD}", b"{}")
    (planned, done), (other, _) = plan_shots(vault, ingested, _SPANS, request)
    assert planned.restorer == restorer
    assert done == done_since
    assert other.restorer == "classical"


def test_the_reviewers_decisions_are_honoured_and_none_is_dropped(reel: tuple[Vault, IngestedReel]) -> None:
    vault, ingested = reel
    reel_id = ingested.reel.reel_id
    decisions = [
        {"reel_id": reel_id, "start": 6, "end": 12, "decision": "revert"},
        {"reel_id": reel_id, "start": 3, "end": 9, "decision": "accept"},
        {"reel_id": "0" * 16, "start": 0, "end": 6, "decision": "revert"},
    ]
    vault.write("review.json", json.dumps(decisions).encode())
    planned = plan_shots(vault, ingested, _SPANS, RestoreRequest(vault.uri, restorer="classical"))
    assert [job.restorer for job, _ in planned] == ["classical", "none"]
    (stray,) = stray_decisions(vault, reel_id, _SPANS)
    assert (stray.start, stray.end, stray.reason) == (3, 9, "stray decision")


def test_a_request_resolves_what_may_change_its_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = RestoreRequest("vault")
    assert request.vault == str(tmp_path / "vault")
    assert request.restorer == DEFAULT
    with pytest.raises(RequestError, match="--vault"):
        RestoreRequest(" ")
