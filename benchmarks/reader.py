"""Reading a corpus: windows a second, beside WebDataset on the same clips, and beside what training takes.

python -m benchmarks.reader [CORPUS]    without one, a small one is made

A window is 7 frames of 128x128 in four streams: damaged, undamaged, target, masks. Rates are told by the
clock on the wall and by the second of processor time of all processes: the latter is that of one free core.
WebDataset reads the same windows of the same clips from tars, in the order of the tars; Answerprint in any.
"""

import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from benchmarks.films import moving_shot
from degradation.generator import age
from degradation.recipes import MEDIUM
from models.neural.evidence import CHANNELS
from models.neural.reweave import Reweave
from storage.clipcode import Crop, decode
from storage.corpus import Clip, Corpus
from tasks.learning.windows import Feeder, Window, WindowConfig, Windows
from tests.corpora import write_corpus

Bytes = NDArray[np.uint8]
Sample = dict[str, Any]

_CLIPS, _FRAMES, _SIDE_PX = 64, 12, 256
_BATCH, _THREADS, _SECONDS, _STEPS = 4, 2, 6.0, 4
_LEAST_RATIO = 1.0
_STREAMS = ("damaged", "undamaged", "target", "masks")
_PLANES = {"damaged": 0, "damage": 0, "target": 0, "masks": 1}


def main() -> int:
    """0 where windows are read faster than they are used."""
    torch.set_num_threads(_THREADS)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        corpus = sys.argv[1] if sys.argv[1:] else _made(Path(name, "corpus"))
        windows = Windows(corpus, WindowConfig())
        print(f"{len(windows)} clips; batches of {_BATCH} windows; {_size(corpus) / 1e6:.0f} MB in shards")
        rate = _told("Answerprint, FFV1 in Parquet", lambda workers: Feeder(windows, _BATCH, workers))
        fresh = Windows(corpus, WindowConfig(mode="fresh"))
        _told("Answerprint, made old anew", lambda workers: Feeder(fresh, _BATCH, workers))
        for title, write, read in (
            ("WebDataset, FFV1", _ffv1, _from_ffv1),
            ("WebDataset, a PNG a frame", _pngs, _from_pngs),
            ("WebDataset, npy", _npy, _from_npy),
        ):
            tars, size = _tars(Path(name, title), corpus, windows, write)
            of_it = _Sampled(windows, read)
            _told(
                f"{title} ({size / 1e6:.0f} MB)", lambda workers, t=tars, s=of_it: _webdataset(t, s, workers)
            )
    used = max(_training(bf16) for bf16 in (True, False))
    print(f"read in one process over used by training: {rate / used:.1f} (floor {_LEAST_RATIO:.0f})")
    return int(rate / used < _LEAST_RATIO)


def _made(folder: Path) -> str:
    folder.mkdir()
    clips = []
    for seed in range(_CLIPS):
        shot = list(moving_shot(seed, _SIDE_PX, _SIDE_PX, _FRAMES))
        aged = list(age(shot, MEDIUM, seed))
        levels = [
            np.stack([np.rint(planes * 255).astype(np.uint8) for planes in stream])
            for stream in (
                shot,
                [frame.target_CHW for frame in aged],
                [frame.undamaged_CHW for frame in aged],
                [frame.damaged_CHW for frame in aged],
            )
        ]
        clips.append(Clip(*levels, np.stack([frame.mask_HW for frame in aged]).astype(np.uint8)))
    return write_corpus(folder, clips, 16)


def _size(corpus: str) -> int:
    return sum(path.stat().st_size for path in Path(corpus).glob("shard-*.parquet"))


def _told(title: str, feeding: Callable[[int], Iterable[Any]]) -> float:
    """Windows a second in one process, by the wall's clock."""
    rates = {workers: _rate(feeding(workers)) for workers in (0, 2)}
    by_wall = ", ".join(f"{workers} workers {wall:6.1f}" for workers, (wall, _) in rates.items())
    by_core = " and ".join(f"{core:6.1f}" for _, core in rates.values())
    print(f"  {title:40s} windows/s: {by_wall}; by second of a core {by_core}", flush=True)
    return rates[0][0]


def _rate(batches: Iterable[Any]) -> tuple[float, float]:
    """(windows a second, windows a second of processor time), once workers are under way."""
    iterator = iter(batches)
    for _ in range(8):
        next(iterator)
    started, before, taken = time.perf_counter(), _processor_s(), 0
    while time.perf_counter() < started + _SECONDS:
        next(iterator)
        taken += _BATCH
    wall = time.perf_counter() - started
    return taken / wall, taken / (_processor_s() - before)


def _processor_s() -> float:
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


# -- the same clips for WebDataset --------------------------------------------------------------------------


