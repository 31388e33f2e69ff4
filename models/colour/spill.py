"""Arrays of one shape set aside in a temporary file, so that memory does not grow with the shot."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike, NDArray


class SpillError(Exception):
    """There is no place, or no room left, for temporary files; the message says where and what to do."""


class Spill:
    """A file of arrays, one for each frame, written in any order; it is gone when closed."""

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Raises SpillError where there is no place for temporary files."""
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * self._dtype.itemsize
        with _telling():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving

    def __enter__(self) -> "Spill":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file back."""
        with suppress(OSError):  # on a full disk, what could not be written is tried once more
            self._file.close()

    def put(self, frame: int, array: NDArray[np.generic]) -> None:
        """Sets a frame's array aside. Raises SpillError where the disk is full."""
        if array.shape != self._shape:
            raise ValueError(f"an array of shape {array.shape} in a file of {self._shape}")
        with _telling():
            self._file.seek(frame * self._bytes)
            self._file.write(np.ascontiguousarray(array, self._dtype).tobytes())
            self._file.flush()

    def get(self, frame: int) -> NDArray[np.generic]:
        """A frame's array as it was put. Raises KeyError where none was, SpillError."""
        with _telling():
            self._file.seek(frame * self._bytes)
            data = self._file.read(self._bytes)
        if len(data) != self._bytes:
            raise KeyError(frame)
        return np.frombuffer(data, self._dtype).reshape(self._shape)


@contextmanager
def _telling() -> Iterator[None]:
    """Trouble with a temporary file, told by its place."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        # Where no directory will do, tempfile has none, and the reason lists those it tried.
        raise SpillError(
            f"{tempfile.tempdir or 'TMPDIR'}: no room for temporary files ({why}); make room there, or set "
            "TMPDIR to another directory"
        ) from error
