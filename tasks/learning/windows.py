"""Training material from a corpus: windows of clips, cropped, in an order that can be taken up anywhere.

Shape suffixes: N items, T frames, C planes, H rows, W columns of the crop.
"""

import atexit
import multiprocessing
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from degradation.recipe import Recipe
from degradation.recipes import MEDIUM
from degradation.sheets import Sheets
from storage.clipcode import Bytes, Crop
from storage.corpus import Corpus, Shard, Stream
from storage.errors import StorageError
from tasks.corpora.aging import aged
from tasks.corpora.templates import sheets_for, with_templates
from tasks.request import RequestError

Split = Literal["train", "val", "test"]
Mode = Literal["stored", "fresh"]
Item = TypeVar("Item", covariant=True)
Place = tuple[int, int]
"""(epoch, number of the item in it)."""

_SHOWN: tuple[Stream, ...] = ("damaged", "undamaged", "target")
# Each holds a file and its table of contents, some 100 KB.
_OPEN_SHARDS = 32


@dataclass(frozen=True)
class WindowConfig:
    """What is taken from a corpus, and how."""

    frames: int = 7
    """Frames of a window, one after the other; at least 1."""
    crop_px: int = 128
    """Side of the square that is cut out, the same in every frame; at least 1."""
    split: Split = "train"
    seed: int = 0
    """Decides, with epoch and number, all about an item; not negative."""
    mode: Mode = "stored"
    """stored: the damage that lies in the corpus. fresh: the clean clips, made old anew in every epoch."""
    near_damage: float = 0.5
    """Share of the crops that are laid around a damaged pixel where there is one, in [0, 1]; the others lie
    anywhere."""
    flips: bool = True
    """Whether every other item is turned left to right, and every other upside down."""
    recipe: Recipe = MEDIUM
    """How clips are made old in mode fresh."""
    templates: str = ""
    """Folder of scanned dirt for the recipe's templates in mode fresh; empty for our own drawings."""

    def __post_init__(self) -> None:
        if min(self.frames, self.crop_px) < 1:
            raise ValueError("frames and crop_px must be at least 1")
        if self.seed < 0:
            raise ValueError("seed must not be negative")
        if not 0 <= self.near_damage <= 1:
            raise ValueError(f"near_damage must lie in [0, 1], not at {self.near_damage}")


class Window(NamedTuple):
    """One item, uint8 (T, C, H, W), or a batch of them (N, T, C, H, W). Bytes travel between processes in a
    quarter of the time of floats; over 255 they are what networks see."""

    damaged: Tensor
    undamaged: Tensor
    """The same old film without what the masks tell of."""
    target: Tensor
    masks: Tensor
    """One plane: not 0 where damaged, one bit a layer."""


