"""What says the same again is neither encoded nor decoded again, and the outcome is the same."""

from fractions import Fraction

import av
import numpy as np
import pytest

import storage.master
from storage.container import Decoder, open_film
from storage.master import Ffv1Writer
from storage.pixels import Picture, Unpacker, blank, layout_of
from storage.reel import VideoFacts

SIZE = 131, 97
# Empty, full of noise, empty again: at the start, in the middle, at the end.
PATTERNS = {"one of each": "_x", "many": "___x__xx_", "ends full": "__xx", "nothing but": "____"}


def facts(layout):
    return VideoFacts(
        "ffv1", layout.name, *SIZE, Fraction(24000, 1001), Fraction(1), 0, "progressive", False, 0, 2, 2, 2
    )


def pictures(layout, pattern):
    random = np.random.default_rng(0)
    for mark in pattern:
        shapes = [layout.plane_size(n, *SIZE) for n in range(layout.planes)]
        noise = [random.integers(0, layout.peak + 1, shape).astype(layout.dtype) for shape in shapes]
        yield Picture(tuple(noise), layout) if mark == "x" else blank(Picture(tuple(noise), layout))


def written(path, layout, pattern):
    with Ffv1Writer(path, facts(layout)) as writer:
        for picture in pictures(layout, pattern):
            writer.write(picture)
    return path


def written_one_by_one(path, layout, pattern):
    """Every picture encoded, the plain way."""
    with Ffv1Writer(path, facts(layout)) as writer:
        for n, picture in enumerate(pictures(layout, pattern)):
            frame = storage.master.to_frame(picture)
            frame.pts, frame.time_base = n, 1 / facts(layout).rate
            writer._container.mux(writer._stream.encode(frame))
    return path


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
@pytest.mark.parametrize("pix_fmt", ["gray", "gray16le", "yuv420p", "yuv422p10le", "gbrp", "yuva444p"])
def test_empty_pictures_are_encoded_once_and_to_the_same_file(pix_fmt, pattern, tmp_path, monkeypatch):
    layout = layout_of(pix_fmt)
    plain = written_one_by_one(tmp_path / "plain.mkv", layout, pattern)
    encoded = []
    to_frame = storage.master.to_frame
    monkeypatch.setattr(
        storage.master, "to_frame", lambda picture: encoded.append(picture) or to_frame(picture)
    )
    film = written(tmp_path / "film.mkv", layout, pattern)
    assert film.read_bytes() == plain.read_bytes()
    assert len(encoded) == pattern.count("x") + 1
    unpacker = Unpacker()
    with av.open(str(film)) as container:
        back = [unpacker.picture(frame) for frame in container.decode(video=0)]
    for got, expected in zip(back, pictures(layout, pattern), strict=True):
        for mine, theirs in zip(got.planes, expected.planes, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def film_of(path, codec, pattern, **options):
    """Two pictures, `a` and `b`, in this order; `!` is `a` with a broken slice."""
    random = np.random.default_rng(0)
    looks = {mark: random.integers(0, 256, (64, 96), np.uint8) for mark in "ab"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "gray"
        for mark in pattern:
            frame = av.VideoFrame.from_ndarray(looks["a" if mark == "!" else mark], format="gray")
            for packet in stream.encode(frame):
                out.mux(broken(packet, stream) if mark == "!" else packet)
        out.mux(stream.encode(None))
    return path


def broken(packet, stream):
    data = bytearray(bytes(packet))
    data[len(data) // 2] ^= 0x10
    copy = av.Packet(bytes(data))
    copy.stream, copy.pts, copy.dts, copy.time_base = stream, packet.pts, packet.dts, packet.time_base
    copy.is_keyframe = True
    return copy


@pytest.mark.parametrize(
    ("codec", "pattern", "options", "decoded"),
    [
        pytest.param("ffv1", "aabbba", {"g": "1"}, 3, id="keyframes of FFV1 again"),
        pytest.param("ffv1", "ababab", {"g": "1"}, 6, id="the last one alone is kept"),
        pytest.param("ffv1", "aabbba", {"g": "6"}, 6, id="predicted contexts of FFV1 again"),
        pytest.param("libx264", "aaaaaa", {"g": "6"}, 6, id="H.264 that says: as before"),
        pytest.param("ffv1", "a!!!ab", {"g": "1", "slicecrc": "1"}, 6, id="damage again"),
    ],
)
def test_the_same_packet_shows_the_same_picture(codec, pattern, options, decoded, tmp_path, monkeypatch):
    film = film_of(tmp_path / "film.mkv", codec, pattern, level="3", **options)
    packets = []
    anew = Decoder._decode_anew
    monkeypatch.setattr(
        Decoder, "_decode_anew", lambda self, packet: packets.append(packet.size) or anew(self, packet)
    )
    with av.open(str(film), options={"threads": "1"}) as container:
        expected = [(frame.pts, frame.to_ndarray()) for frame in container.decode(video=0)]
    with open_film(str(film)) as container:
        decoder = Decoder(container)
        found = [(seen.pts, seen.frame.to_ndarray(), seen.corrupt) for seen in decoder.frames()]
    assert len([size for size in packets if size]) == decoded
    assert [corrupt for _, _, corrupt in found] == [mark == "!" for mark in pattern]
    assert bool(decoder.errors) == ("!" in pattern)
    for (pts, picture, _), (time, plain) in zip(found, expected, strict=True):
        assert pts == time
        np.testing.assert_array_equal(picture, plain)
