"""What the classical restorer finds, mends and harms on footage whose truth is known.

    python benchmarks/classical_quality.py [--clips dog cups] [--frames 24] [--size 480] [--kinds clean dirt]

Kinds: `clean` (share of pixels touched where nothing is damaged), `lookalikes` (the same with snow, rain,
smoke ... in the scene), `dirt`, `aged` (dirt with flicker, weave and grain), `lines` (scratches), `stages`
(milliseconds). Columns: precision strict and within 2 px, recall of visible damage, harm (share of all pixels
touched more than 2 px from damage), PSNR inside the true mask before, after, by the median of three frames,
and by OpenCV's inpainting given the PERFECT mask.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.stages import told_apart
from degradation.contaminants import Contaminants
from degradation.generator import age
from degradation.grain import Grain
from degradation.lookalikes import LOOKALIKES, with_lookalike
from degradation.recipe import Recipe
from degradation.recipes import MEDIUM, worn
from degradation.scratches import Scratches
from models.classical.restorer import ClassicalRestorer
from models.metrics import Detection, compare, psnr, squared_error
from models.restorer import Footage

Planes = NDArray[np.float32]
Sum = tuple[float, int]

CLEAN = Path(__file__).resolve().parents[2] / "shared/data/clean"
DIRT = Contaminants(spots=20, blotches=1, hairs=1)
RECIPES = {
    "dirt": Recipe("dirt", (DIRT,)),
    "aged": worn(MEDIUM).without("scratches").having(DIRT),
    "lines": Recipe("lines", (Scratches(lines=1.5),)),
}
# Each clip with the first frame used: where something moves.
CLIPS = {
    "sam2_01_dog.mp4": 0,
    "sam2_02_cups.mp4": 40,
    "sam2_05_default_juggle.mp4": 60,
    "flutter_butterfly.mp4": 30,
    "mdn_bug_bw.mp4": 20,
    "mdn_tears_of_steel.webm": 300,
    "openh264_foreman_cif.264": 150,
    "udacity_test_video.mp4": 0,
    "intel_car.mp4": 60,
    "intel_person.mp4": 80,
    "intel_asl_book.mkv": 10,
    "intel_asl_sister.mkv": 10,
    "opencv_vtest.avi": 40,
    "opencv_cup.mp4": 20,
    "kivy_cityCC0.mpg": 20,
    # The fifteen above served to fit the weights of models/classical/evidence.py; these did not.
    "mdn_flower.mp4": 20,
    "sam2_03_blocks.mp4": 60,
    "sam2_04_coffee.mp4": 60,
    "udacity_solidWhiteRight.mp4": 40,
    "opencv_box.mp4": 60,
    "openh264_flower_720p.264": 60,
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

    strict: Detection = field(default_factory=Detection)
    near: Detection = field(default_factory=Detection)
    before: Sum = (0.0, 0)
    after: Sum = (0.0, 0)
    median: Sum = (0.0, 0)
    inpaint: Sum = (0.0, 0)
    seconds: float = 0.0


def plus(one: Sum, other: Sum) -> Sum:
    return one[0] + other[0], one[1] + other[1]


def score(clean: list[Planes], recipe: Recipe, seed: int) -> Score:
    """The restorer on one aged clip."""
    aged = list(age(clean, recipe, seed))
    truth = [frame.undamaged_CHW for frame in aged]
    damaged = [frame.damaged_CHW for frame in aged]
    grain = max((family.strength for family in recipe.families if isinstance(family, Grain)), default=0.0)
    total = Score()
    start = time.perf_counter()
    repairs = list(ClassicalRestorer().restore(footage(damaged)))
    total.seconds = time.perf_counter() - start
    for n, (old, repair) in enumerate(zip(aged, repairs, strict=True)):
        frame, mask = old.damaged_CHW, old.mask_HW
        # Visible damage only: contrast over the grain, at least 8/255.
        seen = mask & (np.abs(frame - truth[n]).max(axis=0) > max(8 / 255, 2 * grain))
        hit = int((repair.mask_HW & seen).sum())
        counted = {"hit": hit, "missed": int(seen.sum()) - hit}
        total.strict += replace(compare(repair.mask_HW, mask), **counted)
        total.near += replace(compare(repair.mask_HW, mask, 2), **counted)
        total.before = plus(total.before, squared_error(frame, truth[n], mask))
        total.after = plus(total.after, squared_error(repair.planes_CHW, truth[n], mask))
        neighbours = [damaged[max(n - 1, 0)], frame, damaged[min(n + 1, len(damaged) - 1)]]
        middle = np.median(neighbours, axis=0).astype(np.float32)
        total.median = plus(total.median, squared_error(middle, truth[n], mask))
        byte = (frame[0] * 255).astype(np.uint8)
        patched = cv2.inpaint(byte, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32) / 255
        total.inpaint = plus(total.inpaint, squared_error(patched[None], truth[n][:1], mask))
    return total


def touched(clean: list[Planes]) -> tuple[float, float]:
    """Share of pixels touched on undamaged footage: over the clip, and in its worst frame."""
    shares = [float(repair.mask_HW.mean()) for repair in ClassicalRestorer().restore(footage(clean))]
    return float(np.mean(shares)), max(shares)


def stages(clean: list[Planes]) -> dict[str, float]:
    """Milliseconds per frame by stage, on a dirty clip; the rest is copying and laying patches."""
    damaged = [frame.damaged_CHW for frame in age(clean, RECIPES["aged"], 7)]
    with told_apart() as spent:
        start = time.perf_counter()
        list(ClassicalRestorer().restore(footage(damaged)))
        whole = time.perf_counter() - start
    return {stage: 1000 * seconds / len(clean) for stage, seconds in {**spent, "all": whole}.items()}


def clips(options: argparse.Namespace) -> Iterator[tuple[str, list[Planes]]]:
    """The clips asked for, all by default."""
    for name, first in CLIPS.items():
        if not options.clips or any(wanted in name for wanted in options.clips):
            yield name.split(".")[0], load(name, first, options.frames, options.size, options.colour)


def report(label: str, kind: str, clean: list[Planes]) -> None:
    """One line of the table."""
    if kind == "clean":
        mean, worst = touched(clean)
        print(f"{label:24s} clean   touched {100 * mean:.4f} %, worst frame {100 * worst:.3f} %", flush=True)
    elif kind == "lookalikes":
        shares = {look: touched(list(with_lookalike(clean, look, 3)))[0] for look in LOOKALIKES}
        told = "  ".join(f"{look} {100 * share:.3f}" for look, share in shares.items())
        print(f"{label:24s} touched %: {told}", flush=True)
    elif kind == "stages":
        print(f"{label:24s} ms/frame: { ({k: round(v, 1) for k, v in stages(clean).items()}) }", flush=True)
    else:
        s = score(clean, RECIPES[kind], seed=7)
        print(
            f"{label:24s} {kind:6s} precision {s.strict.precision:4.2f} {s.near.precision:4.2f} "
            f"recall {s.strict.recall:4.2f} harm {100 * s.near.harm:.4f} % | PSNR {psnr(*s.before):5.1f} -> "
            f"{psnr(*s.after):5.1f} median {psnr(*s.median):5.1f} inpaint {psnr(*s.inpaint):5.1f} | "
            f"{1000 * s.seconds / len(clean):.0f} ms",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=480)
    parser.add_argument("--colour", action="store_true")
    parser.add_argument("--kinds", nargs="*", default=["clean", "dirt", "aged"])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for label, clean in clips(options):
        for kind in options.kinds:
            report(label, kind, clean)


if __name__ == "__main__":
    main()
