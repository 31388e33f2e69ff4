"""How long a training is, its pace and its stages."""

import pytest

from models.training.course import STAGES, Course, Stage, fitted
from models.training.objective import REWEAVE


def test_the_pace() -> None:
    course = Course(steps=100, warmup_steps=10)
    rates = [course.rate_at(step) for step in range(100)]
    assert max(rates) == rates[9] == pytest.approx(1e-3)
    assert rates[0] < rates[5] < rates[9]
    assert rates[99] == pytest.approx(2e-5, rel=0.05)
    assert course.objective_at(9) is STAGES[0].objective
    assert course.objective_at(10) is STAGES[1].objective
    assert course.kept_at(0) < course.kept_at(50) < course.kept_at(10**6) == course.averaged


def test_steps_fit_into_a_budget() -> None:
    course = Course(steps=1, validate_steps=100)
    assert fitted(course, 1010, 0.9, 10).steps == 1000
    with pytest.raises(ValueError, match="3 s are too short: a step takes 5"):
        fitted(course, 3, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"steps": 0}, id="no steps"),
        pytest.param({"stages": (Stage(0.5, REWEAVE),)}, id="stages end early"),
        pytest.param({"stages": (Stage(1.0, REWEAVE), Stage(0.5, REWEAVE))}, id="stages out of order"),
        pytest.param({"rate": 0.0}, id="no rate"),
        pytest.param({"averaged": 1.0}, id="an average that never moves"),
        pytest.param({"seed": -1}, id="a negative seed"),
    ],
)
def test_courses_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Course(**{"steps": 10, **wrong})