def _tars(
    folder: Path, corpus: str, windows: Windows, write: Callable[[Sample], dict[str, bytes]]
) -> tuple[list[str], int]:
    """One tar for each shard, a sample for each clip; and their size in bytes."""
    folder.mkdir()
    for number, row in enumerate(Corpus.open(corpus).kept(windows.config.split)):
        with pq.ParquetFile(Path(corpus, row["shard"])) as file:
            (clip,) = file.read_row_group(row["row"]).to_pylist()
        clip["target"] = clip["target"] or clip["clean"]
        with tarfile.open(folder / f"{Path(row['shard']).stem}.tar", "a") as tar:
            for name, data in write(clip).items():
                member = tarfile.TarInfo(f"{number:06d}.{name}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    paths = sorted(folder.glob("*.tar"))
    return [str(path) for path in paths], sum(path.stat().st_size for path in paths)


def _webdataset(tars: list[str], sampled: "_Sampled", workers: int) -> Iterator[Any]:
    import webdataset

    dataset = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=0, workersplitter=_split)
    dataset = dataset.repeat().shuffle(16).map(sampled).batched(_BATCH, collation_fn=default_collate)
    return iter(webdataset.WebLoader(dataset, batch_size=None, num_workers=workers))


def _split(shards: Iterable[Any]) -> Iterator[Any]:
    """Every worker a share of the shards, or all where there are fewer than workers."""
    info = torch.utils.data.get_worker_info()
    shards = list(shards)
    share = shards[info.id :: info.num_workers] if info else shards
    return iter(share or shards)


class _Sampled:
    """A sample's window, the very one that `Windows` takes of the clip in its first epoch, flips apart."""

    def __init__(
        self, windows: Windows, read: Callable[[Sample, str, tuple[int, ...], slice, Any], Bytes]
    ) -> None:
        self._windows, self._read = windows, read

    def __call__(self, sample: Sample) -> Window:
        number = int(sample["__key__"])
        clip = self._windows._clips[number]
        rng = np.random.default_rng([self._windows.config.seed, 0, number])
        first = int(rng.integers(0, clip.frames - self._windows.config.frames + 1))
        frames = slice(first, first + self._windows.config.frames)
        size = 1, clip.height, clip.width
        masks = self._read(sample, "masks", size, frames, None)
        crop = self._windows._crop(masks, rng)
        damaged, damage, target = (
            self._read(sample, name, size, frames, crop) for name in ("damaged", "damage", "target")
        )
        top, left, height, width = crop
        masks = masks[..., top : top + height, left : left + width]
        streams = (damaged, damaged - damage, target, np.ascontiguousarray(masks))
        return Window(*map(torch.from_numpy, streams))


def _whole(clip: Sample, name: str) -> Bytes:
    return decode(clip[name], (1, clip["height"], clip["width"]))


def _ffv1(clip: Sample) -> dict[str, bytes]:
    return {f"{name}.mkv": clip[name] for name in _PLANES}


def _from_ffv1(sample: Sample, name: str, size: Any, frames: slice, crop: Crop | None) -> Bytes:
    return decode(sample[f"{name}.mkv"], size, frames.start, frames.stop - frames.start, crop)


def _pngs(clip: Sample) -> dict[str, bytes]:
    return {
        f"{name}{number}.png": cv2.imencode(".png", frame_CHW[0])[1].tobytes()
        for name in _PLANES
        for number, frame_CHW in enumerate(_whole(clip, name))
    }


def _from_pngs(sample: Sample, name: str, size: Any, frames: slice, crop: Crop | None) -> Bytes:
    coded = [sample[f"{name}{number}.png"] for number in range(frames.start, frames.stop)]
    stack = np.stack([cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) for data in coded])
    return _cut(stack[:, None].astype(np.uint8), crop)


def _npy(clip: Sample) -> dict[str, bytes]:
    held = {}
    for name in _PLANES:
        np.save(file := io.BytesIO(), _whole(clip, name))
        held[f"{name}.npy"] = file.getvalue()
    return held


def _from_npy(sample: Sample, name: str, size: Any, frames: slice, crop: Crop | None) -> Bytes:
    return _cut(np.load(io.BytesIO(sample[f"{name}.npy"]))[frames], crop)


def _cut(stream: Bytes, crop: Crop | None) -> Bytes:
    if crop is None:
        return stream
    top, left, height, width = crop
    return np.ascontiguousarray(stream[..., top : top + height, left : left + width])


# -- what training takes ------------------------------------------------------------------------------------


def _training(bf16: bool) -> float:
    """Windows a second through forward, backward and a step; evidence and motion are given, not found."""
    config = WindowConfig()
    network = Reweave.from_config("reweave").train()
    steps = torch.optim.AdamW(network.parameters(), lr=1e-4)
    half, quarter = config.crop_px // 2, config.crop_px // 4
    evidence = torch.randn(_BATCH, config.frames, CHANNELS, half, half)
    flow = torch.randn(_BATCH, config.frames, 2, quarter, quarter)
    started = 0.0
    for step in range(1 + _STEPS):
        if step == 1:
            started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = network(evidence, flow, flow)
        sum(part.float().square().mean() for part in found).backward()
        steps.step()
        steps.zero_grad()
    rate = _STEPS * _BATCH / (time.perf_counter() - started)
    print(
        f"  reweave trains on {rate:.2f} windows/s, {_THREADS} threads, {'bf16' if bf16 else 'fp32'}",
        flush=True,
    )
    return rate


if __name__ == "__main__":
    sys.exit(main())