class Windows(Dataset[Window]):
    """The windows of a corpus. An item is decided by the configuration, its epoch and its number alone.

    Each process opens its own files, when it first needs them.
    """

    def __init__(self, corpus: str, config: WindowConfig) -> None:
        """Raises StorageError for what is not a corpus, or has not one clip of the split, one that is too
        short or too small, or grey ones and coloured ones; TemplatesError for templates that do not serve."""
        self.config = config
        self._recipe = config.recipe
        if config.mode == "fresh":
            self._recipe = with_templates(config.recipe, config.templates)
        self._sheets: Sheets | None = None
        opened = Corpus.open(corpus)
        # Workers are sent what they need of it.
        self._corpus = replace(opened, record={}, rows=())
        rows = opened.kept(config.split)
        if not rows:
            raise StorageError(f"{corpus}: has no clips for {config.split}")
        for row in rows:
            if row["frames"] < config.frames or min(row["height"], row["width"]) < config.crop_px:
                needed = f"{config.frames} frames of {config.crop_px}x{config.crop_px}"
                raise StorageError(
                    f"{corpus}: clip {row['clip']} has {row['frames']} frames of {row['width']}x"
                    f"{row['height']}, too little for windows of {needed}"
                )
        if len({row["channels"] for row in rows}) > 1:
            raise StorageError(f"{corpus}: has grey clips and coloured ones, which do not fit into one batch")
        self._clips = [
            _Clip(row["shard"], row["row"], row["clip"], row["frames"], row["height"], row["width"])
            for row in rows
        ]
        self._open: OrderedDict[str, Shard] = OrderedDict()

    def __len__(self) -> int:
        """Items of an epoch: one of each clip."""
        return len(self._clips)

    def __getitem__(self, place: Place) -> Window:
        """Raises StorageError where the clip cannot be read."""
        epoch, number = place
        clip = self._clips[number]
        rng = np.random.default_rng([self.config.seed, epoch, number])
        window = (self._stored if self.config.mode == "stored" else self._fresh)(clip, rng)
        if self.config.flips:
            across, upright = rng.integers(0, 2, 2) * 2 - 1
            window = [stream[..., ::upright, ::across] for stream in window]
        return Window(*(torch.from_numpy(np.ascontiguousarray(stream)) for stream in window))

    def __getstate__(self) -> dict[str, Any]:
        """Files and scans stay where they were opened and read."""
        return {**self.__dict__, "_open": OrderedDict(), "_sheets": None}

    def _stored(self, clip: "_Clip", rng: np.random.Generator) -> list[Bytes]:
        frames = self.config.frames
        first = int(rng.integers(0, clip.frames - frames + 1))
        coded = self._shard(clip.shard).coded(clip.row, ("masks", *_SHOWN))
        masks = coded.decoded(("masks",), first, frames)["masks"]
        crop = self._crop(masks, rng)
        return [*coded.decoded(_SHOWN, first, frames, crop).values(), _cut(masks, crop)]

    def _fresh(self, clip: "_Clip", rng: np.random.Generator) -> list[Bytes]:
        """Old age swallows frames now and then: what is missing at the clip's end is taken from it
        backwards."""
        frames = self.config.frames
        clean_TCHW = self._shard(clip.shard).coded(clip.row, ("clean",)).decoded(("clean",))["clean"]
        first = int(rng.integers(0, max(0, len(clean_TCHW) - frames) + 1))
        seed = int(rng.integers(0, 2**63))
        given_TCHW = np.concatenate([clean_TCHW[first:], clean_TCHW[-2::-1]])
        if self._sheets is None:
            self._sheets = sheets_for(self._recipe, self.config.templates)
        try:
            made, _ = aged(given_TCHW, frames, self._recipe, seed, self._sheets)
        except ValueError as error:
            raise StorageError(f"{self._corpus.uri}: clip {clip.clip}: {error}; give longer clips") from error
        masks = made.masks_THW[:, None]
        crop = self._crop(masks, rng)
        streams = (made.damaged_TCHW, made.undamaged_TCHW, made.target_TCHW, masks)
        return [_cut(stream, crop) for stream in streams]

    def _crop(self, masks_T1HW: Bytes, rng: np.random.Generator) -> Crop:
        """Anywhere, or so that a damaged pixel lies anywhere in it."""
        side = self.config.crop_px
        height, width = masks_T1HW.shape[2:]
        near, which = rng.random(2)
        within = rng.random(2)
        most = np.array([height - side, width - side])
        corner = np.floor(within * (most + 1))
        if near < self.config.near_damage:
            damaged = np.flatnonzero(masks_T1HW)
            if len(damaged):
                pixel = int(damaged[int(which * len(damaged))]) % (height * width)
                corner = np.clip(divmod(pixel, width) - np.floor(within * side), 0, most)
        return Crop(int(corner[0]), int(corner[1]), side, side)

    def _shard(self, name: str) -> Shard:
        if name not in self._open:
            self._open[name] = self._corpus.shard(name)
        self._open.move_to_end(name)
        if len(self._open) > _OPEN_SHARDS:
            self._open.popitem(last=False)[1].close()
        return self._open[name]


class _Clip(NamedTuple):
    """Where a clip lies, and how large it is."""

    shard: str
    row: int
    clip: str
    frames: int
    height: int
    width: int


