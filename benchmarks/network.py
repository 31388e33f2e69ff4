"""Networks: speed beside RTN with RAFT, memory by size and length, what windows and areas leave to be seen.

python -m benchmarks.network [BUNDLE ...]   bundles to measure beside RTN and Reweave without training

Weights make no difference to speed and memory; to the seams they do. Damage is given from outside as the
generator laid it, so that untrained networks have as much to composite as trained ones.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.films import moving_shot
from degradation.generator import Aged, age
from degradation.recipes import MEDIUM, worn
from models.flow import FlowEstimator, flow_estimator
from models.neural.compute import Compute
from models.neural.evidence import CHANNELS
from models.neural.restorer import NeuralRestorer
from models.neural.reweave import CONFIGS, Reweave
from models.neural.reweave_way import ReweaveWay
from models.neural.settings import BUDGETS_BYTES
from models.neural.sight import SIDE, padded_size, sights
from models.neural.stream import Plan, Stream
from models.neural.tiles import Area, areas
from models.raft import Raft
from models.restorer import Footage, GivenMask
from models.rtn import RTN
from models.weights import Bundle, load_network, read_bundle, write_bundle

Float = NDArray[np.float32]

_THREADS = 2
_LEAST_SPEEDUPS = {"reweave": 60.0, "rtn": 8.0}
_MOST_BYTES = 3_000_000_000
_LEAST_EQUAL, _CODE = 0.999, 1 / 1023
_WHOLE = 1_000_000


def main() -> int:
    """How many floors were missed."""
    torch.set_num_threads(_THREADS)
    cv2.setNumThreads(_THREADS)
    if sys.argv[1:2] == ["--measure-memory"]:
        return _measure_memory(Path(sys.argv[2]), *map(int, sys.argv[3:6]))
    with tempfile.TemporaryDirectory() as name:
        bundles = [read_bundle(Path(folder)) for folder in sys.argv[1:]]
        reweave = bundles[0] if bundles else _untrained(Path(name, "reweave"), Reweave.from_config("reweave"))
        rtn = _untrained(Path(name, "rtn"), RTN.from_config("rtn-paper"))
        _sizes()
        missed = _speed(rtn, [reweave, *bundles[1:]])
        missed += _windows(reweave)
        missed += _memory(reweave)
    return missed


def _untrained(folder: Path, network: RTN | Reweave) -> Bundle:
    return write_bundle(folder, network)


def _sizes() -> None:
    print("parameters, and FLOP of a 640x480 frame (motion and evidence apart)")
    for name in CONFIGS:
        network = Reweave.from_config(name).eval()
        evidence, flow = torch.zeros(1, 3, CHANNELS, 240, 320), torch.zeros(1, 3, 2, 120, 160)
        _size(name, network, 3, evidence, flow, flow)
    clip, flow = torch.zeros(1, 3, 3, 480, 640), torch.zeros(1, 2, 2, 480, 640)
    _size("rtn-paper", RTN.from_config("rtn-paper").eval(), 3, clip, flow, flow)


def _size(name: str, network: torch.nn.Module, frames: int, *inputs: torch.Tensor) -> None:
    # Attention's own kernel is not counted, its products written out are.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(*inputs)
    count = sum(weight.numel() for weight in network.parameters())
    print(f"  {name:14s} {count:9,d}  {counter.get_total_flops() / frames / 1e9:6.1f} GFLOP")


def film(width: int, height: int, frames: int) -> Footage:
    """A grey shot aged by the medium recipe, its damage given; made anew at each reading, never held."""

    def aged() -> Iterator[Aged]:
        return age(moving_shot(1, width, height, frames), worn(MEDIUM), 1)

    given = GivenMask(lambda: (frame.mask_HW for frame in aged()), "add")
    return Footage(lambda: (frame.damaged_CHW for frame in aged()), frames, height, width, "grey", given)


def _held(footage: Footage) -> Footage:
    """The same, decoded beforehand: what is timed begins with a decoded frame."""
    assert footage.given is not None
    frames, masks = list(footage), list(footage.given.read())
    return replace(footage, read=lambda: iter(frames), given=GivenMask(lambda: iter(masks), "add"))


def _speed(rtn: Bundle, ours: list[Bundle]) -> int:
    print(f"from decoded to composited frame, 640x480, {_THREADS} threads")
    slow = _seconds(replace(rtn, settings={"precision": "fp32"}), 5, Raft.untrained("large", 24, 640))
    print(f"  {'rtn-paper, RAFT-large x24, fp32':36s} {slow:7.3f} s a frame")
    missed = 0
    for bundle in (rtn, *ours):
        fast = _seconds(bundle, 62, flow_estimator("dis"))
        least = _LEAST_SPEEDUPS[bundle.architecture]
        told = f"{bundle.title[:20]}, DIS, {Compute.chosen().name}"
        print(f"  {told:36s} {fast:7.3f} s a frame: {slow / fast:5.1f} times as fast (floor {least:.0f})")
        missed += slow / fast < least
    return missed


def _seconds(bundle: Bundle, frames: int, estimator: FlowEstimator) -> float:
    """What one more frame of a long shot costs: a shot's first has no motion to find."""
    restorer = NeuralRestorer(bundle)
    restorer._flow = lambda: estimator  # type: ignore[method-assign]
    times = {}
    for count in (2, 2, 2 + frames):  # the first time everything is slower
        footage = _held(film(640, 480, count))
        started = time.perf_counter()
        made = sum(1 for _ in restorer.restore(footage))
        assert made == count
        times[count] = time.perf_counter() - started
    return (times[2 + frames] - times[2]) / frames


