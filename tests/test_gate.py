"""The gate: better as a whole, nowhere worse beyond what is stated."""

from dataclasses import fields, replace
from typing import Any

import pytest

from tasks.evaluation.gate import GateRules, decide, gate_rules
from tasks.evaluation.score import SliceScore
from tasks.request import RequestError

EMPTY: dict[str, Any] = {field.name: None for field in fields(SliceScore)}
NONE = SliceScore(**EMPTY | {"clips": 9, "frames": 90})
DAMAGED = replace(NONE, psnr_inside_before=14.0)
STANDING = {
    "light": replace(DAMAGED, psnr_inside=24.0, flicker=0.01, warping=1e-4),
    "medium": replace(DAMAGED, psnr_inside=22.0, flicker=0.01, warping=1e-4),
    "mould": replace(DAMAGED, psnr_inside=15.0, clips=2),
    "clean": replace(NONE, harm=0.0003, flicker=0.01),
    "lookalikes": replace(NONE, harm=0.002),
    "film a": replace(DAMAGED, psnr_inside=20.0),
}
BETTER = {
    **STANDING,
    "light": replace(STANDING["light"], psnr_inside=25.0),
    "medium": replace(STANDING["medium"], psnr_inside=23.0),
}
RECIPES = ("light", "medium")


def test_better_and_nowhere_worse_passes() -> None:
    decision = decide(BETTER, STANDING, "version 1", RECIPES)
    assert decision.promote
    assert decision.sentence() == (
        "inside the damage +1.00 dB beside version 1, and no slice is worse beyond its margin"
    )


@pytest.mark.parametrize(
    ("part", "worse", "told"),
    [
        pytest.param(
            "film a", {"psnr_inside": 19.4}, "film a: 19.40 dB inside the damage, 20.00", id="slice"
        ),
        pytest.param("clean", {"harm": 0.00041}, "clean: 0.0410% of the pixels touched, 0.0300%", id="harm"),
        pytest.param("lookalikes", {"harm": 0.0022}, "lookalikes: 0.2200% of the", id="look-alikes"),
        pytest.param("light", {"flicker": 0.0103}, "light: flicker 0.01030, 0.01000 before", id="flicker"),
        pytest.param("clean", {"harm": 0.5, "clips": 1}, "clean: 50.0000% of the pixels", id="one clip"),
        pytest.param("medium", {"warping": 1.06e-4}, "medium: warping error 0.000106, 0.0", id="warping"),
    ],
)
def test_worse_in_one_slice_does_not_pass(part: str, worse: dict[str, Any], told: str) -> None:
    decision = decide({**BETTER, part: replace(BETTER[part], **worse)}, STANDING, "version 1", RECIPES)
    assert not decision.promote
    (reason,) = decision.reasons
    assert reason.startswith(told)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        pytest.param("film a", {"psnr_inside": 19.6}, id="a little"),
        pytest.param("mould", {"psnr_inside": 5.0}, id="two clips say too little"),
        pytest.param("film a", {"psnr_inside": None}, id="perfect"),
        pytest.param("film a", {"harm": 0.5}, id="harm beside damage is in its PSNR"),
    ],
)
def test_what_does_not_stand_in_the_way(part: str, change: dict[str, Any]) -> None:
    assert decide({**BETTER, part: replace(BETTER[part], **change)}, STANDING, "v", RECIPES).promote


def test_a_perfect_repair_is_not_given_up_for_a_poor_one() -> None:
    perfect = {**STANDING, "film a": replace(STANDING["film a"], psnr_inside=None)}
    (reason,) = decide(BETTER, perfect, "version 1", RECIPES).reasons
    assert reason == "film a: 20.00 dB inside the damage, 100.00 before"


def test_no_better_does_not_pass_and_all_reasons_are_told() -> None:
    worst = {**STANDING, "clean": replace(STANDING["clean"], harm=0.1)}
    decision = decide(worst, STANDING, "version 1", RECIPES)
    assert not decision.promote
    assert decision.reasons[0] == "inside the damage +0.00 dB beside version 1, +0.10 asked for"
    assert len(decision.reasons) == 2


def test_other_rules_decide_otherwise() -> None:
    assert decide(STANDING, STANDING, "v", RECIPES, GateRules(gain_db=0)).promote
    with pytest.raises(RequestError, match="and not negative"):
        GateRules(harm=-1)


def test_rules_are_read_as_a_person_writes_them() -> None:
    assert gate_rules([]) == GateRules()
    assert gate_rules(["harm=0.0002", "least_clips=5"]) == GateRules(harm=0.0002, least_clips=5)


@pytest.mark.parametrize(
    ("margin", "line"),
    [
        ("hram=1", "gate hram=1: no such margin; write one of gain_db, slice_db, least_clips"),
        ("harm", "gate harm: nothing is no number that harm takes"),
        ("least_clips=2.5", "gate least_clips=2.5: 2.5 is no number that least_clips takes"),
        ("harm=nan", "a gate's margins must be numbers, and not negative"),
    ],
)
def test_a_margin_that_is_none_is_told(margin: str, line: str) -> None:
    with pytest.raises(RequestError) as told:
        gate_rules([margin])
    assert str(told.value).startswith(line)