class Shuffle:
    """Epoch after epoch in an order of its own, without end; it knows how many items were *used*.

    Iterating hands out what comes after those. It does not count: workers are given items long before they
    are used.
    """

    def __init__(self, length: int, seed: int) -> None:
        """length: items of an epoch."""
        self._length, self._seed = length, seed
        self._used = 0

    @property
    def epoch(self) -> int:
        """That of the next item to be used."""
        return self._used // self._length

    def __iter__(self) -> Iterator[Place]:
        epoch, start = divmod(self._used, self._length)
        while True:
            order = np.random.default_rng([self._seed, epoch]).permutation(self._length)
            for number in order[start:]:
                yield epoch, int(number)
            epoch, start = epoch + 1, 0

    def use(self, items: int) -> None:
        """So many more were used."""
        self._used += items

    def state_dict(self) -> dict[str, int]:
        return {"used": self._used, "length": self._length, "seed": self._seed}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Raises ValueError for the state of another order."""
        if (state["length"], state["seed"]) != (self._length, self._seed):
            raise ValueError(
                f"the state is of {state['length']} items with seed {state['seed']}, "
                f"here are {self._length} with seed {self._seed}: another corpus, split or seed"
            )
        self._used = state["used"]


class Source(Protocol[Item]):
    """Windows, or what is made of each of them."""

    @property
    def config(self) -> WindowConfig: ...

    def __len__(self) -> int: ...

    def __getitem__(self, place: Place) -> Item: ...


class Feeder(Generic[Item]):
    """Batches without end, the same whatever the number of workers; or one's part of each, where several
    processes learn together.

    for batch in feeder:
        ...
        save(feeder.state())    # of what was used up to this batch, and with it
    """

    def __init__(
        self,
        source: Source[Item],
        batch_items: int,
        workers: int = 0,
        state: Mapping[str, int] | None = None,
        rank: int = 0,
        size: int = 1,
    ) -> None:
        """workers: processes that read ahead; 0 reads in this one. state: goes on after it, whatever the
        size was. rank, size: hands out the rank-th of so many equal parts of each batch. Raises ValueError
        for the state of another order, RequestError as `part_items`."""
        self._source, self._batch_items, self._workers = source, batch_items, workers
        items = part_items(batch_items, size)
        self._part = slice(rank * items, (rank + 1) * items)
        self._shuffle = Shuffle(len(source), source.config.seed)
        if state is not None:
            self._shuffle.load_state_dict(state)

    @property
    def epoch(self) -> int:
        """That of the next item to be used."""
        return self._shuffle.epoch

    def state(self) -> dict[str, int]:
        """JSON-able: all that it takes to go on after the last batch, which counts as a whole."""
        return self._shuffle.state_dict()

    def __iter__(self) -> Iterator[Item]:
        """Raises StorageError where a clip cannot be read."""
        loader = DataLoader(
            cast("Dataset[Item]", self._source),
            batch_sampler=_batches(self._shuffle, self._batch_items, self._part),
            num_workers=self._workers,
            # What was opened before a fork, and FFmpeg's threads, would hang in its child.
            multiprocessing_context=multiprocessing.get_context("spawn") if self._workers else None,
            worker_init_fn=_leave_at_once,
            # Without one of its own it would draw from the generator that training draws from.
            generator=torch.Generator(),
        )
        try:
            for batch in loader:
                self._shuffle.use(self._batch_items)
                yield batch
        except StorageError as error:
            # From a worker it comes with a traceback written into it, the line that was meant last.
            kind = type(error)
            told = str(error).splitlines()[-1].removeprefix(f"{kind.__module__}.{kind.__qualname__}: ")
            raise kind(told) from error


def _leave_at_once(_: int) -> None:
    """A worker that is told to go is not to take its libraries down: one in twenty that read from S3
    aborted over threads still at work."""
    atexit.register(os._exit, 0)


def part_items(batch_items: int, size: int) -> int:
    """Items of a batch for each of so many processes. Raises RequestError where they cannot be equal."""
    if size < 1 or batch_items % size:
        raise RequestError(
            f"batches of {batch_items} cannot be split among {size} workers; take a multiple of the workers"
        )
    return batch_items // size


def _batches(shuffle: Shuffle, items: int, part: slice) -> Iterator[list[Place]]:
    places = iter(shuffle)
    while True:
        yield list(islice(places, items))[part]


def _cut(stream: NDArray[Any], crop: Crop) -> NDArray[Any]:
    top, left, height, width = crop
    return stream[..., top : top + height, left : left + width]
