"""What is done with a network's answers: which regions are repaired, which are left, and how."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.neural.composite import findings
from models.neural.settings import BUDGETS_BYTES, NeuralSettings, budget_bytes
from models.neural.way import DAMAGE, DOUBT, ERROR
from models.restorer import Defect

Float = NDArray[np.float32]
SETTINGS = NeuralSettings(widen_px=0)


def answer(*regions: tuple[tuple[slice, slice], float, float, float]) -> Float:
    """Answers over 60x80 pixels: damage, error and doubt by region; nothing elsewhere."""
    made = np.zeros((3, 60, 80), np.float32)
    for (rows, columns), damage, error, doubt in regions:
        made[DAMAGE, rows, columns], made[ERROR, rows, columns] = damage, error
        made[DOUBT, rows, columns] = doubt
    return made


SPOT = (slice(10, 16), slice(20, 27))
LINE = (slice(5, 55), slice(40, 42))


@pytest.mark.parametrize(
    ("told", "found", "left"),
    [
        pytest.param((SPOT, 0.9, 0.01, 0.01), True, False, id="sure"),
        pytest.param((SPOT, 0.4, 0.01, 0.01), False, False, id="unlikely"),
        pytest.param((SPOT, 0.9, 0.01, 0.3), False, True, id="the ways disagree"),
        pytest.param((SPOT, 0.9, 0.3, 0.01), False, True, id="expects to be wrong"),
        pytest.param(((slice(3, 4), slice(3, 5)), 0.9, 0.0, 0.0), False, False, id="two pixels"),
        pytest.param(((slice(0, 40), slice(0, 80)), 0.9, 0.0, 0.0), False, True, id="most of the frame"),
    ],
)
def test_regions_are_repaired_or_left_whole(told: tuple, found: bool, left: bool) -> None:
    made = findings(answer(told), None, False, SETTINGS)
    rows, columns = told[0]
    assert made.mask_HW[rows, columns].all() == found
    assert made.left_HW[rows, columns].all() == left
    assert made.mask_HW.any() == found
    assert made.left_HW.any() == left


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("far", [False, True])
def test_the_border_of_the_gate_is_no_damage(turned: bool, far: bool) -> None:
    """A strip at the outermost is left and not told of; dirt there is repaired, and a scratch further in."""
    made = np.zeros((3, 200, 200), np.float32)
    strip, dirt, scratch = (
        made[DAMAGE, rows, columns]
        for rows, columns in (
            (slice(20, 120), slice(0, 2)),
            (slice(150, 153), slice(0, 2)),
            (slice(20, 120), slice(6, 8)),
        )
    )
    for each in (strip, dirt, scratch):
        each[:] = 0.9
    wanted = np.zeros((200, 200), bool)
    wanted[150:153, 0:2] = wanted[20:120, 6:8] = True
    if far:
        made, wanted = made[:, ::-1, ::-1], wanted[::-1, ::-1]
    if turned:
        made, wanted = made.transpose(0, 2, 1), wanted.T
    told = findings(np.ascontiguousarray(made), None, False, SETTINGS)
    assert np.array_equal(told.mask_HW, wanted)
    assert not told.left_HW.any()


def test_a_region_reaches_down_to_its_edge_but_one_without_a_middle_is_none() -> None:
    told = answer((SPOT, 0.9, 0, 0))
    told[DAMAGE, 9, 20:27] = 0.35
    told[DAMAGE, 40:44, 40:44] = 0.35
    made = findings(told, None, False, SETTINGS)
    assert made.mask_HW[9, 20:27].all()
    assert not made.mask_HW[40:44, 40:44].any()


def test_scratches_are_told_by_their_shape_and_doubt_costs_its_own_region_alone() -> None:
    made = findings(answer((SPOT, 0.9, 0, 0.5), (LINE, 0.9, 0, 0)), None, False, SETTINGS)
    assert set(np.unique(made.kind_HW[LINE])) == {Defect.SCRATCH}
    assert not made.mask_HW[SPOT].any()
    assert made.left_HW[SPOT].all()


def test_widening_does_not_creep_into_what_was_left() -> None:
    beside = (slice(10, 16), slice(28, 34))
    made = findings(
        answer((SPOT, 0.9, 0, 0), (beside, 0.9, 0, 0.5)), None, False, replace(SETTINGS, widen_px=2)
    )
    assert made.mask_HW[8, 22]
    assert not made.mask_HW[beside].any()


@pytest.mark.parametrize("alone", [False, True], ids=["added", "alone"])
def test_what_was_given_is_never_vetoed(alone: bool) -> None:
    given = np.zeros((60, 80), bool)
    given[30:40, 30:40] = True
    doubted = (slice(32, 36), slice(32, 36))
    made = findings(answer((SPOT, 0.9, 0, 0), (doubted, 0.9, 0, 0.9)), given, alone, SETTINGS)
    assert set(np.unique(made.kind_HW[given])) == {Defect.GIVEN}
    assert not made.left_HW[given].any()
    assert made.mask_HW[SPOT].all() != alone


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"edge": 0.6}, "edge"),
        ({"widen_px": -1}, "negative"),
        ({"doubt": 0.0}, "above 0"),
        ({"opinions": 3}, "opinions"),
        ({"precision": "fp8"}, "precision"),
        ({"flow": "guess"}, "flow"),
        ({"sharpen": 1.0}, "sharpen"),
        ({"seed": -1}, "negative"),
        ({"seed": 1.5}, "whole number"),
        ({"widen_px": True}, "whole number"),
        ({"grain": "much"}, "grain is 'much'; it must be a number"),
        ({"flow_weights": 3}, "text"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_are_told(settings: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        NeuralSettings.of(settings)


@pytest.mark.parametrize(
    ("memory_gb", "workers", "budget"),
    [(24, 2, 0), (64, 8, 0), (32, 8, 1), (8, 2, 1), (8, 4, 2), (1, 8, 2)],
)
def test_budgets_are_steps(memory_gb: int, workers: int, budget: int) -> None:
    assert budget_bytes(memory_gb << 30, workers) == BUDGETS_BYTES[budget]


@pytest.mark.parametrize("answered", [ERROR, DOUBT], ids=["error", "doubt"])
def test_what_is_no_number_is_no_leave_to_repair(answered: int) -> None:
    told = answer((SPOT, 0.9, 0.01, 0.01))
    told[answered, 12, 22] = np.nan
    made = findings(told, None, False, SETTINGS)
    assert not made.mask_HW.any()
    assert made.left_HW[SPOT].all()
