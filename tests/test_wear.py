"""The instrument gives back what was put in, within what it can tell; the page names both sides."""

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from degradation.recipes import RTN_PAPER
from degradation.templates import Templates
from flows.cli import main
from models.wear.measure import measure_wear
from models.wear.picture import slope
from models.wear.wear import STATISTICS, Wear, memory, overlap, spread
from storage.master import GREY8, Ffv1Writer
from storage.pixels import Picture as Scan
from storage.reel import VideoFacts
from tasks.corpora.comparison import Side, compare
from tasks.corpora.realism_page import realism_html
from tasks.corpora.recipes import recipe_facts
from tasks.corpora.wear import Sample, measure_clips
from tasks.plots import Curve, histogram_svg
from tests.clips import footage, panning, texture
from tests.film import CLEAN, WORN, Damage, Plan, make_film

GREY_18 = VideoFacts("ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2)
HEIGHT, WIDTH = 144, 192
Picture = NDArray[np.float32]


def walk(frames: int, std: float, keeps: float, seed: int) -> NDArray[np.float64]:
    """First-order noise of a standard deviation and a memory."""
    rng = np.random.default_rng(seed)
    values = [float(rng.normal())]
    for _ in range(frames - 1):
        values.append(keeps * values[-1] + (1 - keeps**2) ** 0.5 * float(rng.normal()))
    return std * np.array(values)


def grained(pictures: Iterable[Picture], sigma: float = 0.004, coarse_px: float = 0.0) -> list[Picture]:
    """New grain on each: without any, frames that hardly move would pass for repeats."""
    rng, out = np.random.default_rng(6), []
    for picture in pictures:
        noise = rng.standard_normal(picture.shape).astype(np.float32)
        if coarse_px:
            noise = cv2.GaussianBlur(noise, (0, 0), coarse_px)
        out.append(picture + sigma * noise / noise.std())
    return out


def still(frames: int) -> list[Picture]:
    """A camera that stands."""
    return grained([texture(HEIGHT, WIDTH, 5)] * frames)


def measured(pictures: Iterable[Picture]) -> Wear:
    return measure_wear(footage([np.clip(p, 0, 1).astype(np.float32)[None] for p in pictures]))


def test_a_steady_shot_is_steady() -> None:
    wear = measured([planes[0] for planes in panning(16, HEIGHT, WIDTH, grain=0.004)])
    assert spread(wear.steps_T) < 0.001
    assert max(spread(wear.across_T), spread(wear.down_T)) < 0.0005
    assert wear.dirt_T.sum() == 0
    assert wear.lines_T.sum() == 0
    assert wear.repeats_T.sum() == 0


@pytest.mark.parametrize("keeps", [0.0, 0.7])
def test_flicker_is_measured_back(keeps: float) -> None:
    gains = walk(30, 0.05, keeps, 7)
    # The camera moves: where nothing does, frames of like gain would pass for repeats.
    clip = panning(30, HEIGHT, WIDTH, grain=0.004)
    wear = measured([p[0] * np.float32(1 + gain) for p, gain in zip(clip, gains, strict=True)])
    steps = np.diff(np.log1p(gains))
    assert spread(wear.steps_T) == pytest.approx(spread(steps.astype(np.float32)), rel=0.05)
    assert memory(wear.steps_T) == pytest.approx(memory(steps.astype(np.float32)), abs=0.05)
    assert np.median(wear.uneven_T) < 0.004


def test_uneven_flicker_is_measured_back() -> None:
    rng = np.random.default_rng(8)
    pictures = []
    for p in still(16):
        slant = cv2.resize(rng.normal(0, 0.04, (1, 2)).astype(np.float32), (WIDTH, HEIGHT))
        pictures.append(p * (1 + slant - slant.mean()))
    # Two corners of deviation 0.04 differ by 0.057; a ramp between them deviates by a quarter or so of that
    # over the frame, and the difference of two frames by 1.4 times.
    assert np.sqrt((measured(pictures).uneven_T ** 2).mean()) == pytest.approx(0.057 * 1.41 * 0.36, rel=0.3)


def test_weave_is_measured_back_and_the_camera_is_not() -> None:
    across, down = walk(30, 0.9, 0.2, 9), walk(30, 0.5, 0.2, 10)
    world = texture(HEIGHT + 40, WIDTH + 80, 11)
    centres = [(20 + WIDTH / 2 + n + across[n], HEIGHT / 2 + 20 + down[n]) for n in range(30)]
    wear = measured(grained(cv2.getRectSubPix(world, (WIDTH, HEIGHT), centre) for centre in centres))
    # The slowest part of the wandering passes for the camera.
    assert spread(wear.across_T) * HEIGHT == pytest.approx(across.std(), rel=0.2)
    assert spread(wear.down_T) * HEIGHT == pytest.approx(down.std(), rel=0.2)


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_grain_is_measured_back(sigma: float) -> None:
    wear = measured(grained([texture(HEIGHT, WIDTH, 13)] * 8, sigma))
    assert np.nanmedian(wear.grain_TB[:, 2:6]) == pytest.approx(sigma, rel=0.15)


@pytest.mark.parametrize("coarse_px", [0.8, 1.2])
def test_coarseness_is_measured_back(coarse_px: float) -> None:
    wear = measured(grained([texture(HEIGHT, WIDTH, 15)] * 8, 0.02, coarse_px))
    assert np.median(wear.coarseness_T) * HEIGHT == pytest.approx(coarse_px, rel=0.15)


def test_spots_are_counted_and_sized() -> None:
    rng = np.random.default_rng(16)
    pictures = []
    for p in still(12):
        spots = np.zeros_like(p)
        # Far enough apart not to touch: one in each of six fields.
        for field in range(6):
            x = int(WIDTH / 3 * (field % 3 + rng.uniform(0.2, 0.8)))
            y = int(HEIGHT / 2 * (field // 3 + rng.uniform(0.2, 0.8)))
            cv2.circle(spots, (x, y), 4, 1.0, -1)
        pictures.append(0.7 * p + spots * (np.float32(0.95) - 0.7 * p))
    wear = measured(pictures)
    assert wear.suspects_T.mean() == pytest.approx(6, abs=0.3)
    # Discs all alike line up by accident, and pass for one thing flying: not all are believed.
    assert 3.5 < wear.dirt_T.mean() <= 6
    # A disc of radius 4 has 9 px across; softening before the comparison adds a pixel or two.
    assert np.median(wear.diameter_N) * HEIGHT == pytest.approx(10, abs=1.5)
    assert np.median(wear.length_N) < 1.2
    assert (wear.contrast_N > 0).mean() > 0.95


def test_a_scratch_is_followed() -> None:
    rng = np.random.default_rng(17)
    world = texture(HEIGHT + 8, WIDTH + 120, 18)
    across = np.arange(WIDTH)
    pictures = []
    for n in range(24):
        view = cv2.getRectSubPix(world, (WIDTH, HEIGHT), (WIDTH / 2 + 3 * n, HEIGHT / 2))
        place = 120 + rng.normal(0, 0.3)
        pictures.append(view - 0.3 * np.exp(-((across - place) ** 2) / (2 * 0.9**2)).astype(np.float32))
    wear = measured(pictures)
    assert wear.lines_T.mean() > 0.8
    assert wear.line_life_L.max() >= 20
    assert np.nanmedian(wear.line_contrast_S) == pytest.approx(-0.3, abs=0.06)
    # The area of a Gaussian by its peak is 2.5 sigma.
    assert np.nanmedian(wear.line_width_S) * HEIGHT == pytest.approx(2.5 * 0.9, rel=0.3)


def test_repeats_are_counted() -> None:
    clip = [planes[0] for planes in panning(8, HEIGHT, WIDTH)]
    assert measured([p for p in clip for _ in range(2)]).repeats_T.mean() == 0.5


def test_a_blurred_picture_has_a_steeper_spectrum() -> None:
    picture = grained([texture(HEIGHT, WIDTH, 19)], 0.02)[0]
    assert slope(cv2.GaussianBlur(picture, (0, 0), 1.5)) < slope(picture) - 0.3
    assert np.isnan(slope(np.full((HEIGHT, WIDTH), 0.5, np.float32)))


def test_no_step_is_taken_across_a_cut() -> None:
    one = Wear(steps_T=np.array([1, 1, 1, 1, 1, np.nan], np.float32))
    other = Wear(steps_T=np.array([-1, -1, -1, -1, -1, np.nan], np.float32))
    assert memory((one + other).steps_T) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [([2, 2], [1, 1], 1.0), ([1, 0], [0, 5], 0.0), ([1, 1], [4, 0], 0.5)],
    ids=["same", "apart", "half"],
)
def test_overlap(one: list[int], other: list[int], share: float) -> None:
    assert overlap(np.array(one), np.array(other)) == pytest.approx(share)
    assert np.isnan(overlap(np.array(one), np.array([0, 0])))


def test_a_corpus_clip_is_measured_as_a_shot() -> None:
    grey_TCHW = np.stack([np.rint(np.clip(p, 0, 1) * 255).astype(np.uint8)[None] for p in still(8)])
    colour_TCHW = np.repeat(grey_TCHW, 3, axis=1)
    wear = measure_clips([grey_TCHW, colour_TCHW], Sample(rows=120, frames=6))
    assert wear.middle_T.size == 12
    assert wear.middle_T[:6] == pytest.approx(wear.middle_T[6:], abs=1e-5)
    assert np.isnan(wear.steps_T).sum() == 2


def worn(diameter: float) -> Wear:
    return Wear(
        dirt_T=np.full(20, 5, np.float32),
        diameter_N=np.full(100, diameter, np.float32),
        contrast_N=np.full(100, -0.1, np.float32),
    )


def test_what_does_not_overlap_is_said() -> None:
    scratched = Wear(line_width_S=np.full(30, 0.004, np.float32))
    comparisons = compare(
        [Side("a.mkv", "real", worn(0.01)), Side("crude", "synthetic", worn(0.05) + scratched)]
    )
    sentences = [sentence for comparison in comparisons for sentence in comparison.sentences()]
    assert sentences == [
        "crude: diameter of defects is too high: 0.05 (0.05 to 0.05), real film 0.01 (0.01 to 0.01); "
        "overlap 0.00",
        "width of scratches: too little of it in the real film to compare (none)",
    ]
    sizes = next(c for c in comparisons if c.name == "diameter of defects")
    assert [reading.side for reading in sizes.readings] == ["all real film", "a.mkv", "crude"]
    assert [reading.nearest for reading in sizes.readings] == [None, None, "a.mkv"]
    unknown = next(c for c in comparisons if c.name == "grain")
    assert unknown.readings[1].median is None


def test_one_real_film_is_enough_to_be_like() -> None:
    films = [Side("a", "real", worn(0.005)), Side("b", "real", worn(0.01)), Side("c", "real", worn(0.05))]
    sizes = next(c for c in compare([*films, Side("made", "synthetic", worn(0.01))]) if "diameter" in c.name)
    made = sizes.readings[-1]
    assert made.overlap == pytest.approx(1 / 3)
    assert (made.nearest, made.nearest_overlap) == ("b", 1.0)
    assert sizes.sentences() == []


def test_the_page_lists_both_sides_and_escapes_names() -> None:
    sides = [Side("<b>reel</b>.mkv", "real", worn(0.01)), Side("x&<i>", "synthetic", worn(0.05))]
    page = realism_html(sides, compare(sides))
    assert "&lt;b&gt;reel&lt;/b&gt;.mkv" in page
    assert "x&amp;&lt;i&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert page.count("<svg") == len(STATISTICS)
    assert "http" not in page
    assert "src=" not in page


def test_a_histogram_without_samples_draws_its_axis_alone() -> None:
    empty = Curve("none", "#fff", np.zeros(4, np.int64), filled=False)
    assert "polyline" not in histogram_svg(np.linspace(0, 1, 5), False, [empty])


def film(path: Path, damage: Damage) -> str:
    with Ffv1Writer(path, GREY_18) as writer:
        for frame in make_film(3, Plan(1, (12, 12)), damage).frames:
            writer.write(Scan((frame,), GREY8))
    return str(path)


def test_reels_and_recipes_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, clean = film(tmp_path / "old<1>.mkv", WORN), film(tmp_path / "new.mkv", CLEAN)
    page = tmp_path / "out" / "page.html"
    command = ["corpus", "realism", real, "--clean", clean, "--output", str(page), "--against"]
    assert main([*command, "light"]) == 0
    assert "old&lt;1&gt;.mkv" in page.read_text()
    told = json.loads(page.with_suffix(".json").read_text())
    assert [side["side"] for side in told["series"]] == ["old<1>.mkv", "clean footage", "light"]
    assert {s["name"]: len(s["readings"]) for s in told["statistics"]} == {s.name: 4 for s in STATISTICS}
    assert str(page) in capsys.readouterr().out
    assert main([*command, "ancient"]) == 2
    assert "recipe ancient: no such recipe; choose light" in capsys.readouterr().err
    scans = tmp_path / "scans.json"
    recipe = RTN_PAPER.having(Templates(templates_sha256="0" * 64))
    scans.write_text(json.dumps(recipe_facts(recipe)))
    assert main([*command, str(scans)]) == 2
    assert "lays on scans of yours; make a corpus with them" in capsys.readouterr().err
