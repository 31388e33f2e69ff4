"""The restorer with weights: what it may touch, what it tells, and the command that runs it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.neural.restorer import NeuralRestorer
from models.neural.settings import BUDGETS_BYTES, Use
from models.restorer import Colour, Defect, Footage, GivenMask, Planes, Repair
from models.weights import Architecture, Bundle
from storage.vault import Vault
from tasks.ingest import ingest
from tasks.request import RequestError, RestoreRequest
from tasks.restore import ShotJob, shot_key
from tasks.verify import verify_delivery
from tests.clips import dirtied, footage, panning
from tests.networks import write_untrained
from tests.reels import Kind, write_reel
from tests.restoring import deliver_reel

Mask = NDArray[np.bool_]
ARCHITECTURES: tuple[Architecture, ...] = ("reweave", "rtn")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {name: write_untrained(folder / name, name) for name in ARCHITECTURES}


def restored(bundle: Bundle, film: Footage, use: Use | None = None) -> list[Repair]:
    return list(NeuralRestorer(bundle, use or Use()).restore(film))


def in_colour(clip: list[Planes], colour: Colour) -> list[Planes]:
    if colour == "grey":
        return clip
    return [np.concatenate([planes, planes[:, ::-1] * 0.3 + 0.3, planes * 0.2 + 0.4]) for planes in clip]


def given(film: Footage, masks: list[Mask], use: str) -> Footage:
    return replace(film, given=GivenMask(lambda: iter(masks), use))  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("colour", ["grey", "yuv", "rgb"])
def test_outside_the_mask_the_frame_is_the_sources(
    bundles: dict[str, Bundle], architecture: str, colour: Colour
) -> None:
    clip = in_colour(dirtied(panning(5, 61, 80))[0], colour)
    repairs = restored(bundles[architecture], footage(clip, colour))
    assert len(repairs) == len(clip)
    for planes, repair in zip(clip, repairs, strict=True):
        assert repair.planes_CHW.dtype == np.float32
        assert (repair.planes_CHW == planes)[:, ~repair.mask_HW].all()
        assert (repair.confidence_HW > 0)[repair.mask_HW].all()
        assert not repair.confidence_HW[~repair.mask_HW].any()
        assert ((repair.kind_HW > 0) == repair.mask_HW).all()
        assert repair.left_HW is not None
        assert not (repair.left_HW & repair.mask_HW).any()
        assert repair.whole_CHW is None
    if architecture == "reweave":  # RTN changes what its weights have learnt, and these have learnt nothing
        assert any(repair.mask_HW.any() for repair in repairs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_mask_that_stands_alone_is_repaired_and_nothing_else(
    bundles: dict[str, Bundle], architecture: str
) -> None:
    clean = panning(7, 64, 96)
    damaged, masks = [], []
    for number, planes in enumerate(clean):
        mask = np.zeros((64, 96), bool)
        if number != 3:
            mask[20:34, 10 + 9 * number : 24 + 9 * number] = True
        damaged.append(np.where(mask, np.float32(0.95), planes))
        masks.append(mask)
    repairs = restored(bundles[architecture], given(footage(damaged), masks, "replace"))
    for mask, repair in zip(masks, repairs, strict=True):
        assert np.array_equal(repair.mask_HW, mask)
        assert set(np.unique(repair.kind_HW[mask])) <= {Defect.GIVEN}
    errors = [
        np.abs(repair.planes_CHW - planes)[:, mask].mean()
        for planes, mask, repair in zip(clean, masks, repairs, strict=True)
        if mask.any()
    ]
    # Who picks and knows where the hole is needs no training; who paints starts from the surroundings, and
    # these weights would take it anywhere. The hole was 0.95, the picture is around 0.5.
    assert max(errors) < (0.06 if architecture == "reweave" else 0.25)


def test_a_hole_that_time_never_shows_is_filled_from_around(bundles: dict[str, Bundle]) -> None:
    clip = [planes * 0 + np.float32(0.4) for planes in panning(4, 64, 96)]
    mask = np.zeros((64, 96), bool)
    mask[20:40, 30:60] = True
    holed = [np.where(mask, np.float32(1), planes) for planes in clip]
    for repair in restored(bundles["reweave"], given(footage(holed), [mask] * 4, "replace")):
        assert np.abs(repair.planes_CHW[:, mask] - 0.4).max() < 0.05
        assert repair.confidence_HW[mask].max() < 0.3


def test_what_was_marked_in_a_copy_stays_its_own(bundles: dict[str, Bundle]) -> None:
    once = panning(6, 64, 96)
    clip = [planes for frame in once for planes in (frame, frame.copy())]
    masks = [np.zeros((64, 96), bool) for _ in clip]
    masks[5][30:36, 30:36] = True
    repairs = restored(bundles["reweave"], given(footage(clip), masks, "replace"))
    assert [bool(repair.mask_HW.any()) for repair in repairs] == [bool(mask.any()) for mask in masks]


def test_what_comes_into_the_picture_only_now_is_not_known(bundles: dict[str, Bundle]) -> None:
    clip = panning(5, 64, 96, step=9.0)
    masks = [np.zeros((64, 96), bool) for _ in clip]
    masks[-1][20:40, 89:96] = True  # the camera has just come to see it
    repair = restored(bundles["reweave"], given(footage(clip), masks, "replace"))[-1]
    assert repair.confidence_HW[25:35, 92:].max() < 0.3


def test_marks_that_are_added_count_for_every_copy(bundles: dict[str, Bundle]) -> None:
    once = panning(6, 64, 96)
    once[2][:, 30:36, 40:46] = 0.98
    clip = [planes for frame in once for planes in (frame, frame.copy())]
    masks = [np.zeros((64, 96), bool) for _ in clip]
    masks[5][29:37, 39:47] = True
    repairs = restored(bundles["reweave"], given(footage(clip), masks, "add"))
    for number in (4, 5):
        assert repairs[number].mask_HW[30:36, 40:46].all()


@pytest.mark.parametrize("grain", ["kept", "matched"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_presentation_may_take_the_whole_frame(
    bundles: dict[str, Bundle], architecture: str, grain: str
) -> None:
    film = footage(dirtied(panning(4, 64, 96))[0])
    for planes, repair in zip(film, restored(bundles[architecture], film, Use(grain)), strict=True):  # type: ignore[arg-type]
        assert repair.whole_CHW is not None
        inside = repair.whole_CHW[:, repair.mask_HW]
        assert np.array_equal(inside, repair.planes_CHW[:, repair.mask_HW])
        assert 0 <= repair.whole_CHW.min() <= repair.whole_CHW.max() <= 1
        assert (repair.whole_CHW != planes).any()


@pytest.mark.parametrize("pix_fmt", ["gray16le", "yuv422p10le", "gbrp10le"])
def test_a_delivery_of_it_keeps_the_laws(bundles: dict[str, Bundle], tmp_path: Path, pix_fmt: str) -> None:
    source = write_reel(tmp_path / "film", Kind(pix_fmt=pix_fmt, codec="ffv1"))
    delivered = deliver_reel(tmp_path / "vault", source, restorer=NeuralRestorer(bundles["reweave"]))
    assert not verify_delivery(delivered.bag).problems
    summary = json.loads((delivered.data / "delivery.json").read_text())
    assert summary["shots"][0]["restorer"] == "reweave"


def test_whatever_can_change_a_pixel_is_in_the_key(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    source = write_reel(tmp_path / "film", Kind())
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    reel = ingest(vault, str(source), None, lambda frames: None)
    job = ShotJob(vault.uri, reel.reel.reel_id, 0, 4, "x", "preservation")
    bundle = bundles["reweave"]
    cards = [
        NeuralRestorer(bundle).card,
        NeuralRestorer(replace(bundle, sha256="0" * 64)).card,
        NeuralRestorer(replace(bundle, settings={**bundle.settings, "sure": 0.7})).card,
        NeuralRestorer(bundle, Use(budget_bytes=BUDGETS_BYTES[1])).card,
        NeuralRestorer(bundle, Use("kept")).card,
    ]
    assert len({shot_key(reel, job, card) for card in cards}) == len(cards)
    assert NeuralRestorer(bundle).card == cards[0]


def test_asking_for_the_card_loads_no_engine(bundles: dict[str, Bundle]) -> None:
    code = (
        "import sys; from models.catalogue import load_restorer;"
        f"print(load_restorer({str(bundles['rtn'].folder)!r}).card.name, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["rtn", "False"]


def test_the_grain_kept_is_not_that_of_the_damage(bundles: dict[str, Bundle]) -> None:
    """Beside a blotch, the whole frame shows no halo of it."""
    clip = [planes * 0 + np.float32(0.5) for planes in panning(5, 64, 96)]
    damaged = [planes.copy() for planes in clip]
    damaged[2][:, 28:36, 40:52] = 0
    masks = [np.zeros((64, 96), bool) for _ in clip]
    masks[2][28:36, 40:52] = True
    repair = restored(bundles["reweave"], given(footage(damaged), masks, "replace"), Use("kept"))[2]
    assert repair.whole_CHW is not None
    assert np.abs(repair.whole_CHW - 0.5).max() < 0.03


def test_a_network_that_gives_no_numbers_is_an_error(tmp_path: Path) -> None:
    bundle = write_untrained(tmp_path / "huge", "reweave")
    restorer = NeuralRestorer(bundle)
    with torch.no_grad():
        restorer._network.head.bias.fill_(float("nan"))
    with pytest.raises(ArithmeticError, match="holds no numbers"):
        list(restorer.restore(footage(panning(3, 32, 64))))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"sure": 2.0}, "edge and sure", id="range"),
        pytest.param({"grain": "much"}, "must be a number", id="type"),
        pytest.param({"flow": "raft-large", "flow_weights": "nope.pth"}, "no such file", id="flow's weights"),
    ],
)
def test_a_bundle_that_cannot_be_used_is_refused_at_the_door(
    tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    folder = write_untrained(tmp_path / "bundle", "reweave", **settings).folder
    with pytest.raises(RequestError, match=told):
        RestoreRequest(str(tmp_path / "vault"), str(folder))


def test_the_same_film_gives_the_same_bytes(bundles: dict[str, Bundle]) -> None:
    film = footage(dirtied(panning(5, 64, 96))[0])
    one, other = (restored(bundles["reweave"], film) for _ in range(2))
    assert all(np.array_equal(a.planes_CHW, b.planes_CHW) for a, b in zip(one, other, strict=True))
