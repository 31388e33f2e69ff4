"""What training pulls at: each term against numbers worked out by hand, and its gradient."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.neural.evidence import CHANNELS
from models.neural.reweave import SOURCES, Reweave
from models.training import objective as objectives
from models.training.discriminator import TemporalPatchGAN
from models.training.losses import (
    charbonnier,
    hinge_discriminator,
    hinge_generator,
    l1,
    mask_loss,
    spread_loss,
    temporal_difference,
)
from models.training.objective import Objective, Trial, judge

AUTOCAST = pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16 autocast"])


def told(loss: Tensor, expected: float) -> None:
    assert loss.dtype == torch.float32
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def of(*values: float) -> Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        pytest.param(lambda: l1(of(0.1, 0.5), of(0.2, 0.2)), 0.2, id="l1"),
        pytest.param(lambda: l1(of(0.1, 0.5), of(0.2, 0.2), of(3, 1)), 0.15, id="l1, weighted"),
        pytest.param(lambda: l1(of(0.1), of(0.2), of(0)), 0.0, id="l1 of nothing"),
        pytest.param(lambda: charbonnier(of(0.3), of(0.3)), 0.001, id="charbonnier of no error"),
        pytest.param(lambda: charbonnier(of(0.7), of(0.3), eps=0.3), 0.5, id="charbonnier, 3-4-5"),
        pytest.param(lambda: mask_loss(of(0, 0), of(1, 0)), math.log(2) + 1 - 2 / 3, id="mask, undecided"),
        pytest.param(
            lambda: mask_loss(of(0, 0, 9, -9), of(1, 0, 0, 1), of(1, 1, 0, 0)),
            math.log(2) + 1 - 2 / 3,
            id="mask, half of it not asked for",
        ),
        pytest.param(
            # Cross-entropy is (softplus(-1) + softplus(-2)) / 2.
            lambda: mask_loss(of(1, -2), of(1, 0)),
            (0.3132617 + 0.1269280) / 2 + 1 - (2 * 0.7310586 + 1) / (0.7310586 + 0.1192029 + 1 + 1),
            id="mask",
        ),
        pytest.param(
            lambda: mask_loss(of(-100, -100), of(0, 0)), 0.0, id="mask, clean film and nothing found"
        ),
        pytest.param(lambda: spread_loss(of(math.log(0.2)), of(0.5), of(0.3)), 0.0, id="spread, right"),
        pytest.param(
            lambda: spread_loss(of(math.log(0.1)), of(0.5), of(0.3)),
            0.1 - 0.2 + 0.2 * math.log(2),
            id="spread, too sure",
        ),
        pytest.param(lambda: spread_loss(of(math.log(0.1)), of(0.3), of(0.3)), 0.1, id="spread of no error"),
        pytest.param(lambda: hinge_generator(of(0.5, -2.5)), 1.0, id="hinge of the restorer"),
        pytest.param(
            # Real 0.5 lacks 0.5 of 1, real 2 nothing; fake -3 nothing, fake 0 lacks 1.
            lambda: hinge_discriminator(of(0.5, 2), of(-3, 0)),
            0.5 * (0.25 + 0.5),
            id="hinge of the discriminator",
        ),
    ],
)
def test_a_loss_is_what_it_says(loss: Callable[[], Tensor], expected: float) -> None:
    told(loss(), expected)


def test_charbonnier_lets_small_errors_be() -> None:
    error = torch.tensor([1e-5, 0.1], requires_grad=True)
    charbonnier(error, torch.zeros(2)).backward()
    assert error.grad is not None
    small, large = (2 * error.grad).tolist()
    assert small == pytest.approx(0.01, rel=0.01)
    assert large == pytest.approx(1.0, rel=0.01)


def test_the_spread_learns_the_mean_absolute_error_and_excuses_nothing() -> None:
    error = torch.tensor([0.01, 0.02, 0.09], requires_grad=True)
    spread = torch.tensor(-9.0, requires_grad=True)
    for start in (-9.0, 0.0):
        with torch.no_grad():
            spread.fill_(start)
        optimiser = torch.optim.Adam([spread], 0.1)
        for _ in range(400):
            optimiser.zero_grad()
            spread_loss(spread.expand(3), error, torch.zeros(3)).backward()
            optimiser.step()
        assert float(spread.detach().exp()) == pytest.approx(0.04, rel=0.01)
    assert error.grad is None


def test_temporal_difference_counts_what_flickers_and_not_what_stays() -> None:
    target = torch.rand(2, 4, 1, 8, 8)
    swing = torch.tensor([0.1, -0.1, 0.1, -0.1]).view(1, 4, 1, 1, 1)
    told(temporal_difference(target + 0.3, target), 0.0)
    told(temporal_difference(target + swing, target), 0.2)
    told(temporal_difference(target[:, :1] + 0.3, target[:, :1]), 0.0)


def test_temporal_difference_follows_motion() -> None:
    # A blot that moves two pixels to the right each frame: the way back is two to the left.
    target = torch.zeros(1, 3, 1, 8, 16)
    restored = target.clone()
    for t in range(3):
        restored[0, t, 0, 3, 5 + 2 * t] = 0.7
    back = torch.zeros(1, 2, 2, 8, 16)
    back[:, :, 0] = -2.0
    told(temporal_difference(restored, target, back), 0.0)
    told(temporal_difference(restored, target), 2 * 0.7 / 128)
    # What comes in at the left was never seen: an error there is no flicker.
    restored[0, 1, 0, :, :2] += 0.5
    told(temporal_difference(restored[:, :2], target[:, :2], back[:, :1]), 0.0)


def test_the_discriminator_is_the_published_one() -> None:
    judge_of_film = TemporalPatchGAN()
    assert sum(parameter.numel() for parameter in judge_of_film.parameters()) == 4_315_328
    with torch.no_grad():
        assert judge_of_film(torch.zeros(1, 3, 3, 64, 96)).shape == (1, 3, 128, 2, 3)
        assert judge_of_film(torch.zeros(2, 1, 3, 32, 32)).shape == (2, 1, 128, 1, 1)
    *inner, last = judge_of_film.convs
    for conv in inner:
        assert conv.bias is None
        assert float(conv.parametrizations.weight.original.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert float(last.weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert not last.bias.any()


def test_spectral_norm_holds_the_discriminator_s_layers_to_one() -> None:
    layers = TemporalPatchGAN().convs
    with torch.no_grad():
        layers[0].parametrizations.weight.original.mul_(50)
    for _ in range(100):
        weight = layers[0].weight.detach()
    assert float(torch.linalg.matrix_norm(weight.flatten(1), 2)) == pytest.approx(1.0, rel=0.01)


@AUTOCAST
def test_the_discriminator_learns_and_teaches(half: bool) -> None:
    torch.manual_seed(0)
    judge_of_film = TemporalPatchGAN(1)
    real = torch.rand(1, 2, 1, 32, 32)
    fake = torch.rand(1, 2, 1, 32, 32, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        hinge_generator(judge_of_film(fake)).backward()
        assert fake.grad is not None
        assert bool(fake.grad.isfinite().all())
        assert float(fake.grad.abs().sum()) > 0
        judge_of_film.zero_grad()
        hinge_discriminator(judge_of_film(real), judge_of_film(fake.detach())).backward()
    for name, parameter in judge_of_film.named_parameters():
        assert parameter.grad is not None
        assert bool(parameter.grad.isfinite().all())
        # Where neither verdict is far enough, a shift of both serves one as much as it hurts the other.
        assert float(parameter.grad.abs().sum()) > 0 or name == "convs.4.bias"


def test_the_paper_s_objective() -> None:
    restored, target = torch.full((1, 2, 3, 8, 8), 0.5), torch.full((1, 2, 3, 8, 8), -0.25)
    terms = judge(objectives.PAPER, Trial(restored, target, verdict=of(2.0, 4.0)), _sum_of_differences)
    told(terms.pixel, 0.75)
    told(terms.perceptual, 0.75 * 2 * 3 * 8 * 8)
    told(terms.adversarial, -0.03)
    told(terms.total, 0.75 + 288 - 0.03)
    assert (terms.temporal, terms.mask, terms.spread) == (None, None, None)


def _sum_of_differences(restored_NCHW: Tensor, target_NCHW: Tensor) -> Tensor:
    """Stands in for VGG-19."""
    assert restored_NCHW.ndim == 4
    return (restored_NCHW - target_NCHW).abs().sum()


def test_damage_counts_more_by_its_emphasis() -> None:
    damage = torch.zeros(1, 1, 1, 2, 2)
    damage[..., 0, 0] = 1
    restored = 0.4 * damage
    objective = Objective(damage_emphasis=3.0)
    # Weights 4, 1, 1, 1.
    told(judge(objective, Trial(restored, torch.zeros_like(restored), damage)).total, 4 * 0.4 / 7)


def test_what_was_looked_up_is_held_to_the_truth_too() -> None:
    truth = torch.zeros(1, 2, 2, 4, 4)
    terms = judge(Objective(match=0.2), Trial(truth + 0.5, truth, match_NTCHW=truth + 0.25))
    told(terms.pixel, 0.5)
    told(terms.match, 0.2 * 0.25)


@pytest.mark.parametrize(
    ("objective", "missing"),
    [
        (Objective(adversarial=1), "verdict"),
        (Objective(mask=1), "logit_NT1HW"),
        (Objective(spread=1), "spread_NT1HW"),
        (Objective(damage_emphasis=1), "damage_NT1HW"),
        (Objective(match=1), "match_NTCHW"),
    ],
)
def test_a_term_says_what_it_lacks(objective: Objective, missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        judge(objective, Trial(torch.zeros(1, 1, 1, 4, 4), torch.zeros(1, 1, 1, 4, 4)))


@pytest.mark.parametrize("wrong", [{"pixel": 0.0}, {"mask": -1.0}, {"damage_emphasis": -1.0}])
def test_an_objective_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="count"):
        Objective(**wrong)


@AUTOCAST
@pytest.mark.parametrize("damaged", [False, True], ids=["clean", "damaged"])
def test_our_objective_reaches_all_of_reweave(half: bool, damaged: bool) -> None:
    torch.manual_seed(0)
    network = Reweave.from_config("reweave-small")
    still = torch.zeros(1, 3, 2, 8, 8)
    sources = torch.rand(3, SOURCES, 32, 32)
    damage = (torch.rand(1, 3, 1, 32, 32) < 0.02 * damaged).float()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = network(torch.randn(1, 3, CHANNELS, 16, 16), still, still)
        restored = (found.mixture_NKHW * sources).sum(1, keepdim=True) + found.added_N1HW
        trial = Trial(
            restored[None],
            torch.rand(1, 3, 1, 32, 32),
            damage,
            found.logit_N1HW[None],
            found.spread_N1HW[None],
            torch.full((1, 2, 2, 32, 32), 0.5),
        )
        terms = judge(objectives.REWEAVE, trial)
    terms.total.backward()
    told(terms.total, sum(float(term.detach()) for term in terms if term is not None))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    # Each head is taught: the mask, the mixture, what is added, and the spread.
    assert bool((network.head.weight.grad.abs().amax((1, 2, 3)) > 0).all())
