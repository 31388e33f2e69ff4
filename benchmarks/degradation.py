"""The damage generator beside RTN's way written plainly; by recipe and by family; in one process and two.

python -m benchmarks.degradation

Frames of 256x256, grey, on one thread; processor time, so that what else the machine does counts little. Both
make the same clips, in turns. Reading and storing clips is not in it.
"""

import io
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from multiprocessing.synchronize import Barrier
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.films import moving_shot
from benchmarks.rtn_style import Blur, Template, degraded, opencv_blur, scipy_blur
from degradation.drawings import OWN
from degradation.generator import SPARE_FRAMES, age
from degradation.recipe import Recipe
from degradation.recipes import MEDIUM, RECIPES

_SIDE, _FRAMES, _CLIPS = 256, 16, 40
_FAMILY_CLIPS = 12
_RTN = "RTN's way"
_HELD = "  templates held in memory"
_QUICK = "  and OpenCV's blur"
_LEAST_RATIO = 10.0
_LEAST_SCALING = 1.8

Clip = Sequence[NDArray[np.float32]]


def main() -> int:
    """How many floors were missed."""
    cv2.setNumThreads(1)
    clip = list(moving_shot(1, _SIDE, _SIDE, _FRAMES + SPARE_FRAMES))
    ratio = _beside_rtn(clip)
    _families(clip)
    scaling = _scaling()
    return (ratio < _LEAST_RATIO) + (scaling < _LEAST_SCALING)


def _beside_rtn(clip: Clip) -> float:
    """How many times as fast the medium recipe is."""
    held, read = _templates()
    planes_HW = [planes_CHW[0] for planes_CHW in clip[:_FRAMES]]

    def rtn(templates: list[Template], blur: Blur) -> Callable[[int], None]:
        return lambda seed: _drain(degraded(planes_HW, templates, seed, blur))

    ways = {_RTN: rtn(read, scipy_blur), _HELD: rtn(held, scipy_blur), _QUICK: rtn(held, opencv_blur)} | {
        name: _making(clip, recipe) for name, recipe in RECIPES.items()
    }
    milliseconds = _timed(ways, _CLIPS)
    print(f"{_CLIPS} clips of {_FRAMES} frames, {_SIDE}x{_SIDE}, grey, one thread")
    print(f"{'':28} {'ms/frame':>9} {'frames/s':>9} {'times RTN':>10}")
    for name, each in milliseconds.items():
        print(f"{name:28} {each:9.2f} {1000 / each:9.0f} {milliseconds[_RTN] / each:10.1f}")
    ratio = milliseconds[_RTN] / milliseconds[MEDIUM.name]
    print(f"medium beside RTN's way: {ratio:.1f} times as fast (floor {_LEAST_RATIO:.0f})", flush=True)
    return ratio


def _templates() -> tuple[list[Template], list[Template]]:
    """Our own drawings, decoded once and for all; and as PNG files, each decoded when it is wanted."""

    def holding(image: Image.Image) -> Callable[[], Image.Image]:
        return lambda: image

    def reading(png: bytes) -> Callable[[], Image.Image]:
        return lambda: Image.open(io.BytesIO(png)).convert("L")

    held: list[Template] = []
    read: list[Template] = []
    for number, kind in enumerate(OWN.kinds):
        image, packed = Image.fromarray(OWN[number].grey_HW), io.BytesIO()
        image.save(packed, "PNG")
        held.append((kind, holding(image)))
        read.append((kind, reading(packed.getvalue())))
    return held, read


def _families(clip: Clip) -> None:
    """What each family alone costs in each recipe that has it; the empty recipe is what a frame costs."""
    print(f"\n{'family alone, ms/frame':24}" + "".join(f"{name:>11}" for name in RECIPES))
    ways = {("none", ""): _making(clip, Recipe("none", ()))}
    for name, recipe in RECIPES.items():
        for family in recipe.families:
            alone = Recipe(name, (replace(family, probability=1.0),))
            ways[family.family, name] = _making(clip, alone)
    milliseconds = _timed(ways, _FAMILY_CLIPS)
    print(f"{'none':24}{milliseconds.pop(('none', '')):11.3f}")
    for family in dict.fromkeys(family for family, _ in milliseconds):
        cells = [milliseconds.get((family, name)) for name in RECIPES]
        print(f"{family:24}" + "".join(f"{'' if each is None else f'{each:.3f}':>11}" for each in cells))
    sys.stdout.flush()


def _making(clip: Clip, recipe: Recipe) -> Callable[[int], None]:
    return lambda seed: _drain(islice(age(clip, recipe, seed), _FRAMES))


def _drain(frames: Any) -> None:
    """Makes all frames and checks that none is missing."""
    made = sum(1 for _ in frames)
    assert made == _FRAMES, made


def _timed(ways: dict[Any, Callable[[int], None]], clips: int) -> dict[Any, float]:
    """Processor milliseconds a frame of each way, all ways in turns, clip by clip."""
    for make in ways.values():
        make(0)
    seconds = dict.fromkeys(ways, 0.0)
    for seed in range(1, clips + 1):
        for name, make in ways.items():
            started = time.process_time()
            make(seed)
            seconds[name] += time.process_time() - started
    return {name: 1000 * total / clips / _FRAMES for name, total in seconds.items()}


def _scaling() -> float:
    """How many more frames two processes make in the same time than one."""
    clips = 6 * _CLIPS
    alone, together = _frames_a_second(1, clips), _frames_a_second(2, clips)
    print(f"\nmedium: {alone:.0f} frames/s in one process, {together:.0f} in two")
    print(f"{together / alone:.2f} times as many (floor {_LEAST_SCALING}, on two idle cores)")
    return together / alone


def _frames_a_second(processes: int, clips: int) -> float:
    context = multiprocessing.get_context("spawn")
    barrier, seconds = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=_work, args=(number, clips // processes, barrier, seconds))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    slowest = max(seconds.get() for _ in workers)
    for worker in workers:
        worker.join()
    return clips * _FRAMES / slowest


def _work(number: int, clips: int, barrier: Barrier, seconds: "multiprocessing.Queue[float]") -> None:
    cv2.setNumThreads(1)
    clip = list(moving_shot(1, _SIDE, _SIDE, _FRAMES + SPARE_FRAMES))
    make = _making(clip, MEDIUM)
    make(0)
    barrier.wait()
    started = time.perf_counter()
    for seed in range(1 + number * clips, 1 + (number + 1) * clips):
        make(seed)
    seconds.put(time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(main())
