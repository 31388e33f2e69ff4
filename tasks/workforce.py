"""The run's one pool of workers of a kind, shared by all its reels."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.pool import Pool, Worker
from tasks.restore import RestoringWorker

_lock = threading.Lock()
_open: dict[Callable[[], Worker], Pool] = {}
"""By what is made in each worker process."""


@contextmanager
def workers(
    size: int | None = None, gpus_each: int = 0, kind: Callable[[], Worker] = RestoringWorker
) -> Iterator[Pool]:
    """The pool that is open in this process, or a new one that closes with this block.

    size: how many workers; one a processor (or GPU) if left out. gpus_each: how many GPUs a worker wants,
    where there are any. kind: what they do.
    """
    with _lock:
        mine = None if kind in _open else Pool(kind, size, gpus_each)
        pool = _open.setdefault(kind, mine) if mine else _open[kind]
    try:
        yield pool
    finally:
        if mine:
            with _lock:
                del _open[kind]
            mine.close()


def dismiss() -> None:
    """Ends the pools that are open: what waits for them fails at once."""
    with _lock:
        pools = list(_open.values())
    for pool in pools:
        pool.close()
