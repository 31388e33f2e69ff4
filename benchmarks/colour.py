"""Colour carried from one still, against two baselines, on colour clips made grey.

    python -m benchmarks.colour [--clips foreman cups] [--tests middle far sibling] [--lines 480] [--save DIR]
        [--data DIR] [--colouriser BUNDLE]

Tests: `middle` (60 frames, the still is the 31st), `far` (101 frames, the still is the last, the first 50 are
scored: the test of "Bringing Old Films Back to Life"), `sibling` (50 frames, the still is one of 50 frames
after them, as from another shot). Columns: mean CIEDE2000 and PSNR of ab over every third frame but the
still's, with the clip's own luma; flicker (change of ab along the true motion, the truth's own beside it);
seconds of CPU a frame. Fails where `propagate`, or the network, is not better than both baselines in the
first two tests. In the end stands each one's mean over all tests, and on how many the network was better than
`propagate`. A bundle of other weights of redye may be named in place of those that come with Answerprint.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.colour.baselines import ByLuma, Copied
from models.colour.catalogue import load_colouriser
from models.colour.colouriser import Colouriser, Reference
from models.colour.lab import chroma_for, lab_of_rgb, lab_of_ycc, rgb_of_ycc
from models.colour.propagate import Propagate
from models.metrics.colour import ColourFidelity, chroma_flicker, colour_fidelity
from models.metrics.steadiness import motion_of
from models.restorer import Footage, luma

Float = NDArray[np.float32]

CLEAN = Path(__file__).resolve().parents[2] / "shared/data/clean"
# Each clip with the first frame used: where something moves.
CLIPS = {
    "openh264_foreman_cif.264": 150,
    "kivy_cityCC0.mpg": 0,
    "mdn_flower.mp4": 20,
    "sam2_01_dog.mp4": 0,
    "sam2_02_cups.mp4": 40,
    "sam2_05_default_juggle.mp4": 60,
    "intel_person.mp4": 80,
}
BASELINES: tuple[Colouriser, ...] = (Copied(), ByLuma())
_EVERY = 3


@dataclass(frozen=True)
class Trial:
    """What is given, and what is scored."""

    frames: int
    still: int
    scored: int
    given: bool = True
    """Whether the still's frame is said, and part of the footage."""


TESTS = {"middle": Trial(60, 30, 60), "far": Trial(101, 100, 50), "sibling": Trial(50, 99, 50, given=False)}


@dataclass(frozen=True)
class Row:
    """How one method did."""

    fidelity: ColourFidelity
    flicker: float
    seconds: float
    """Of CPU, a frame: what else the machine does hardly counts."""


def load(path: Path, first: int, count: int, lines: int) -> list[Float]:
    """Frames (3, H, W) of a clip, shrunk to at most so many lines."""
    frames: list[Float] = []
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index < first:
                continue
            if len(frames) == count:
                break
            picture = frame.to_ndarray(format="rgb24")
            scale = min(1.0, lines / picture.shape[0])
            shape = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
            picture = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA)
            frames.append(picture.transpose(2, 0, 1).astype(np.float32) / 255)
    return frames


def footage(lumas: Sequence[Float]) -> Footage:
    """Grey footage of a list."""
    return Footage(lambda: (grey[None] for grey in lumas), len(lumas), *lumas[0].shape, "grey")


def tried(method: Colouriser, clip: Sequence[Float], trial: Trial, save: Path | None) -> Row:
    """One method on one test of a clip."""
    lumas = [luma(frame, "rgb") for frame in clip]
    ab = lab_of_rgb(clip[trial.still])[1:]
    still = Reference(ab, lumas[trial.still], trial.still if trial.given else None)
    film = footage(lumas[: trial.frames])
    motion = motion_of(footage(lumas[: trial.scored]))
    fidelity, results = ColourFidelity(), []
    start = time.process_time()
    for coloured in method.colour(film, [still]):
        results.append(coloured)
    seconds = (time.process_time() - start) / trial.frames
    for frame in [frame for frame in range(0, trial.scored, _EVERY) if frame != trial.still]:
        chroma_2HW = chroma_for(lumas[frame], results[frame].ab_2HW, "bt709")
        fidelity += colour_fidelity(lab_of_ycc(lumas[frame], chroma_2HW, "bt709"), lab_of_rgb(clip[frame]))
        if save and frame % (6 * _EVERY) == 0:
            picture_3HW = rgb_of_ycc(lumas[frame], chroma_2HW, "bt709")
            sure_3HW = np.repeat(results[frame].confidence_HW[None], 3, axis=0)
            side = np.concatenate([clip[frame], picture_3HW, sure_3HW], axis=2).transpose(1, 2, 0)
            path = save / f"{method.card.name}_{frame:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.rint(np.clip(side[..., ::-1], 0, 1) * 255).astype(np.uint8))
    flicker = chroma_flicker((one.ab_2HW for one in results[: trial.scored]), motion)
    return Row(fidelity, flicker, seconds)


def told(method: Colouriser, rows: Sequence[Row]) -> str:
    """The mean of some tests, each of the same weight."""
    difference, psnr, flicker, seconds = np.mean(
        [(row.fidelity.ciede2000, row.fidelity.psnr_ab, row.flicker, row.seconds) for row in rows], axis=0
    )
    name = f"{method.card.name:10} dE {difference:5.2f}"
    return f"{name}  PSNR {psnr:5.2f}  flicker {flicker:.2f}  {seconds:.3f} s"


def main() -> int:
    """How many tests `propagate` or the network did not win."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", nargs="*", default=[""])
    parser.add_argument("--tests", nargs="*", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--lines", type=int, default=480)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--data", type=Path, default=CLEAN)
    parser.add_argument("--colouriser", default="redye", help="the network, or a directory of its weights")
    wanted = parser.parse_args()
    if not wanted.data.is_dir():
        print(f"{wanted.data}: no clips there")
        return 0
    methods = [*BASELINES, Propagate(), load_colouriser(wanted.colouriser)]
    lost = 0
    slices: list[list[Row]] = []
    for name in [name for name in CLIPS if any(part in name for part in wanted.clips)]:
        clip = load(wanted.data / name, CLIPS[name], 101, wanted.lines)
        for test in wanted.tests:
            trial = TESTS[test]
            pairs = motion_of(footage([luma(frame, "rgb") for frame in clip[: trial.scored]]))
            own = chroma_flicker((lab_of_rgb(frame)[1:] for frame in clip[: trial.scored]), pairs)
            print(f"{name} {test}: the truth flickers by {own:.2f}", flush=True)
            rows = []
            for method in methods:
                save = wanted.save / Path(name).stem / test if wanted.save else None
                row = tried(method, clip, trial, save)
                rows.append(row)
                print(f"    {told(method, [row])}", flush=True)
            slices.append(rows)
            *baselines, propagate, network = (row.fidelity.ciede2000 for row in rows)
            lost += trial.given and max(propagate, network) >= min(baselines)
    if slices:
        print(f"mean of {len(slices)} tests")
        for method, rows in zip(methods, zip(*slices, strict=True), strict=True):
            print(f"    {told(method, rows)}")
    better = sum(rows[-1].fidelity.ciede2000 < rows[-2].fidelity.ciede2000 for rows in slices)
    print(f"{methods[-1].card.name} is better than propagate on {better} of {len(slices)}")
    return lost


if __name__ == "__main__":
    sys.exit(main())
