"""The recipe rtn-paper: drawn as RTN's text tells, with masks and targets of its own."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from degradation import templates
from degradation.drawings import EACH, OWN
from degradation.exact import FULL
from degradation.family import Planes, Setting, Size
from degradation.generator import age
from degradation.overlay import seen
from degradation.quality import Copied, Quality, blurred
from degradation.recipe import Recipe
from degradation.recipes import RTN_PAPER
from degradation.resample import Filter, resized, turned, whole
from degradation.sharpened import Sharpened
from degradation.sheets import LINES
from degradation.templates import Changing, Templates, Walking
from storage.errors import SourceError
from tasks.corpora.templates import read_templates
from tests.scans import filled, scan

SIZE = Size(96, 128, 1)
TEMPLATES, QUALITY = Templates(), Quality()
ONLY_TEMPLATES = Recipe("templates", (TEMPLATES,))


def waves(frames: int, channels: int = 1) -> list[Planes]:
    """Soft waves with an edge, no two frames alike."""
    rows, columns = np.mgrid[0 : SIZE.height, 0 : SIZE.width].astype(np.float32)
    picture = (0.4 + 0.2 * np.sin(columns / 7) + 0.2 * (rows > 48)).astype(np.float32)
    return [np.stack([np.roll(picture, n + c, axis=1) for c in range(channels)]) for n in range(frames)]


def setting(seed: int) -> Setting:
    return Setting(SIZE, seed, OWN)


def seeds(kind: type, count: int) -> list[int]:
    """The first seeds whose clips are walking lines, or changing sheets."""
    found = (seed for seed in range(1000) if isinstance(TEMPLATES.begin(setting(seed)), kind))
    return [next(found) for _ in range(count)]


def copies(seed: int, frames: int) -> list[Copied]:
    process = QUALITY.begin(setting(seed))
    made = [process.next().on_film for _ in range(frames)]
    assert all(isinstance(copy, Copied) for copy in made)
    return made  # type: ignore[return-value]


def test_what_is_drawn_lies_where_the_text_says() -> None:
    clips = [copies(seed, 3) for seed in range(400)]
    frames = [copy for clip in clips for copy in clip]
    assert {copy.taps_px for copy in frames} == set(range(7, 26, 2))
    for filters in ({copy.there for copy in frames}, {copy.back for copy in frames}):
        assert filters == {"bicubic", "bilinear", "lanczos"}
    for copy in frames:
        assert 0 <= copy.blur[0] <= (8.4 if len(copy.blur) == 3 else 2.94)
        assert 40 <= copy.jpeg <= 100
        assert 0.8 <= copy.brightness <= 1.2
        assert 0.9 <= copy.contrast <= 1
        assert 12 <= copy.height <= 192
    assert {copy.jpeg for copy in frames} >= {40, 100}
    deviations = [float(copy.noise_HW.std()) * 255 for copy in frames if copy.noise_HW.size > 4000]
    assert min(deviations) == pytest.approx(5, abs=0.3)
    assert max(deviations) == pytest.approx(10, abs=0.5)
    shares = [
        np.mean([len(clip[0].blur) == 3 for clip in clips]),
        np.mean([copy.speckle for copy in frames]),
        np.mean([clip[0].height > SIZE.height for clip in clips]),
        np.mean([clip[0].height < SIZE.height for clip in clips]),
    ]
    assert shares == pytest.approx([0.5, 0.5, 0.2, 0.7], abs=0.06)


def test_a_clips_parameters_tremble_from_frame_to_frame() -> None:
    for seed in range(20):
        clip = copies(seed, 12)
        assert len({copy.taps_px for copy in clip}) == 1
        assert len({(copy.height, copy.width) for copy in clip}) == 1
        assert max(copy.jpeg for copy in clip) - min(copy.jpeg for copy in clip) <= 30
        assert len({copy.brightness for copy in clip}) == 12
        assert not np.array_equal(clip[0].noise_HW, clip[1].noise_HW)
        widths = np.array([copy.blur[0] for copy in clip])
        assert 0 < widths.max() / widths.min() - 1 < 1.05 / 0.95 - 1 + 1e-3
        if len(clip[0].blur) == 3:
            angles = [copy.blur[2] for copy in clip]
            assert 0 < max(angles) - min(angles) <= 0.2 * np.pi


Seen = tuple[NDArray[np.uint8], float]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """Opacity and strength of all that is laid on, as it comes."""
    told: list[Seen] = []

    def noted(opacity_hw: NDArray[np.uint8], strength: float) -> NDArray[np.float32]:
        told.append((opacity_hw, strength))
        return seen(opacity_hw, strength)

    monkeypatch.setattr(templates, "seen", noted)
    return told


@pytest.mark.parametrize("blend", ["add", "subtract", "multiply"])
def test_templates_are_blended_as_told(blend: str, looked_at: list[Seen]) -> None:
    found = 0
    for seed in seeds(Changing, 12):
        process = TEMPLATES.begin(setting(seed))
        for clean, aged in zip(waves(3), age(waves(3), ONLY_TEMPLATES, seed), strict=True):
            (overlay,) = process.next().overlays
            opacity_hw, strength = looked_at[-1]
            if overlay.blend != blend:
                continue
            found += 1
            assert 0.6 <= strength <= 1
            dark = strength * opacity_hw.astype(np.float64) / 255
            told = {
                "add": clean[0] + dark,
                "subtract": clean[0] - dark,
                "multiply": clean[0] * (1 - dark),
            }[blend]
            mask = aged.mask_HW
            assert np.abs(aged.damaged_CHW[0] - np.clip(told, 0, 1))[mask].max(initial=0) < 1e-6
            assert np.array_equal(aged.damaged_CHW[0] != clean[0], mask)
            assert np.array_equal(aged.undamaged_CHW, clean)
            assert dark[~mask & (clean[0] > 0) & (clean[0] < 1)].max() <= 10.001 / 255
    assert found >= 4


def test_lines_walk_through_a_fifth_of_the_clips_and_dirt_changes(looked_at: list[Seen]) -> None:
    kinds = [isinstance(TEMPLATES.begin(setting(seed)), Walking) for seed in range(400)]
    assert np.mean(kinds) == pytest.approx(0.2, abs=0.05)
    changing = TEMPLATES.begin(setting(seeds(Changing, 1)[0]))
    for _ in range(4):
        changing.next()
    assert all(not np.array_equal(one, other) for (one, _), (other, _) in pairwise(looked_at[-4:]))


def test_walking_lines_step_5_to_15_pixels_and_repeat_their_edges(looked_at: list[Seen]) -> None:
    steps = []
    for seed in seeds(Walking, 6):
        process = TEMPLATES.begin(setting(seed))
        overlays = [process.next().overlays[0] for _ in range(6)]
        assert len({overlay.blend for overlay in overlays}) == 1
        assert len({strength for _, strength in looked_at[-6:]}) == 6
        for (one, _), (two, _) in pairwise(looked_at[-6:]):
            step = next(
                step
                for step in (sign * px for px in range(5, 16) for sign in (1, -1))
                if np.array_equal(
                    two[:, max(step, 0) : min(step, 0) or None], one[:, max(-step, 0) : min(-step, 0) or None]
                )
            )
            edge, repeated = (one[:, :1], two[:, :step]) if step > 0 else (one[:, -1:], two[:, step:])
            assert (repeated == edge).all()
            steps.append(step)
    assert min(steps) < 0 < max(steps)


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_the_target_is_the_sharpened_grey_clean_frame(channels: int) -> None:
    clip = waves(2, channels)
    for clean, aged in zip(clip, age(clip, RTN_PAPER, 3), strict=True):
        grey = clean[0] if channels == 1 else np.tensordot(np.float32([0.299, 0.587, 0.114]), clean, 1)
        detail = grey - cv2.GaussianBlur(grey, (51, 51), 8)
        soft = cv2.GaussianBlur((np.abs(detail) > 10 / 255).astype(np.float32), (51, 51), 8)
        told = soft * np.clip(grey + 0.5 * detail, 0, 1) + (1 - soft) * grey
        assert np.abs(aged.target_CHW - told).max() < 1e-3
        assert np.abs(aged.target_CHW - grey).max() > 0.02
        assert (aged.damaged_CHW == aged.damaged_CHW[:1]).all()
        assert (aged.target_CHW == aged.target_CHW[:1]).all()


def test_behind_the_lens_the_mask_tells_of_what_is_seen() -> None:
    seen = told = shown = marked = 0
    for seed in range(24):
        for frame in age(waves(2), RTN_PAPER, seed):
            apart = np.abs(frame.damaged_CHW - frame.undamaged_CHW)[0]
            seen += int((apart > 0.06).sum())
            told += int((frame.mask_HW & (apart > 0.06)).sum())
            marked += int(frame.mask_HW.sum())
            shown += int((frame.mask_HW & (apart > 0.02)).sum())
    assert told > 0.9 * seen  # JPEG's blocks are large in frames so small
    assert shown > 0.7 * marked


def test_a_copy_without_damage_has_an_empty_mask_and_one_picture() -> None:
    for frame in age(waves(2), RTN_PAPER.without("templates"), 2):
        assert frame.damaged_CHW is frame.undamaged_CHW
        assert not frame.mask_HW.any()


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(64, 96), (150, 201), (31, 40)], ids=str)
def test_pictures_are_resized_as_opencv_does(how: Filter, size: tuple[int, int]) -> None:
    picture = waves(1)[0][0]
    code = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}[how]
    theirs = np.clip(cv2.resize(picture, size[::-1], interpolation=code), 0, 1)
    assert np.abs(resized(whole(picture), *size, how) / FULL - theirs).max() < 3e-3


@pytest.mark.parametrize("blur", [(1.7,), (5.0, 0.7, 0.9)], ids=["round", "with a direction"])
def test_blurs_are_gaussian(blur: tuple[float, ...]) -> None:
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = FULL
    spread = blurred(point, 25, blur).astype(np.float64) / FULL
    rows, columns = np.mgrid[-20:21, -20:21]
    variances = (spread * columns**2).sum(), (spread * rows**2).sum(), (spread * rows * columns).sum()
    told = (blur[0] ** 2, blur[0] ** 2, 0.0)
    if len(blur) == 3:
        c, s = np.cos(blur[2]), np.sin(blur[2])
        told = (5 * c * c + 0.7 * s * s, 5 * s * s + 0.7 * c * c, (5 - 0.7) * s * c)
    assert spread.sum() == pytest.approx(1, abs=0.02)
    assert variances == pytest.approx(told, abs=0.2)


def test_a_turned_square_lies_inside_the_one_it_is_cut_from() -> None:
    sheet = np.zeros((200, 200), np.uint8)
    sheet[50:150, 50:150] = 255
    for angle in np.linspace(0, 2 * np.pi, 17):
        inside = turned(sheet, 99.5, 99.5, 99, float(angle))
        assert inside.min() > 200
        assert len(inside) == pytest.approx(99 / (abs(np.cos(angle)) + abs(np.sin(angle))), abs=1.01)


@pytest.mark.parametrize("number", range(0, 12 * EACH, EACH), ids=lambda n: OWN.kinds[n])
def test_our_sheets_are_dark_marks_on_light_ground(number: int) -> None:
    sheet = OWN[number]
    assert np.median(sheet.grey_HW) >= 250
    assert 0.0005 < (sheet.grey_HW < 225).mean() < 0.4
    assert len(sheet.marks) > 50


def test_a_folder_of_scans_serves_as_templates(tmp_path: Path) -> None:
    files = {
        "001/a.png": scan(),
        "b.tif": scan(".tif", dark=True),
        "c.jpg": scan(".jpg"),
        "LICENCE.txt": b"mine",
    }
    sheets = read_templates(filled(tmp_path, files))
    assert list(sheets.kinds) == [LINES, "", ""]
    for sheet in sheets.sheets:
        assert np.median(sheet.grey_HW) == 255
        assert sheet.grey_HW[70, 100] < 40
        assert len(sheet.marks)
    recipe = Recipe("mine", (Templates(templates_sha256=sheets.sha256),))
    aged = list(age(waves(3), recipe, 1, sheets))
    assert any(frame.mask_HW.any() for frame in aged)
    again = read_templates(tmp_path)
    assert again.sha256 == sheets.sha256
    (tmp_path / "c.jpg").rename(tmp_path / "d.jpg")
    assert read_templates(tmp_path).sha256 != sheets.sha256


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param({}, "put PNG, TIFF or JPEG", id="empty"),
        pytest.param({"LICENCE": b""}, "put PNG, TIFF or JPEG", id="no scans"),
        pytest.param({"a.png": scan(), "b.png": scan()[:200]}, "b.png", id="cut short"),
        pytest.param({"a.jpg": b"nothing"}, "a.jpg: cannot be decoded", id="no JPEG"),
        pytest.param({"a.bmp": b""}, "a.bmp: no scan", id="another format"),
    ],
)
def test_folders_that_cannot_serve_are_told(files: dict[str, bytes], told: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=told):
        read_templates(filled(tmp_path, files))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder of templates"):
        read_templates(tmp_path / "none")


def test_other_templates_than_the_recipes_are_refused(tmp_path: Path) -> None:
    sheets = read_templates(filled(tmp_path, {"a.png": scan()}))
    named = Recipe("mine", (Templates(templates_sha256=sheets.sha256, probability=0.0),))
    with pytest.raises(ValueError, match=f"asks for templates {sheets.sha256[:16]}, given are our own"):
        list(age(waves(1), named, 1))
    with pytest.raises(ValueError, match="asks for our own drawings, given are templates"):
        list(age(waves(1), RTN_PAPER, 1, sheets))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: Templates(smallest_box_px=400), "smallest_box_px"),
        (lambda: Templates(shortest_step_px=20), "shortest_step_px"),
        (lambda: Quality(enlarged=0.6, kept=0.6), "together"),
        (lambda: Quality(smallest_scale=0.0), "scales"),
        (lambda: Quality(least_noise=0.5), "least_noise"),
        (lambda: Quality(worst_jpeg=0), "worst_jpeg"),
        (lambda: Sharpened(taps_px=50), "odd"),
    ],
)
def test_parameters_that_cannot_be_are_refused(wrong: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wrong()
