"""Colourisers side by side, and the gate before the champion's place."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.colour.baselines import Copied
from models.colour.colouriser import Coloured, Reference
from models.restorer import Card, Footage
from storage.errors import StorageError
from tasks.evaluation.colour.evaluation import WHOLE, evaluate_colour
from tasks.evaluation.colour.gate import ColourGateRules, colour_gate_rules, decide_colour
from tasks.evaluation.colour.page import write_colour_evaluation
from tasks.evaluation.colour.request import ColourEvaluationRequest, trials_of
from tasks.evaluation.colour.score import ColourScore, ColourTally
from tasks.evaluation.colour.set import ColourSet, known_colours
from tasks.evaluation.cost import Spent
from tasks.request import RequestError
from tests.corpora import make_clip, make_colour_clip, write_corpus

FRAMES = 24


class Grey:
    """Colours nothing."""

    device, reached_from = "cpu", 0.0
    card = Card("grey", "1")

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        for _ in range(footage.frame_count):
            yield Coloured(
                np.zeros((2, footage.height, footage.width), np.float32),
                np.zeros((footage.height, footage.width), np.float32),
            )


class StillOnly(Grey):
    """Grey, but for the still."""

    card = Card("still only", "1")

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        for frame, grey in enumerate(super().colour(footage, references)):
            yield replace(grey, ab_2HW=references[0].ab_2HW) if frame == references[0].frame else grey


class Short(Grey):
    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        yield from list(super().colour(footage, references))[1:]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    clips = [make_colour_clip(seed, FRAMES, 40, 48) for seed in range(4)]
    names = ("films/<a>.mkv", "films/b.mkv")
    return write_corpus(tmp_path_factory.mktemp("colour"), clips, 2, ("test",), names)


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        pytest.param(
            48, {"middle": (48, 24, 48), "far": (48, 47, 24), "sibling": (24, 47, 24)}, id="as they should be"
        ),
        pytest.param(12, {"middle": (12, 6, 12), "sibling": (6, 11, 6)}, id="too short to be far"),
        pytest.param(2, {"middle": (2, 1, 2), "sibling": (1, 1, 1)}, id="two frames"),
    ],
)
def test_tests_by_the_length_of_a_clip(frames: int, told: dict[str, tuple[int, int, int]]) -> None:
    tests = {test.name: test for test in trials_of(frames)}
    assert {name: (test.frames, test.still, test.scored) for name, test in tests.items()} == told
    assert all(test.told == (name != "sibling") for name, test in tests.items())


def test_a_clip_is_given_without_its_colour(corpus: str) -> None:
    material = ColourSet(ColourEvaluationRequest(corpus, clips=9))
    assert [clip.film for clip in material.clips].count("b.mkv") == len(material) / 2 == 2
    known = {each.test.name: each for each in known_colours(material.read(material.clips[0]))}
    assert all(planes_CHW.shape == (1, 40, 48) for planes_CHW in known["far"].footage)
    assert known["sibling"].still.frame is None
    assert known["middle"].still.frame == FRAMES // 2
    assert np.array_equal(known["far"].still.ab_2HW, known["far"].lab(FRAMES - 1)[1:])
    assert known["far"].flicker > 0


def test_slices_are_told_and_the_page_is_written(corpus: str, tmp_path: Path) -> None:
    counted: list[tuple[int, int]] = []
    compared = evaluate_colour(
        {"grey": Grey(), "copied": Copied()},
        ColourEvaluationRequest(corpus, clips=2),
        lambda done, total: counted.append((done, total)),
    )
    films = [f"film {film}, {test}" for film in ("<a>.mkv", "b.mkv") for test in ("middle", "far", "sibling")]
    assert compared.slices[:4] == (WHOLE, "middle", "far", "sibling")
    assert sorted(compared.slices[4:]) == sorted(films)
    grey, copied = compared.scores["grey"], compared.scores["copied"]
    assert (grey[WHOLE].clips, grey[WHOLE].frames, grey["far"].clips) == (6, 2 * (24 + 24 + 12), 2)
    assert grey[WHOLE].flicker == copied[WHOLE].flicker_truth - grey[WHOLE].flicker_truth == 0
    pooled = [grey[part].ciede2000 for part in ("middle", "far", "sibling")]
    assert min(pooled) < grey[WHOLE].ciede2000 < max(pooled)
    assert counted == [(0, 2), (1, 2), (2, 2)]
    assert min(score.seconds_per_frame for score in (*grey.values(), *copied.values())) > 0
    assert min(score.memory_bytes for score in (*grey.values(), *copied.values())) > 10**7
    write_colour_evaluation(compared, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "film &lt;a&gt;.mkv, far" in page
    assert "<a>.mkv" not in page
    told = json.loads((tmp_path / "evaluation.json").read_text())
    assert told["scores"]["grey"]["far"] == asdict(grey["far"])
    assert told["colourisers"][1] == asdict(compared.colourisers[1])
    files = [picture["file"] for shown in told["gallery"] for picture in shown["pictures"]]
    assert len(files) == 6 * 3
    assert "memory, MB" in page
    first, shown = ColourSet(compared.request), cv2.imread(str(tmp_path / files[0]))
    assert np.array_equal(shown[..., ::-1], first.read(first.clips[0])[FRAMES // 4].transpose(1, 2, 0))
    assert all((tmp_path / file).is_file() and file in page for file in files)


def test_a_still_given_back_counts_for_nothing(corpus: str) -> None:
    asked = ColourEvaluationRequest(corpus, clips=1)
    scores = evaluate_colour({"grey": Grey(), "still": StillOnly()}, asked, lambda done, total: None).scores
    assert scores["still"]["middle"].flicker > scores["grey"]["middle"].flicker
    assert scores["still"]["middle"].ciede2000 == scores["grey"]["middle"].ciede2000


def test_of_memory_the_most_is_told_and_of_time_the_mean() -> None:
    spent = Spent(frames=2, seconds=3.0, memory_bytes=5), Spent(frames=6, seconds=1.0, memory_bytes=4)
    told = sum((ColourTally(clips=1, spent=each) for each in spent), ColourTally()).told()
    assert (told.frames, told.seconds_per_frame, told.memory_bytes) == (8, 0.5, 5)


def test_what_cannot_be_compared(corpus: str, tmp_path: Path) -> None:
    grey = write_corpus(tmp_path, [make_clip(1)], splits=("test",))
    with pytest.raises(StorageError, match="is grey; `answerprint synthesize --colour` makes clips"):
        ColourSet(ColourEvaluationRequest(grey))
    with pytest.raises(StorageError, match="has no clips for val"):
        ColourSet(ColourEvaluationRequest(corpus, "val"))
    one = write_corpus(tmp_path / "one", [make_colour_clip(1, 1, 40, 48)], splits=("test",))
    with pytest.raises(StorageError, match="has clips of one frame"):
        ColourSet(ColourEvaluationRequest(one))
    with pytest.raises(ValueError, match="grey: 23 frames of 24"):
        evaluate_colour({"short": Short()}, ColourEvaluationRequest(corpus, clips=1))


def scores(**parts: tuple[float, float]) -> Mapping[str, ColourScore]:
    """CIEDE2000 and flicker by slice; films have a clip each."""
    names = {"whole": WHOLE, "film": "film a, far"}
    return {
        names.get(name, name): ColourScore(1 if name == "film" else 6, 60, ciede, 30.0, flicker, 1.0, 0.1, 9)
        for name, (ciede, flicker) in parts.items()
    }


STANDING = scores(whole=(2.0, 0.5), middle=(1.0, 0.4), far=(3.0, 0.6), film=(3.0, 0.6))


@pytest.mark.parametrize(
    ("challenger", "rules", "against"),
    [
        pytest.param({}, {}, "", id="better"),
        pytest.param({"whole": (1.99, 0.5)}, {}, "1.990 CIEDE2000 over all, x 2.000", id="hardly better"),
        pytest.param({"whole": (1.99, 0.5)}, {"gain": 0.01}, "", id="as much as is asked for"),
        pytest.param({"whole": (2.0, 0.5)}, {"gain": 0.0}, "over all", id="the same is not better"),
        pytest.param({"whole": (float("nan"), 0.5)}, {}, "over all", id="no number"),
        pytest.param({"far": (3.31, 0.6)}, {}, "far: 3.310 CIEDE2000, 3.000 before", id="a test is worse"),
        pytest.param({"film": (9.0, 0.6)}, {}, "", id="a film of one clip is worse"),
        pytest.param({"film": (9.0, 0.6)}, {"least_clips": 1}, "film a, far", id="which may count"),
        pytest.param({"whole": (1.5, 0.51)}, {}, "all: colour flickers by 0.510, 0.500", id="flickers"),
        pytest.param({"whole": (1.5, 0.51)}, {"flicker": 0.02}, "", id="flickers within the margin"),
    ],
)
def test_the_gate(challenger: dict[str, tuple[float, float]], rules: dict[str, float], against: str) -> None:
    better = {"whole": (1.5, 0.45), "middle": (1.0, 0.4), "far": (2.0, 0.5), "film": (3.0, 0.6)}
    given = replace(ColourGateRules(), **rules)  # type: ignore[arg-type]
    decision = decide_colour(scores(**{**better, **challenger}), STANDING, "x", given)
    assert decision.promote == (not against)
    assert against in decision.sentence()
    assert decision.standing == "x"


def test_margins_as_a_person_writes_them() -> None:
    assert colour_gate_rules(["gain=0.1", "least_clips=5"]) == ColourGateRules(gain=0.1, least_clips=5)
    with pytest.raises(RequestError, match="gate harm=1: no such margin; write one of gain, slice_worse"):
        colour_gate_rules(["harm=1"])
    with pytest.raises(RequestError, match="and not negative"):
        colour_gate_rules(["gain=-1"])