def _windows(bundle: Bundle) -> int:
    """How far windows and areas can be seen in what the network makes of every pixel."""
    footage = _held(film(640, 480, 48))
    size = padded_size(480, 640)
    alone = areas(*size, SIDE, _WHOLE)
    whole = _restored(bundle, footage, Plan(_WHOLE, alone))
    print("restored frames (48 of 640x480) beside those of one window over the whole shot, codes of 10 bit")
    missed = 0
    for name, plan in (
        ("windows of 8", Plan(8, alone)),
        ("windows of 16", Plan(16, alone)),
        ("windows of 8, in areas", Plan(8, areas(*size, SIDE, 160_000))),
    ):
        apart = np.abs(_restored(bundle, footage, plan) - whole)
        equal = float((apart <= _CODE).mean())
        ends = slice(plan.window_frames - 1, -1, plan.window_frames)
        seam = float(apart[ends].mean() / max(float(apart.mean()), 1e-12))
        print(
            f"  {name:24s} within one code {equal:9.4%}, mean {apart.mean() * 1023:.4f}, largest "
            f"{apart.max() * 1023:.2f}; last frames of windows differ {seam:.2f} times the mean"
        )
        missed += equal < _LEAST_EQUAL and len(plan.areas) == 1
    return missed


def _restored(bundle: Bundle, footage: Footage, plan: Plan) -> Float:
    """The network's picture of every frame: where it sees damage its own, else the source's."""
    compute = Compute.chosen()
    network = compute.ready(load_network(bundle))
    assert isinstance(network, Reweave)
    way = ReweaveWay(network, compute, "grey")
    rows, columns = np.nonzero(np.ones((footage.height, footage.width), bool))
    frames = []
    for sight, prepared, answer in Stream(way, plan).answers(sights(footage, flow_estimator("dis"))):
        values, _ = way.values(sight, prepared, answer[:, : footage.height, : footage.width], rows, columns)
        frames.append(values.reshape(footage.height, footage.width))
    return np.stack(frames)


def _memory(bundle: Bundle) -> int:
    print(f"peak memory above the idle process, {_THREADS} threads")
    missed = 0
    for width, height, frames in ((1920, 1080, 40), (1920, 1080, 300), (4096, 3072, 12), (4096, 3072, 36)):
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.network", "--measure-memory"]
            + [str(part) for part in (bundle.folder, width, height, frames)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        above, seconds, cut = int(told[0]), float(told[1]), told[2]
        print(
            f"  {width}x{height}, {frames:3d} frames: {above / 1e9:.2f} GB, {seconds:.2f} s a frame, "
            f"areas of {cut} px"
        )
        missed += above > _MOST_BYTES
    return missed


def _measure_memory(folder: Path, width: int, height: int, frames: int) -> int:
    restorer = NeuralRestorer(read_bundle(folder))
    way = restorer._way("grey")  # an idle process has its engine and weights loaded
    started = time.perf_counter()
    with _peak() as peak:
        made = sum(1 for _ in restorer.restore(film(width, height, frames)))
    assert made == frames
    plan = Plan.fitting(*padded_size(height, width), way.cost, BUDGETS_BYTES[0])
    largest: Area = plan.areas[0]
    seconds = (time.perf_counter() - started) / frames
    print(peak[0], seconds, f"{largest.width}x{largest.height}")
    return 0


@contextmanager
def _peak() -> Iterator[list[int]]:
    """Collects the largest resident size above what the process has now, looked at 50 times a second."""
    process, over = psutil.Process(), threading.Event()
    before, most = process.memory_info().rss, [0]

    def watch() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    sys.exit(main())
