"""Streams of frames side by side in one file."""

from pathlib import Path

import numpy as np
import pytest

from storage.errors import VaultError
from storage.streams import Streams, write_streams


@pytest.fixture
def streams() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "luma": rng.integers(0, 256, (5, 1, 24, 40), np.uint8),
        "truth": rng.integers(0, 256, (3, 3, 24, 40), np.uint8),
    }


def test_they_come_back_in_part_and_with_what_is_told(streams: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_streams(tmp_path / name, streams, {"stills": [3], "of": "x"})
    read = Streams(tmp_path / "a.zip")
    assert read.facts == {"stills": [3], "of": "x"}
    assert np.array_equal(read.decoded("luma"), streams["luma"])
    assert np.array_equal(read.decoded("truth", 1, 2), streams["truth"][1:3])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_what_cannot_be_read_is_told(streams: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with pytest.raises(VaultError, match="not a file of streams"):
        Streams(path)
    write_streams(path, streams, {})
    with pytest.raises(VaultError, match="not a file of streams"):
        Streams(path).decoded("masks")
    with pytest.raises(VaultError, match="holds 2 frames from frame 3 on, not 4"):
        Streams(path).decoded("luma", 3, 4)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(VaultError, match="not a file of streams"):
        Streams(path)
