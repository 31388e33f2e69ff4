"""What the classical restorer finds, mends and harms on footage whose truth is known.

    python benchmarks/classical_quality.py [--clips sam2_01_dog ...] [--frames 24] [--size 480] [--recipes dirt aged clean]
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from degradation.generator import age
from degradation.recipe import MEDIUM, Contaminants, Flicker, Grain, Recipe, Scratches, Weave
from models.classical.restorer import ClassicalRestorer
from models.metrics import Detection, compare, psnr, squared_error
from models.restorer import Footage

Planes = NDArray[np.float32]

CLEAN = Path(__file__).resolve().parents[2] / "shared/data/clean"
STILL = {"flicker": Flicker(0, 0), "weave": Weave(0, 0), "grain": Grain(0)}
RECIPES = {
    "dirt": Recipe("dirt", replace(MEDIUM.contaminants, spots=20, blotches=1, hairs=1), Scratches(lines=0), **STILL),
    "aged": replace(MEDIUM, contaminants=replace(MEDIUM.contaminants, spots=20, blotches=1, hairs=1),
                    scratches=Scratches(lines=0)),
    "lines": Recipe("lines", Contaminants(0, blotches=0, hairs=0), Scratches(lines=1.5), **STILL),
}
# (clip, first frame, plane): plane "grey" takes luma, "rgb" colour.
CLIPS = {
    "sam2_01_dog.mp4": 0, "sam2_02_cups.mp4": 40, "sam2_05_default_juggle.mp4": 60, "flutter_butterfly.mp4": 30,
    "mdn_bug_bw.mp4": 20, "mdn_tears_of_steel.webm": 300, "openh264_foreman_cif.264": 150, "udacity_test_video.mp4": 0,
    "intel_car.mp4": 60, "intel_person.mp4": 80, "intel_asl_book.mkv": 10, "intel_asl_sister.mkv": 10,
    "opencv_vtest.avi": 40, "opencv_cup.mp4": 20, "kivy_cityCC0.mpg": 20,
}


def load(name: str, first: int, count: int, size: int, colour: bool) -> list[Planes]:
    """Frames of a clip, shrunk to `size` on the longer side: shrinking hides its compression."""
    frames: list[Planes] = []
    with av.open(str(CLEAN / name)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index < first:
                continue
            if len(frames) == count:
                break
            picture = frame.to_ndarray(format="rgb24" if colour else "gray").astype(np.float32) / 255
            scale = min(1.0, size / max(picture.shape[:2]))
            shape = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
            picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
            frames.append(np.ascontiguousarray(picture.transpose(2, 0, 1)) if colour else picture[None])
    return frames


def footage(frames: list[Planes]) -> Footage:
    """A list of frames as footage."""
    channels, height, width = frames[0].shape
    return Footage(lambda: iter(frames), len(frames), height, width, "rgb" if channels == 3 else "grey")


@dataclass
class Score:
    """Sums over a clip."""

    strict: Detection = Detection()
    near: Detection = Detection()
    before: tuple[float, int] = (0.0, 0)
    after: tuple[float, int] = (0.0, 0)
    median: tuple[float, int] = (0.0, 0)
    inpaint: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0


def plus(one: tuple[float, int], other: tuple[float, int]) -> tuple[float, int]:
    return one[0] + other[0], one[1] + other[1]


def score(clean: list[Planes], recipe: Recipe, seed: int) -> Score:
    """The restorer on one aged clip."""
    bare = replace(recipe, contaminants=Contaminants(0, blotches=0, hairs=0), scratches=Scratches(lines=0))
    truth = [frame for frame, _ in age(clean, bare, seed)]
    aged = list(age(clean, recipe, seed))
    damaged = [frame for frame, _ in aged]
    total = Score()
    start = time.perf_counter()
    repairs = list(ClassicalRestorer().restore(footage(damaged)))
    total.seconds = time.perf_counter() - start
    for n, ((frame, mask), repair) in enumerate(zip(aged, repairs, strict=True)):
        # Visible damage only: contrast over the grain, at least 8/255.
        contrast = np.abs(frame - truth[n]).max(axis=0)
        seen = mask & (contrast > max(8 / 255, 2 * recipe.grain.strength))
        strict = compare(repair.mask_HW, mask)
        near = compare(repair.mask_HW, mask, 2)
        hit = int((repair.mask_HW & seen).sum())
        total.strict += replace(strict, hit=hit, missed=int(seen.sum()) - hit)
        total.near += replace(near, hit=hit, missed=int(seen.sum()) - hit)
        total.before = plus(total.before, squared_error(frame, truth[n], mask))
        total.after = plus(total.after, squared_error(repair.planes_CHW, truth[n], mask))
        neighbours = [damaged[max(n - 1, 0)], frame, damaged[min(n + 1, len(damaged) - 1)]]
        total.median = plus(total.median, squared_error(np.median(neighbours, axis=0), truth[n], mask))
        byte = (frame[0] * 255).astype(np.uint8)
        patched = cv2.inpaint(byte, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
        total.inpaint = plus(total.inpaint, squared_error(patched[None], truth[n][:1], mask))
    return total


def touched(clean: list[Planes]) -> tuple[float, float]:
    """Share of pixels touched on undamaged footage: over the clip, and in its worst frame."""
    shares = [float(repair.mask_HW.mean()) for repair in ClassicalRestorer().restore(footage(clean))]
    return float(np.mean(shares)), max(shares)


def clips(names: list[str], frames: int, size: int) -> Iterator[tuple[str, list[Planes]]]:
    for name, first in CLIPS.items():
        if not names or any(wanted in name for wanted in names):
            yield name, load(name, first, frames, size, colour=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--recipes", nargs="*", default=["clean", "dirt", "aged"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"{'clip':24s} {'touched%':>8s} {'worst%':>7s} | recipe  prec  near  rec    harm% | before  after median inpaint | ms")
    for name, clean in clips(options.clips, options.frames, options.size):
        label = name.split(".")[0]
        if "clean" in options.recipes:
            mean, worst = touched(clean)
            print(f"{label:24s} {100 * mean:8.4f} {100 * worst:7.3f} |", flush=True)
        for key in options.recipes:
            if key == "clean":
                continue
            s = score(clean, RECIPES[key], seed=7)
            print(
                f"{label:24s} {'':8s} {'':7s} | {key:6s} {s.strict.precision:5.2f} {s.near.precision:5.2f} "
                f"{s.strict.recall:5.2f} {100 * s.near.harm:7.4f} | {psnr(*s.before):6.1f} {psnr(*s.after):6.1f} "
                f"{psnr(*s.median):6.1f} {psnr(*s.inpaint):6.1f} | {1000 * s.seconds / len(clean):.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
