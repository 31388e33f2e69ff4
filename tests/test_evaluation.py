"""Restorers side by side: exact where the answer is known, the same twice, and told on a page."""

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degradation.generator import LAYERS, drawn
from degradation.lookalikes import LOOKALIKES
from models.catalogue import DEFAULT
from models.metrics import grown
from models.restorer import Repair
from storage.corpus import Clip
from storage.errors import StorageError
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture
from storage.reel import VideoFacts
from tasks.corpora.recipes import recipe_facts
from tasks.evaluation.evaluation import Evaluation, evaluate
from tasks.evaluation.judge import KnownClip
from tasks.evaluation.page import evaluation_html, write_evaluation
from tasks.evaluation.request import EvaluationRequest
from tasks.evaluation.score import SliceScore, Tally
from tasks.evaluation.set import EvaluationSet
from tasks.plots import Bars, bars_svg
from tasks.request import RequestError
from tests.corpora import make_clip, write_corpus
from tests.film import WORN, Plan, make_film
from tests.networks import write_untrained

HEIGHT, WIDTH = 72, 80
FILMS = ("films/b.mkv", "films/<script>alert(1).mkv")
GREY_18 = VideoFacts("ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    clips = [make_clip(seed, frames=6, height=HEIGHT, width=WIDTH) for seed in range(6)]
    return write_corpus(tmp_path_factory.mktemp("corpus"), clips, 3, ("test", "test", "train"), FILMS)


@pytest.fixture(scope="module")
def asked(corpus: str, tmp_path_factory: pytest.TempPathFactory) -> EvaluationRequest:
    reel = tmp_path_factory.mktemp("reels") / "old & worn.mkv"
    with Ffv1Writer(reel, GREY_18) as writer:
        for frame in make_film(3, Plan(1, (12, 12)), WORN).frames:
            writer.write(Picture((frame,), GREY8))
    return EvaluationRequest(corpus, clips=2, frames=5, reels=(str(reel),), reel_frames=6)


@pytest.fixture(scope="module")
def evaluation(asked: EvaluationRequest, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    bundle = tmp_path_factory.mktemp("bundle")
    write_untrained(bundle, "reweave")
    done = []
    made = evaluate(
        ["classical", str(bundle)],
        asked,
        lambda now, total: done.append((now, total)),
        {str(bundle): "<b>net</b>"},
    )
    assert done == [(n, 11) for n in range(12)]
    return made


def test_every_slice_is_told_of_every_restorer(evaluation: Evaluation) -> None:
    assert [rival.title for rival in evaluation.restorers] == ["none", "classical", "<b>net</b>"]
    assert evaluation.slices == (
        *("light", "medium", "heavy"),
        *LAYERS,
        *("clean", "lookalikes", "lookalike snow", "lookalike confetti"),
        *sorted(f"film {film.rpartition('/')[2]}" for film in FILMS),
        "real old & worn.mkv",
    )
    for scores in evaluation.scores.values():
        assert tuple(scores) == evaluation.slices
        assert scores["light"].clips == scores["clean"].clips == 2
        assert scores["light"].frames == 10
        assert scores["real old & worn.mkv"].frames == 6
    assert len(evaluation.restorers[2].weights_sha256 or "") == 64
    assert all(cost.seconds_per_frame for cost in evaluation.costs.values())


def test_doing_nothing_finds_nothing_and_harms_nothing(evaluation: Evaluation) -> None:
    for name in ("light", "medium", "heavy", *sorted(f"film {f.rpartition('/')[2]}" for f in FILMS)):
        told = evaluation.scores["none"][name]
        assert told.psnr_inside is not None
        assert told.psnr_inside < 40
        assert (told.psnr_inside_gain, told.recall, told.f1, told.harm) == (0, 0, 0, 0)
        assert (told.touched_share, told.precision, told.psnr_outside) == (0, None, None)
        assert (told.warping, told.flicker) == (told.warping_before, told.flicker_before)
        assert told.warping != told.warping_undamaged
    clean = evaluation.scores["none"]["clean"]
    assert (clean.damaged_px, clean.harm, clean.ssim) == (0, 0, pytest.approx(1))
    assert (clean.recall, clean.f1, clean.psnr, clean.psnr_inside) == (None, None, None, None)
    assert clean.warping == clean.warping_undamaged


def test_a_network_that_knows_nothing_does_harm(evaluation: Evaluation) -> None:
    net, none = evaluation.scores["<b>net</b>"], evaluation.scores["none"]
    for name in ("heavy", "clean", "lookalikes"):
        harm, psnr = net[name].harm, net[name].psnr_outside
        assert harm is not None
        assert harm > 0
        assert psnr is not None
        assert net[name].frames == none[name].frames
    real = net["real old & worn.mkv"]
    assert real.touched_share
    assert (real.harm, real.recall, real.psnr, real.warping_undamaged) == (None, None, None, None)
    assert real.warping != real.warping_before


def test_slices_are_sums_of_the_same_clips(evaluation: Evaluation) -> None:
    scores = evaluation.scores["classical"]
    damaged = sum(scores[name].damaged_px for name in ("light", "medium", "heavy"))
    films = [scores[name] for name in evaluation.slices if name.startswith("film ")]
    layers = [scores[layer].damaged_px for layer in LAYERS]
    assert sum(film.damaged_px for film in films) == damaged > 0
    assert [film.clips for film in films] == [3, 3], "of each recipe one, and none that is undamaged"
    assert max(layers) <= damaged <= sum(layers)
    assert scores["templates"] == Tally().told(), "no recipe of ours lays on templates"
    assert scores["contaminants"].recall is not None
    assert scores["contaminants"].harm is None


def test_again_and_in_another_order_it_is_the_same(asked: EvaluationRequest, evaluation: Evaluation) -> None:
    net = evaluation.restorers[2]
    again = evaluate([net.name, "classical"], asked, titles={net.name: net.title})
    assert again.set_sha256 == evaluation.set_sha256
    assert again.scores == evaluation.scores
    assert list(again.scores) == ["none", net.title, "classical"]
    for one, other in zip(again.gallery, evaluation.gallery, strict=True):
        assert {p.label: p.png for p in one.pictures} == {p.label: p.png for p in other.pictures}
    other = evaluate([], replace(asked, seed=8, reels=(), clips=1))
    assert other.set_sha256 != evaluate([], replace(asked, reels=(), clips=1)).set_sha256


def oracle(clip: Clip, reach_px: int = 0) -> list[Repair]:
    """Puts back what was there, and marks so many pixels around it too."""
    repairs = []
    for undamaged, bits in zip(clip.undamaged_TCHW, clip.masks_THW, strict=True):
        mask = grown(bits > 0, reach_px)
        planes = undamaged.astype(np.float32) / np.float32(255)
        repairs.append(Repair(planes, mask, mask.astype(np.float32), mask.astype(np.uint8)))
    return repairs


def test_damage_that_cannot_be_seen_counts_neither_way() -> None:
    clip = make_clip(1, height=HEIGHT, width=WIDTH)
    middle = clip.masks_THW.shape[2] // 2
    faint = clip.masks_THW[:, None] > 0
    faint[..., middle:] = False
    damaged = np.where(faint, clip.undamaged_TCHW + 5, clip.damaged_TCHW).astype(np.uint8)
    known = KnownClip(replace(clip, damaged_TCHW=damaged))
    assert 0 < faint.sum() < np.count_nonzero(clip.masks_THW)
    for repairs in (oracle(clip), oracle(replace(clip, masks_THW=clip.masks_THW * ~faint[:, 0]))):
        told = known.tally(repairs).told()
        assert (told.recall_seen, told.f1_seen) == (1, 1)
    assert (told.recall or 1) < 1
    wide = known.tally(oracle(clip, 2)).told()
    assert wide.recall_seen == 1 > (wide.f1_seen or 1)


def test_an_oracle_scores_as_one() -> None:
    clip = make_clip(1, height=HEIGHT, width=WIDTH)
    known = KnownClip(clip)
    exact = known.tally(oracle(clip)).told()
    assert (exact.precision, exact.recall, exact.f1, exact.f1_near, exact.harm) == (1, 1, 1, 1, 0)
    assert (exact.psnr, exact.psnr_inside, exact.psnr_inside_gain) == (None, None, None)
    assert exact.ssim == pytest.approx(1)
    assert exact.damaged_px == np.count_nonzero(clip.masks_THW) == 5 * 20
    assert (exact.warping, exact.flicker) == (exact.warping_undamaged, exact.flicker_undamaged)
    wide = known.tally(oracle(clip, 2)).told()
    assert wide.harm_near == 0 < (wide.harm or 0)
    assert (wide.precision or 1) < 1 == wide.f1_near
    assert (known.tally(oracle(clip, 3)).told().harm_near or 0) > 0


def test_each_layer_is_told_by_its_own_pixels() -> None:
    clip = make_clip(1, height=HEIGHT, width=WIDTH)
    known = KnownClip(clip)
    bits = [int(((clip.masks_THW >> n) & 1).sum()) for n in range(len(LAYERS))]
    assert sorted(bits)[-2:] != [0, 0]
    blind = [replace(r, mask_HW=r.mask_HW & (clip.masks_THW[n] & 1 > 0)) for n, r in enumerate(oracle(clip))]
    told = {layer: tally.told() for layer, tally in known.layers(blind).items()}
    assert [told[layer].damaged_px for layer in LAYERS] == bits
    assert told["contaminants"].recall == 1
    both = int(((clip.masks_THW & 3) == 3).sum())
    assert told["scratches"].recall == pytest.approx(both / bits[1])
    assert told["scratches"].psnr_inside_before == pytest.approx(_psnr(clip, 2), rel=1e-5)


def _psnr(clip: Clip, bit: int) -> float:
    at = (clip.masks_THW & bit) > 0
    apart = clip.damaged_TCHW[:, 0][at].astype(float) - clip.undamaged_TCHW[:, 0][at]
    return float(-10 * np.log10(((apart / 255) ** 2).mean()))


def test_no_training_draws_these_seeds_and_kinds_go_round(corpus: str) -> None:
    material = EvaluationSet(EvaluationRequest(corpus, clips=15))
    seeds = [clip.seed for clip in material.clips]
    assert len(set(seeds)) == len(seeds) == 5 * 15
    assert all(2**63 <= seed < 2**64 for seed in seeds)
    kinds = [clip.lookalike for clip in material.clips if clip.part == "lookalikes"]
    assert kinds == [*LOOKALIKES, *LOOKALIKES][:15]
    for clip in material.clips:
        made = drawn(clip.recipe, clip.seed)
        wanted = {"clean": "clean", "lookalikes": "lookalike"}.get(clip.part, "damaged")
        assert (made.kind, made.lookalike) == (wanted, clip.lookalike)
    assert {clip.row["split"] for clip in material.clips} == {"test"}
    films = [clip.film for clip in material.clips if clip.part == "light"]
    assert {films.count(film) for film in set(films)} == {7, 8}


def test_all_is_written_and_names_are_escaped(evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(evaluation, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "film &lt;script&gt;alert(1).mkv" in page
    assert "real old &amp; worn.mkv" in page
    assert page.count("<svg") == 3
    told = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=_none_of_these)
    assert told["format"] == 1
    assert told["scores"] == {
        name: {part: asdict(score) for part, score in scores.items()}
        for name, scores in evaluation.scores.items()
    }
    files = [picture["file"] for shown in told["gallery"] for picture in shown["pictures"]]
    assert sorted(files) == sorted(f"gallery/{path.name}" for path in (tmp_path / "gallery").iterdir())
    assert page.count("data:image/png;base64,") == len(files)
    # Three recipes and look-alikes twice each, and one frame of the reel.
    assert len(told["gallery"]) == 9
    for file in files:
        assert (tmp_path / file).read_bytes()[:4] == b"\x89PNG"
    write_evaluation(replace(evaluation, gallery=evaluation.gallery[:1]), tmp_path)
    assert len(list((tmp_path / "gallery").iterdir())) == len(evaluation.gallery[0].pictures)
    assert evaluation_html(evaluation) == page
    hostile = replace(evaluation.gallery[0], part="<script>", told="<script>")
    assert "<script" not in evaluation_html(replace(evaluation, gallery=(hostile,)))


def _none_of_these(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_bars_stand_on_either_side_of_nothing() -> None:
    svg = bars_svg(["<i>"], [Bars("one", "#fff", [-1.0]), Bars("two", "#000", [3.0])])
    assert "&lt;i&gt;" in svg
    assert '<rect x="220.0" y="0" width="105.0"' in svg
    assert '<rect x="325.0" y="11" width="315.0"' in svg
    assert "<rect" not in bars_svg(["a"], [Bars("one", "#fff", [None])])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"corpus": " "}, "name a finished corpus", id="no corpus"),
        pytest.param({"recipes": ("mild",)}, "recipe mild: no such recipe", id="recipe"),
        pytest.param({"recipes": ("light", "light")}, "recipe light: named twice", id="recipe twice"),
        pytest.param({"split": "all"}, "split all: choose train, val, test", id="split"),
        pytest.param({"clips": 0}, "0 clips: at least 1", id="no clips"),
        pytest.param({"frames": -1}, "-1 frames: at least 1, or 0", id="frames"),
        pytest.param({"reel_frames": 0}, "0 frames of a reel: 1 to 240", id="no frames of reels"),
        pytest.param({"reel_frames": 241}, "241 frames of a reel: 1 to 240", id="too many of reels"),
        pytest.param({"seed": -1}, "seed -1: a whole number from 0", id="seed"),
    ],
)
def test_requests_that_cannot_be(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        EvaluationRequest(**{"corpus": "here", **wrong})


def test_a_recipe_may_not_be_called_like_a_part(tmp_path: Path) -> None:
    facts = recipe_facts(EvaluationRequest("here").damaged("light"))
    for name in ("clean", "scratches", "film a"):
        file = tmp_path / "own.json"
        file.write_text(json.dumps({**facts, "name": name}))
        with pytest.raises(RequestError, match=f"recipe {name}: a part of the evaluation has that name"):
            EvaluationRequest("here", recipes=(str(file),))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"split": "val"}, "has no clips for val", id="empty split"),
        pytest.param({"frames": 7}, "has 6 frames, 7 were asked for", id="frames"),
        pytest.param({"corpus": "/nowhere"}, "no finished corpus there", id="no corpus"),
    ],
)
def test_corpora_that_do_not_serve(asked: EvaluationRequest, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(StorageError, match=told):
        evaluate([], replace(asked, **wrong))


@pytest.mark.parametrize(
    ("restorers", "reels", "told"),
    [
        pytest.param(["best"], (), "restorer best: there is no such restorer", id="restorer"),
        pytest.param(["default", DEFAULT], (), f"restorer {DEFAULT}: named twice", id="twice"),
        pytest.param(["rtn"], (), "restorer rtn: there are no weights", id="no weights"),
        pytest.param([], ("/nowhere",), "/nowhere", id="reel"),
    ],
)
def test_what_there_is_not_is_told_before_any_work(
    asked: EvaluationRequest, restorers: list[str], reels: tuple[str, ...], told: str
) -> None:
    done: list[int] = []
    with pytest.raises((RequestError, StorageError), match=told):
        evaluate(restorers, replace(asked, reels=reels), lambda now, total: done.append(now))
    assert not done or reels


def test_two_restorers_may_not_share_a_title(asked: EvaluationRequest) -> None:
    with pytest.raises(RequestError, match="another one is called none too; give it a title"):
        evaluate(["classical"], asked, titles={"classical": "none"})


def test_figures_are_plain() -> None:
    assert all(value in (0, None) for value in asdict(Tally().told()).values())
    assert set(asdict(Tally().told())) == set(SliceScore.__dataclass_fields__)
