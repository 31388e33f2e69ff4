"""The training loop: it learns, it goes on where it was killed, and it says when it cannot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import WeightsError
from models.neural.evidence import CHANNELS
from models.neural.reweave import Reweave, ReweaveConfig
from models.training.company import Company
from models.training.course import Course, polished
from models.training.learner import ReweaveLearner
from models.training.loop import judged, train
from models.training.material import MARGIN_PX, Material, seen
from models.training.objective import Trial
from models.training.pictures import HIT, MISSED, RGB, WRONG, compared
from models.training.progress import Progress, begin, read_progress, write_progress
from tests.learners import together

SIDE, FRAMES = 32, 4
SMALL = ReweaveConfig(channels=16, fine_channels=8, heads=2, look_blocks=1, view_blocks=1)
COURSE = Course(steps=6, warmup_steps=2, validate_steps=3, precision="fp32", seed=5)


def window(seed: int) -> Material:
    """A picture that glides, with dirt in its middle frames."""
    rng = np.random.default_rng(seed)
    side = SIDE + 2 * MARGIN_PX
    rows, columns = np.mgrid[0:side, 0 : side + FRAMES]
    film = 128 + 50 * np.sin(columns / 5 + seed) + 40 * np.cos(rows / 4)
    clean = np.stack([film[None, :, frame : frame + side] for frame in range(FRAMES)])
    undamaged = np.clip(clean + rng.normal(0, 2, clean.shape), 0, 255).astype(np.uint8)
    masks = np.zeros((FRAMES, 1, side, side), np.uint8)
    for frame in range(1, FRAMES - 1):
        for row, column in rng.integers(MARGIN_PX, side - MARGIN_PX - 6, (4, 2)):
            masks[frame, 0, row : row + 5, column : column + 5] = 1
    return seen(np.where(masks > 0, np.uint8(250), undamaged), undamaged, masks)


def batch(number: int) -> Material:
    return Material(
        *(torch.stack(parts) for parts in zip(window(2 * number), window(2 * number + 1), strict=True))
    )


class Endless:
    """A feed of films that are all different, from any place on."""

    def __init__(self, state: Mapping[str, int] | None = None) -> None:
        self._used = (state or {"used": 0})["used"]

    def __iter__(self) -> Iterator[Material]:
        for number in count(self._used):
            self._used = number + 1
            yield batch(number)

    def state(self) -> dict[str, int]:
        return {"used": self._used}


@dataclass
class Notes:
    steps: list[float] = field(default_factory=list)
    looks: list[Mapping[str, float]] = field(default_factory=list)
    pictures: Mapping[str, RGB] = field(default_factory=dict)

    def stepped(self, step: int, told: Mapping[str, float]) -> None:
        self.steps.append(told["loss"])

    def looked(self, step: int, told: Mapping[str, float]) -> None:
        self.looks.append(told)

    def pictured(self, step: int, pictures: Mapping[str, RGB]) -> None:
        self.pictures = pictures


def network() -> Reweave:
    torch.manual_seed(1)
    return Reweave(SMALL)


FROZEN = (batch(1000),)


def run(course: Course, progress: Progress | None = None, path: Path | None = None) -> tuple[Progress, Notes]:
    notes, own = Notes(), network()
    progress = progress or begin(own.state_dict())

    def keep(each: Progress) -> None:
        if path is not None:
            write_progress(path, each, {"course": 1})

    done = train(course, ReweaveLearner(own), Endless(progress.fed or None), FROZEN, progress, notes, keep)
    return done, notes


def test_material_is_what_a_restorer_would_see() -> None:
    made = window(1)
    assert made.evidence_TEhw.shape == (FRAMES, CHANNELS, SIDE // 2, SIDE // 2)
    assert made.to_previous_T2qr.shape == made.to_next_T2qr.shape == (FRAMES, 2, SIDE // 4, SIDE // 4)
    assert made.motion_T2HW.shape == (FRAMES - 1, 2, SIDE, SIDE)
    assert made.damage_T1HW.dtype == torch.bool
    assert not made.damage_T1HW[0].any()
    assert made.damage_T1HW[1].any()
    # The picture glides left by one pixel a frame: the frame before shows the same a pixel to the right.
    assert float(made.motion_T2HW[:, 0].float().median()) == pytest.approx(1.0, abs=0.35)
    same = made.damaged_T1HW == made.undamaged_T1HW
    assert torch.equal(~made.damage_T1HW, same)


@pytest.mark.parametrize("side", [63, 40, 2 * MARGIN_PX], ids=["odd", "no multiple", "margins alone"])
def test_material_of_a_size_that_no_network_takes(side: int) -> None:
    frames = np.zeros((2, 1, side, side), np.uint8)
    with pytest.raises(ValueError, match="multiples of 32"):
        seen(frames, frames, frames)


def test_training_learns() -> None:
    before = judged(COURSE, ReweaveLearner(network()), FROZEN, network().state_dict())
    done, notes = run(replace(COURSE, steps=60, validate_steps=20, rate=3e-3, averaged=0.9))
    assert len(notes.steps) == 60
    assert len(notes.looks) == 1 + 3
    assert notes.looks[0]["loss"] == pytest.approx(before["loss"], rel=1e-5)
    assert {name: each.shape for name, each in notes.pictures.items()} == {
        "window 1": (SIDE, 4 * SIDE, 3),
        "window 2": (SIDE, 4 * SIDE, 3),
    }
    assert done.best_score is not None
    assert notes.looks[-1]["loss"] < 0.8 * before["loss"]
    assert notes.looks[-1]["psnr_inside"] > notes.looks[-1]["psnr_inside_before"] + 1


def test_faint_damage_is_not_asked_of_the_mask() -> None:
    material = batch(1)
    faint = material.damage_T1HW.clone()
    faint[..., SIDE // 2 :] = False
    lit = torch.where(faint, material.undamaged_T1HW + 3 / 255, material.damaged_T1HW)
    trial = ReweaveLearner(network()).trial(material._replace(damaged_T1HW=lit))
    seen = (lit - material.undamaged_T1HW).abs() > 4 / 255
    assert faint.any()
    assert trial.certain_NT1HW is not None
    assert torch.equal(trial.certain_NT1HW, ~material.damage_T1HW | seen)
    assert not trial.certain_NT1HW[faint].any()


def test_pictures_show_what_the_mask_found() -> None:
    material = batch(3)
    found = material.damage_T1HW.clone()
    found[:, :, :, : SIDE // 2] = False
    found[:, :, :, 0] = True
    trial = Trial(material.undamaged_T1HW, material.undamaged_T1HW, logit_NT1HW=found.float() - 0.5)
    first, second = compared(material, trial)
    assert first.shape == second.shape == (SIDE, 4 * SIDE, 3)
    undamaged, damaged, restored, overlay = np.split(first, 4, axis=1)
    assert np.array_equal(undamaged, restored)
    middle = FRAMES // 2
    damage = material.damage_T1HW[0, middle, 0].numpy()
    assert np.array_equal((damaged != undamaged).any(axis=2), damage)
    hit = found[0, middle, 0].numpy()
    for colour, where in ((HIT, damage & hit), (MISSED, damage & ~hit), (WRONG, ~damage & hit)):
        assert where.any()
        assert np.array_equal((overlay == colour).all(axis=2), where)


@pytest.mark.parametrize(
    ("precision", "seed", "polish"),
    [
        pytest.param("fp32", 5, 0.0, id="fp32"),
        pytest.param("bf16", 5, 0.0, id="bf16"),
        pytest.param("fp32", 0, 0.0, id="after a step that left weights out"),  # the past or the future alone
        pytest.param("fp32", 5, 0.7, id="in the middle of polishing"),
    ],
)
def test_killed_and_taken_up_it_does_what_it_would_have_done(
    precision: str, seed: int, polish: float, tmp_path: Path
) -> None:
    course = polished(replace(COURSE, precision=precision, seed=seed), polish)
    whole, undisturbed = run(course)
    path = tmp_path / "progress.safetensors"

    class Killed(Exception):
        pass

    notes, own = Notes(), network()

    def keep(progress: Progress) -> None:
        write_progress(path, progress, {"course": 1})

    class Dying(Endless):
        def __iter__(self) -> Iterator[Material]:
            for number, material in enumerate(super().__iter__()):
                if number == 4:
                    raise Killed
                yield material

    with pytest.raises(Killed):
        train(course, ReweaveLearner(own), Dying(), FROZEN, begin(own.state_dict()), notes, keep)
    taken_up = read_progress(path, {"course": 1})
    assert taken_up.step == 3
    again, rest = run(course, taken_up, path)
    assert notes.steps[:3] + rest.steps == pytest.approx(undisturbed.steps, rel=1e-6)
    for name, weight in whole.champion.items():
        assert torch.allclose(weight, again.champion[name], atol=1e-7), name
    assert again.fed == whole.fed


def test_a_critic_looks_on_in_the_last_steps_and_learns() -> None:
    course = polished(COURSE, 0.5)
    told: list[Mapping[str, float]] = []

    class Heard(Notes):
        def stepped(self, step: int, losses: Mapping[str, float]) -> None:
            told.append(losses)

    own = network()
    done = train(
        course, ReweaveLearner(own), Endless(), FROZEN, begin(own.state_dict()), Heard(), lambda each: None
    )
    seen = ["loss_critic" in losses and "loss_adversarial" in losses for losses in told]
    assert seen == [False] * 3 + [True] * 3
    # Two hinges of 1 each, halved, before it can tell film from repairs.
    assert told[3]["loss_critic"] == pytest.approx(1.0, abs=0.1)
    assert done.updates["critic.convs.4.weight"] == 3
    unpolished, _ = run(COURSE)
    assert any(not torch.equal(weight, done.network[name]) for name, weight in unpolished.network.items())


def unbeatable(own: Reweave) -> Progress:
    progress = begin(own.state_dict())
    progress.best_score = 0.0
    return progress


def test_two_hold_the_same_weights_and_stop_together() -> None:
    course = replace(COURSE, patience=1)
    alone, heard = run(course, unbeatable(network()))
    notes = Notes()

    class Part(Endless):
        def __init__(self, rank: int) -> None:
            super().__init__()
            self._rank = rank

        def __iter__(self) -> Iterator[Material]:
            for whole in super().__iter__():
                yield Material(*(tensor[self._rank :][:1] for tensor in whole))

    def learn(company: Company) -> Progress:
        own = network()
        feed, progress = Part(company.rank), unbeatable(own)
        frozen = FROZEN if company.rank == 0 else ()
        return train(
            course, ReweaveLearner(own), feed, frozen, progress, notes, lambda each: None, company=company
        )

    first, second = together(learn)
    assert first.step == second.step == alone.step == 3
    assert all(torch.equal(weight, second.network[name]) for name, weight in first.network.items())
    assert first.fed == second.fed == alone.fed
    assert notes.steps == pytest.approx(heard.steps, rel=1e-3)


def test_it_ends_when_it_gets_no_better() -> None:
    stuck = replace(COURSE, steps=40, validate_steps=1, patience=2, rate=1e-9, averaged=0.0)
    done, notes = run(stuck)
    assert done.step < 40
    assert len(notes.looks) == 1 + done.step
    end = -1 - stuck.patience
    assert min(notes.looks, key=lambda look: look["loss"]) is notes.looks[end]


def test_what_only_gets_worse_ends_as_it_began() -> None:
    class Lying(Endless):
        def __iter__(self) -> Iterator[Material]:
            for material in super().__iter__():
                yield material._replace(damage_T1HW=~material.damage_T1HW)

    own, notes = network(), Notes()
    first = begin(own.state_dict()).network
    course = replace(COURSE, rate=3e-3, averaged=0.0)
    done = train(
        course, ReweaveLearner(own), Lying(), FROZEN, begin(own.state_dict()), notes, lambda each: None
    )
    assert notes.looks[0]["loss"] < min(look["loss"] for look in notes.looks[1:])
    assert all(torch.equal(weight, done.champion[name]) for name, weight in first.items())
    assert any(not torch.equal(weight, done.network[name]) for name, weight in first.items())


def test_weights_that_are_no_numbers_are_never_kept() -> None:
    progress = begin(network().state_dict())

    class Poison(Notes):
        def stepped(self, step: int, told: Mapping[str, float]) -> None:
            if step == COURSE.validate_steps:
                progress.averaged["head.weight"].fill_(float("nan"))

    def keep(each: Progress) -> None:
        raise AssertionError("kept")

    with pytest.raises(ArithmeticError, match="step 3: the loss is no number"):
        train(COURSE, ReweaveLearner(network()), Endless(), FROZEN, progress, Poison(), keep)
    assert all(weight.isfinite().all() for weight in progress.best.values())


def test_a_loss_that_is_no_number_ends_it() -> None:
    own = network()
    broken = {name: weight * float("nan") for name, weight in own.state_dict().items()}
    with pytest.raises(ArithmeticError, match="step 0: the loss is no number"):
        run(COURSE, begin(broken))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(lambda path: path.unlink(), "cannot be read", id="missing"),
        pytest.param(lambda path: path.write_bytes(b"x" * 900), "damaged, or no training's", id="damaged"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:400]), "damaged", id="cut short"),
    ],
)
def test_progress_that_cannot_be_read(spoil, told: str, tmp_path: Path) -> None:
    path = tmp_path / "progress.safetensors"
    write_progress(path, begin(network().state_dict()), {"course": 1})
    with pytest.raises(WeightsError, match="of another training"):
        read_progress(path, {"course": 2})
    spoil(path)
    with pytest.raises(WeightsError, match=told):
        read_progress(path, {"course": 1})
