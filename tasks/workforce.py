"""The run's one pool of restoring workers, shared by all its reels."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.pool import Pool
from tasks.restore import RestoringWorker

_lock = threading.Lock()
_open: list[Pool] = []


@contextmanager
def workers(size: int | None = None, gpus_each: int = 0) -> Iterator[Pool]:
    """The pool that is open in this process, or a new one that closes with this block.

    size: how many workers; one a processor (or GPU) if left out. gpus_each: how many GPUs a worker wants,
    where there are any.
    """
    with _lock:
        mine = None if _open else Pool(RestoringWorker, size, gpus_each)
        if mine:
            _open.append(mine)
        pool = _open[0]
    try:
        yield pool
    finally:
        if mine:
            with _lock:
                _open.remove(mine)
            mine.close()


def dismiss() -> None:
    """Ends the pool that is open, if any: what waits for it fails at once."""
    with _lock:
        pools = list(_open)
    for pool in pools:
        pool.close()
