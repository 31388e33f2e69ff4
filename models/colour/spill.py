"""Arrays of one shape set aside in a temporary file, so that memory does not grow with the shot."""

import tempfile
from types import TracebackType

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Spill:
    """A file of arrays, one for each frame, written in any order; it is gone when closed."""

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        """Raises OSError where there is no place for temporary files (`TMPDIR` names another)."""
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * self._dtype.itemsize
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving

    def __enter__(self) -> "Spill":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()

    def put(self, frame: int, array: NDArray[np.generic]) -> None:
        """Sets a frame's array aside. Raises OSError where the disk is full."""
        if array.shape != self._shape:
            raise ValueError(f"an array of shape {array.shape} in a file of {self._shape}")
        self._file.seek(frame * self._bytes)
        self._file.write(np.ascontiguousarray(array, self._dtype).tobytes())

    def get(self, frame: int) -> NDArray[np.generic]:
        """A frame's array as it was put. Raises KeyError where none was."""
        self._file.seek(frame * self._bytes)
        data = self._file.read(self._bytes)
        if len(data) != self._bytes:
            raise KeyError(frame)
        return np.frombuffer(data, self._dtype).reshape(self._shape)
