"""Thresholds by harm: counted as the restorer would repair, and never over the budget where that can be."""

import cv2
import numpy as np
import pytest

from models.metrics.detection import Detection, compare
from models.neural.composite import findings
from models.neural.settings import NeuralSettings
from models.neural.thresholds import Film, HarmBudget, Thresholds

RNG = np.random.default_rng(4)
SETTINGS = NeuralSettings(least_px=2, doubt=0.5, error=0.5)


def answer(strength: float) -> np.ndarray:
    """Soft blobs of likely damage, as likely as `strength` at most; doubt and error as they come."""
    planes = RNG.random((6, 96, 80)).astype(np.float32)
    blobs = cv2.GaussianBlur(RNG.random((96, 80)).astype(np.float32), (0, 0), 2)
    blobs = (blobs - blobs.min()) / (blobs.max() - blobs.min())
    planes[0] = blobs**2 * strength
    return planes


def test_what_is_counted_is_what_would_be_repaired() -> None:
    tried = Thresholds(SETTINGS)
    expected: dict[NeuralSettings, Detection] = {}
    for _ in range(3):
        answer_KHW, damage_HW = answer(1.0), RNG.random((96, 80)) < 0.1
        tried.add(answer_KHW, damage_HW, "damaged")
        for settings in tried.settings:
            mask_HW = findings(answer_KHW, None, False, settings).mask_HW
            expected[settings] = expected.get(settings, Detection()) + compare(mask_HW, damage_HW)
    assert len(expected) > 10
    assert {settings: tried.found(settings)["damaged"] for settings in expected} == expected
    assert len(set(expected.values())) > 5


@pytest.mark.parametrize("film", ["clean", "lookalike"])
def test_harm_decides_before_what_is_found(film: Film) -> None:
    """Damage that is likely, and undamaged film that looks a little like it."""
    tried = Thresholds(SETTINGS)
    likely, alike = np.zeros((6, 96, 80), np.float32), np.zeros((6, 96, 80), np.float32)
    likely[0, 10:20, 10:20], likely[0, 40:50, 10:20], alike[0, 60:70, 30:40] = 0.97, 0.65, 0.75
    tried.add(likely, likely[0] > 0, "damaged")
    tried.add(alike, np.zeros((96, 80), bool), film)
    strict = tried.chosen(HarmBudget(clean=1e-4, lookalike=1e-4))
    assert strict.sure == 0.8
    assert tried.found(strict)[film].harm == 0
    loose = tried.chosen(HarmBudget(clean=0.5, lookalike=0.5))
    assert loose.sure <= 0.6
    assert tried.found(loose)["damaged"].recall == 1


def test_where_nothing_keeps_to_the_budget_the_least_harmful_is_taken() -> None:
    tried = Thresholds(SETTINGS)
    certain = np.zeros((6, 96, 80), np.float32)
    certain[0, :5, :5], certain[0, 20:50, 20:40] = 0.99, 0.85
    tried.add(certain, np.zeros((96, 80), bool), "clean")
    assert tried.chosen(HarmBudget(clean=1e-9)).sure >= 0.9
