"""Coded clips come back bit for bit, the same each time, and what is broken or too large is refused."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from storage.clipcode import Crop, decode, encode
from storage.errors import VaultError

ROOT = Path(__file__).parent.parent


def clip(frames=5, channels=1, height=48, width=64, seed=3):
    """Grainy, with an empty frame and one twice over, as masks have them."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(40, 200, height * width).reshape(height, width)
    made = np.clip(slope + rng.normal(0, 9, (frames, channels, height, width)), 0, 255).astype(np.uint8)
    made[1] = 0
    made[3] = made[2]
    return made


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(48, 64), (33, 47), (1, 1), (256, 256)], ids=str)
def test_what_was_coded_comes_back(channels, size):
    frames = clip(5, channels, *size)
    assert np.array_equal(decode(encode(frames), (channels, *size)), frames)


@pytest.mark.parametrize(
    ("first", "count", "crop"),
    [
        pytest.param(0, 1, None, id="the first"),
        pytest.param(2, 2, None, id="two in the middle"),
        pytest.param(4, None, None, id="from one to the end"),
        pytest.param(1, 3, Crop(7, 9, 20, 31), id="some, cropped"),
        pytest.param(0, None, Crop(28, 33, 20, 31), id="to the corner"),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_part_is_had_alone(first, count, crop, channels):
    frames = clip(channels=channels)
    top, left, height, width = crop or Crop(0, 0, 48, 64)
    wanted = frames[first : None if count is None else first + count]
    part = decode(encode(frames), (channels, 48, 64), first, count, crop)
    assert np.array_equal(part, wanted[..., top : top + height, left : left + width])


def test_only_the_frames_asked_for_are_decoded():
    """Every other frame is broken, and nobody minds."""
    frames = clip(9)
    data = bytearray(encode(frames))
    for number, (position, size) in enumerate(_packets(bytes(data))):
        if number not in (0, 4, 5):  # the first is looked at to see what the film is
            data[position + size // 2] ^= 0xFF
    assert np.array_equal(decode(bytes(data), (1, 48, 64), 4, 2), frames[4:6])
    with pytest.raises(VaultError, match="damaged"):
        decode(bytes(data), (1, 48, 64), 4, 3)


def _packets(data):
    with av.open(io.BytesIO(data)) as container:
        held = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    at, found = 0, []
    for packet in held:
        at = data.index(packet, at)
        found.append((at, len(packet)))
        at += len(packet)
    return found


def test_the_same_frames_give_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from storage.clipcode import encode; from tests.test_clipcode import clip;"
        "print(*(hashlib.sha256(encode(clip(channels=c))).hexdigest() for c in (1, 3)))"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == [hashlib.sha256(encode(clip(channels=c))).hexdigest() for c in (1, 3)]


def other_film(codec, pix_fmt, width, height, container="matroska", streams=1):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        added = [out.add_stream(codec, rate=25) for _ in range(streams)]
        for stream in added:
            stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for stream in added:
            frame = av.VideoFrame(width, height, pix_fmt)  # of whatever the memory held
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            out.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


GOOD = encode(clip())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"FFV1?" * 40, id="noise"),
        pytest.param(GOOD[:-3000], id="cut off"),
        pytest.param(GOOD[:150], id="header alone"),
        pytest.param(GOOD[:6000] + bytes([GOOD[6000] ^ 64]) + GOOD[6001:], id="one bit"),
        pytest.param(encode(clip()[:4]), id="too few frames"),
        pytest.param(encode(clip(channels=3)), id="colour for grey"),
        pytest.param(encode(clip(height=64)), id="higher"),
        pytest.param(encode(clip(height=32)), id="lower"),
        pytest.param(other_film("ffv1", "gray", 4096, 4096), id="a bomb"),
        pytest.param(other_film("ffv1", "gray", 64, 48, streams=2), id="two streams"),
        pytest.param(other_film("ffv1", "gray", 64, 48, "avi"), id="another container"),
        pytest.param(other_film("rawvideo", "gray", 64, 48), id="another codec"),
        pytest.param(other_film("ffv1", "gray10le", 64, 48), id="deeper"),
        pytest.param(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", id="a playlist"),
    ],
)
def test_what_is_no_such_clip_is_refused_in_one_line(data):
    with pytest.raises(VaultError) as told:
        decode(data, (1, 48, 64), 0, 5)
    assert "\n" not in str(told.value)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts a process' memory in Linux' way")
@pytest.mark.parametrize(("codec", "pix_fmt"), [("ffv1", "gray"), ("libx264", "yuv420p")], ids=str)
def test_a_bomb_is_not_even_looked_into(codec, pix_fmt):
    """36 million pixels in some kilobytes: what asks for 64x48 never holds them."""
    bomb = other_film(codec, pix_fmt, 6000, 6000)
    code = (
        "import re, sys; from storage.clipcode import decode; from storage.errors import VaultError\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])\n"
        "data = sys.stdin.buffer.read(); before = peak()\n"
        "try: decode(data, (1, 48, 64))\n"
        "except VaultError: print(peak() - before)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, input=bomb, check=True)
    assert int(told.stdout) < 20_000  # KiB; one frame is 35,000


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(np.zeros((2, 2, 8, 8), np.uint8), id="two planes"),
        pytest.param(np.zeros((2, 1, 8, 8), np.uint16), id="16 bit"),
        pytest.param(np.zeros((8, 8), np.uint8), id="a picture"),
        pytest.param(np.zeros((0, 1, 8, 8), np.uint8), id="no frames"),
        pytest.param(np.zeros((1, 1, 0, 8), np.uint8), id="no rows"),
    ],
)
def test_what_is_no_clip_is_not_coded(frames):
    with pytest.raises(VaultError, match="a clip"):
        encode(frames)


@pytest.mark.parametrize(
    ("first", "crop"),
    [(0, Crop(40, 0, 9, 9)), (0, Crop(0, -1, 9, 9)), (0, Crop(0, 0, 0, 9)), (-1, None), (5, None)],
    ids=str,
)
def test_what_lies_outside_is_refused(first, crop):
    with pytest.raises(VaultError):
        decode(GOOD, (1, 48, 64), first, None, crop)


@pytest.mark.parametrize("size", [(2, 48, 64), (0, 48, 64), (1, 0, 64), (1, -48, 64)], ids=str)
def test_a_size_that_no_clip_has_is_refused(size):
    with pytest.raises(VaultError):
        decode(GOOD, size)
