"""What a colour network learns from, and that it learns."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.colour.dyeing import UNIT
from models.colour.lab import lab_of_rgb
from models.colour.redye import Redye, RedyeConfig
from models.neural.tiles import Area
from models.training.colour.learner import RedyeLearner
from models.training.colour.material import MOST_STILLS, ColourMaterial, hue_turn, seen_colour
from models.training.colour.walked import ABSENT, WalkedClip, walked
from models.training.course import COLOUR_STAGES, Course
from models.training.loop import judged, train
from models.training.losses import spread_loss
from models.training.objective import REDYE, judge
from models.training.progress import begin
from tests.corpora import make_colour_clip
from tests.learners import Notes

FRAMES, SIDE = 12, 64
SMALL = RedyeConfig(channels=16, fine_channels=8, match_channels=8, look_blocks=1)
COURSE = Course(
    steps=24,
    stages=COLOUR_STAGES,
    warmup_steps=2,
    validate_steps=24,
    averaged=0.5,
    precision="fp32",
)


def clip(seed: int) -> WalkedClip:
    return walked(make_colour_clip(seed, FRAMES, SIDE, SIDE).clean_TCHW, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def clips() -> list[WalkedClip]:
    """By their seeds: one still of the film, one of another shot, two stills."""
    return [clip(seed) for seed in (14, 3, 1)]


def window(
    whole: WalkedClip, first: int, frames: int, turn_22: NDArray[np.float32] | None = None
) -> ColourMaterial:
    taken = slice(first, first + frames)
    part = replace(
        whole,
        luma_T1HW=whole.luma_T1HW[taken],
        truth_T3HW=whole.truth_T3HW[taken],
        past_T3HW=whole.past_T3HW[taken],
        future_T3HW=whole.future_T3HW[taken],
        past_frames=whole.past_frames[taken],
        future_frames=whole.future_frames[taken],
    )
    stills = [*whole.stills, *whole.stills][:MOST_STILLS]
    area = Area(0, SIDE, 0, SIDE)
    return seen_colour(part, whole.luma_T1HW[stills], whole.truth_T3HW[stills, 1:], area, turn_22)


def batch(clips: list[WalkedClip]) -> ColourMaterial:
    windows = [window(whole, 1, 4) for whole in clips]
    return ColourMaterial(*(torch.stack(parts) for parts in zip(*windows, strict=True)))


def network() -> Redye:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Redye(SMALL)


def test_a_clip_is_walked_through_from_its_stills(clips: list[WalkedClip]) -> None:
    one, sibling, two = clips
    assert [len(each.stills) for each in clips] == [1, 1, 2]
    (still,) = one.stills
    assert one.past_frames == (*[ABSENT] * still, *range(FRAMES - still))
    assert one.future_frames == (*range(still, 0, -1), *[ABSENT] * (FRAMES - still))
    assert sibling.film_frames == FRAMES // 2 <= sibling.stills[0]
    first, second = two.stills
    assert two.past_frames[second] == two.past_frames[first] == 0
    assert two.future_frames[first : first + 2] == (ABSENT, second - first - 1)
    # Where the still is, its colour is what came; and that is the true one.
    assert np.array_equal(one.past_T3HW[still, :2], one.truth_T3HW[still, 1:])
    assert (one.past_T3HW[still, 2] == 255).all()
    near = one.past_T3HW if still + 1 < FRAMES else one.future_T3HW
    neighbour = still + 1 if still + 1 < FRAMES else still - 1
    error = near[neighbour, :2].astype(int) - one.truth_T3HW[neighbour, 1:]
    assert np.abs(error).mean() < 12
    with pytest.raises(ValueError, match="at least 4"):
        walked(make_colour_clip(1, 3).clean_TCHW, np.random.default_rng(1))


def test_luma_is_aged_and_colour_is_not(clips: list[WalkedClip]) -> None:
    clean_TCHW = make_colour_clip(14, FRAMES, SIDE, SIDE).clean_TCHW
    one = clips[0]
    lab = lab_of_rgb(clean_TCHW[3].astype(np.float32) / 255)
    assert np.abs(one.truth_T3HW[3, 1:].astype(np.float32) - 128 - lab[1:]).max() <= 0.5
    apart = one.luma_T1HW[:, 0].astype(int) - one.truth_T3HW[:, 0]
    assert 0.2 < np.abs(apart).mean() < 12
    again = walked(clean_TCHW, np.random.default_rng(14))
    assert np.array_equal(again.luma_T1HW, one.luma_T1HW)
    assert np.array_equal(again.past_T3HW, one.past_T3HW)


def test_material_is_what_a_colouriser_would_see(clips: list[WalkedClip]) -> None:
    one = clips[0]
    material = window(one, 2, 4)
    ab = (one.past_T3HW[2:6, :2].astype(np.float32) - 128) / UNIT
    absent = np.array(one.past_frames[2:6]) == ABSENT
    assert np.allclose(material.sources_T4HW[:, :2].numpy()[~absent], ab[~absent])
    assert not material.sources_T4HW[:, :2].numpy()[absent].any()
    assert torch.equal(torch.isneginf(material.prior_T3HW[:, 0, 0, 0]), torch.from_numpy(absent))
    assert material.stills_luma_R1HW.shape == (MOST_STILLS, 1, SIDE, SIDE)
    assert torch.equal(material.stills_ab_R2HW[0], material.stills_ab_R2HW[1])
    assert not material.to_previous_T2qr[0].any()
    assert not material.to_next_T2qr[-1].any()
    # It glides left by a pixel a frame: the frame before shows the same a pixel to the right.
    assert float(material.motion_T2HW[:, 0].float().median()) == pytest.approx(1.0, abs=0.35)
    assert float(material.to_previous_T2qr[1:, 0].median()) == pytest.approx(0.25, abs=0.1)
    with pytest.raises(ValueError, match="multiples of 32"):
        seen_colour(one, one.luma_T1HW[:1], one.truth_T3HW[:1, 1:], Area(0, 40, 0, 64))


def test_hues_are_turned_alike_in_all_that_is_seen(clips: list[WalkedClip]) -> None:
    turn_22 = hue_turn(np.random.default_rng(2))
    assert np.allclose(turn_22 @ turn_22.T, np.eye(2) * (turn_22[0] ** 2).sum(), atol=1e-6)
    plain, turned = window(clips[2], 1, 4), window(clips[2], 1, 4, turn_22)
    matrix = torch.from_numpy(turn_22)
    for name in ("truth_T2HW", "stills_ab_R2HW"):
        assert torch.allclose(
            getattr(turned, name), torch.einsum("ij,njhw->nihw", matrix, getattr(plain, name)), atol=1e-5
        )
    sides = plain.sources_T4HW.unflatten(1, (2, 2))
    assert torch.allclose(
        turned.sources_T4HW.unflatten(1, (2, 2)), torch.einsum("ij,nsjhw->nsihw", matrix, sides), atol=1e-5
    )
    assert not torch.equal(turned.evidence_TEhw, plain.evidence_TEhw)
    for name in ("luma_T1HW", "prior_T3HW", "motion_T2HW", "to_next_T2qr", "stills_luma_R1HW"):
        assert torch.equal(getattr(turned, name), getattr(plain, name)), name


def test_a_still_of_another_film_is_no_part_of_the_clip(clips: list[WalkedClip]) -> None:
    clean_TCHW = make_colour_clip(14, FRAMES, SIDE, SIDE).clean_TCHW
    foreign = walked(clean_TCHW, np.random.default_rng(14), 255 - clean_TCHW[0])
    assert (foreign.film_frames, len(foreign.luma_T1HW), foreign.stills) == (FRAMES, FRAMES + 1, (FRAMES,))
    assert np.array_equal(foreign.truth_T3HW[:FRAMES], clips[0].truth_T3HW)
    # Every frame is reached, from one side at least, and by colours of the still alone.
    assert all(max(each) >= 0 for each in zip(foreign.past_frames, foreign.future_frames, strict=True))
    reached, still = foreign.past_T3HW[:, :2].astype(int), foreign.truth_T3HW[FRAMES, 1:].astype(int)
    there = np.array(foreign.past_frames) != ABSENT
    assert reached[there].min() >= still.min() - 1
    assert reached[there].max() <= still.max() + 1


def test_untrained_it_does_as_propagate_and_trained_better(clips: list[WalkedClip]) -> None:
    material = batch(clips[::2])
    own = network()
    before = judged(COURSE, RedyeLearner(own), [material], own.state_dict())
    assert before["ciede2000"] == pytest.approx(before["ciede2000_propagate"], rel=0.05)

    class Same:
        def __iter__(self) -> Iterator[ColourMaterial]:
            while True:
                yield material

        def state(self) -> dict[str, int]:
            return {}

    notes = Looked()
    train(COURSE, RedyeLearner(own), Same(), [material], begin(own.state_dict()), notes, lambda each: None)
    assert notes.told["loss"] < 0.95 * before["loss"]
    assert notes.told["ciede2000"] < 0.98 * before["ciede2000"]
    assert {name: each.shape for name, each in notes.pictures.items()} == {
        "window 1": (SIDE, 3 * SIDE, 3),
        "window 2": (SIDE, 3 * SIDE, 3),
    }


class Looked(Notes):
    told: dict[str, float]

    def looked(self, step: int, told: dict[str, float]) -> None:  # type: ignore[override]
        self.told = told


def test_its_exam_knows_the_truth_when_it_sees_it(clips: list[WalkedClip]) -> None:
    material = batch(clips[:1])
    learner = RedyeLearner(network().eval())
    with torch.no_grad():
        trial = learner.trial(material)
    exam = learner.exam()
    exam.add(material, trial._replace(restored_NTCHW=material.truth_T2HW))
    told = exam.told()
    assert told["ciede2000"] < 1e-3 < told["ciede2000_propagate"]
    assert told["error_ab"] == 0
    true, carried, found = np.split(exam.pictures(material, trial)[0], 3, axis=1)
    assert (true != carried).any()
    assert np.abs(carried.astype(int) - found).max() < 80


def test_an_expected_error_is_of_the_distance() -> None:
    truth = torch.zeros(1, 1, 2, 4, 4)
    restored = torch.stack([torch.full((4, 4), 3.0), torch.full((4, 4), 4.0)])[None, None]
    right, wrong = (torch.full((1, 1, 1, 4, 4), value).log() for value in (5.0, 3.5))
    assert float(spread_loss(right, restored, truth)) == pytest.approx(0, abs=1e-5)
    assert float(spread_loss(wrong, restored, truth)) > 0.1


def test_the_objective_needs_no_mask(clips: list[WalkedClip]) -> None:
    terms = judge(REDYE, RedyeLearner(network()).trial(batch(clips[:1])))
    told = {name for name, term in terms._asdict().items() if term is not None}
    assert told == {"pixel", "temporal", "spread", "match"}
