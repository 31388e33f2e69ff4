"""A reel is read frame-exactly from any frame on; damage keeps its place; what is no film is refused."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

import storage.container
import storage.filesystem
import storage.fixity
from storage.errors import SourceError
from storage.frames import read_frames
from storage.probe import probe
from storage.reel import reel_from_json, reel_to_json
from storage.survey import count_frames, digest_source, survey
from tests.reels import Kind, decoded, replace, write_reel, write_stills
from tests.scan_files import dpx, pixels

OPEN_GROUPS = {"bf": "3", "g": "6", "x264opts": "open-gop=1:keyint=6:min-keyint=6:scenecut=0"}
FILMS = {
    "mkv FFV1": Kind(pix_fmt="gray10le"),
    "mkv H.264, open groups, B-frames": Kind(
        ".mkv", "libx264", "yuv420p", Fraction(25), frames=22, options=OPEN_GROUPS
    ),
    "mp4 H.264, open groups, B-frames, sound": Kind(
        ".mp4", "libx264", "yuv420p", Fraction(25), frames=22, options=OPEN_GROUPS, sound=("aac",)
    ),
    "mov ProRes": Kind(".mov", "prores_ks", "yuv422p10le", Fraction(24000, 1001)),
    "avi MJPEG": Kind(".avi", "mjpeg", "yuvj422p", Fraction(18)),
    "ts MPEG-2, B-frames": Kind(
        ".ts", "mpeg2video", "yuv420p", Fraction(25), frames=22, options={"bf": "2", "g": "6"}
    ),
    "mpg MPEG-2, B-frames": Kind(
        ".mpg", "mpeg2video", "yuv420p", Fraction(25), frames=22, options={"bf": "2", "g": "6"}
    ),
    "mxf MPEG-2": Kind(".mxf", "mpeg2video", "yuv422p", Fraction(25), options={"bf": "2", "g": "6"}),
    "raw H.264, B-frames": Kind(".264", "libx264", "yuv420p", Fraction(25), frames=22, options=OPEN_GROUPS),
    "raw MPEG-2, B-frames": Kind(
        ".m2v", "mpeg2video", "yuv420p", Fraction(25), frames=22, options={"bf": "2", "g": "6"}
    ),
    "y4m": Kind(".y4m", "rawvideo", "yuv444p", Fraction(16)),
    "mkv FFV1, uneven times": Kind(times_ms=tuple(40 * n + 500 * (n > 6) for n in range(14))),
}


def assert_shows(picture, planes):
    for got, expected in zip(picture.planes, planes, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", FILMS)
def test_every_frame_is_found_from_every_start(name, tmp_path):
    film = write_reel(tmp_path / "film", FILMS[name])
    truth = [planes for _, planes in decoded(film)]
    reel, rows = survey(str(film))
    count = FILMS[name].frames
    assert len(truth) == reel.frame_count == len(rows) == count
    assert [row.frame for row in rows] == [row.shown for row in rows] == list(range(count))
    assert not any(row.damage for row in rows)
    for start in range(count):
        end = min(start + 3, count)
        pictures = list(read_frames(reel, rows, start, end))
        assert len(pictures) == end - start
        for picture, planes in zip(pictures, truth[start:end], strict=True):
            assert_shows(picture, planes)
    assert list(read_frames(reel, rows, 4, 4)) == []


@pytest.mark.parametrize("name", FILMS)
def test_the_plan_counts_what_ingest_finds(name, tmp_path):
    film = write_reel(tmp_path / "film", FILMS[name])
    count, video = count_frames(str(film))
    reel, _ = survey(str(film))
    assert (count, video) == (reel.frame_count, reel.video)


@pytest.mark.parametrize("name", FILMS)
def test_a_reel_reads_back_from_its_record(name, tmp_path):
    reel, _ = survey(str(write_reel(tmp_path / "film", FILMS[name])))
    assert reel_from_json(reel_to_json(reel)) == reel


# --- damage ------------------------------------------------------------------------------------------------


def truncated(data):
    return data[: len(data) * 6 // 10]


def smashed(data):
    """A twentieth of the file, in its middle, is zero: what a bad sector gives."""
    middle, length = len(data) // 2, len(data) // 20
    return data[:middle] + bytes(length) + data[middle + length :]


def flipped(data):
    data = bytearray(data)
    data[len(data) // 2] ^= 0x10
    return bytes(data)


ALL_KEYS = Kind(".mp4", "libx264", "yuv420p", Fraction(25), frames=20, options={"g": "1", "crf": "1"})
FRONT = replace(ALL_KEYS, container_options={"movflags": "faststart"})
DAMAGES = {
    # film, what is done to it, which damage is told, frames known beyond those that decode
    "FFV1 mkv cut off": (Kind(), truncated, "lost", True),
    "FFV1 mkv smashed": (Kind(frames=24), smashed, "lost", True),
    "FFV1 mkv with one bit flipped": (Kind(), flipped, "corrupt", True),
    "FFV1 16-bit mkv with one bit flipped": (Kind(pix_fmt="gray16le"), flipped, "corrupt", True),
    "mp4 cut off, its index in front": (FRONT, truncated, "lost", True),
    "mp4 smashed": (FRONT, smashed, None, True),
    "mp4 with long groups smashed": (
        Kind(
            ".mp4",
            "libx264",
            "yuv420p",
            Fraction(25),
            frames=40,
            options={"bf": "2", "g": "16", "crf": "5"},
            container_options={"movflags": "faststart"},
        ),
        smashed,
        None,
        True,
    ),
    "avi cut off": (Kind(".avi", "mjpeg", "yuvj422p", Fraction(18)), truncated, None, False),
    "ts cut off": (Kind(".ts", "mpeg2video", "yuv420p", Fraction(25)), truncated, None, False),
    "ts smashed": (
        Kind(".ts", "mpeg2video", "yuv420p", Fraction(25), frames=24, options={"g": "3"}),
        smashed,
        None,
        True,
    ),
    "ProRes mov smashed": (
        Kind(".mov", "prores_ks", "yuv422p10le", Fraction(24), frames=24),
        smashed,
        None,
        True,
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_listed_and_keeps_its_place(name, tmp_path):
    kind, damage, told, all_known = DAMAGES[name]
    film = write_reel(tmp_path / "film", kind)
    whole, truth = survey(str(film))
    film.write_bytes(damage(film.read_bytes()))
    reel, rows = survey(str(film))
    assert reel.reel_id != whole.reel_id
    assert reel.frame_count == len(rows) <= len(truth)
    if all_known:
        assert len(rows) == len(truth)
    hurt = [row for row in rows if row.damage]
    assert reel.damaged_frames == len(hurt) < len(rows)
    assert hurt or not all_known
    assert told is None or told in {row.damage for row in hurt}
    assert reel.decoder_errors or not hurt
    for row in rows:
        if not row.damage:
            assert row.md5 == truth[row.frame].md5, f"frame {row.frame} is not the one that was there"
        if row.damage == "lost":
            assert rows[row.shown].damage != "lost"
            assert row.md5 == rows[row.shown].md5
    pictures = list(read_frames(reel, rows, 0, len(rows)))
    assert len(pictures) == len(rows)
    for start in range(0, len(rows), 5):
        for picture, expected in zip(
            read_frames(reel, rows, start, len(rows)), pictures[start:], strict=True
        ):
            assert_shows(picture, expected.planes)


def test_a_missing_image_keeps_its_place(tmp_path):
    folder = write_stills(tmp_path / "scan", "dpx", "gbrp10le", frames=8)
    (folder / "scan_00003.dpx").unlink()
    (folder / "scan_00005.dpx").write_bytes((folder / "scan_00005.dpx").read_bytes()[:3000])
    reel, rows = survey(str(folder), Fraction(18))
    assert [row.damage for row in rows] == ["", "", "", "lost", "", "lost", "", ""]
    assert [row.shown for row in rows] == [0, 1, 2, 2, 4, 4, 6, 7]
    assert reel.damaged_frames == 2
    shown = list(read_frames(reel, rows, 2, 6))
    assert_shows(shown[1], shown[0].planes)
    assert_shows(shown[3], shown[2].planes)


def test_a_film_that_changed_after_ingest_is_not_read(tmp_path):
    film = write_reel(tmp_path / "film", Kind())
    reel, rows = survey(str(film))
    write_reel(tmp_path / "film", Kind(), seed=1)
    with pytest.raises(SourceError, match="changed"):
        list(read_frames(reel, rows, 3, 5))


def test_a_film_that_became_shorter_is_not_read(tmp_path):
    film = write_reel(tmp_path / "film", Kind())
    reel, rows = survey(str(film))
    write_reel(tmp_path / "film", Kind(frames=9))
    with pytest.raises(SourceError, match="changed"):
        list(read_frames(reel, rows, 8, 12))


class Failing:
    """A file on a disk that gives up after some bytes."""

    def __init__(self, file, left):
        self._file, self._left = file, left

    def read(self, size=-1):
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError(5, "Input/output error")
        return data

    def __getattr__(self, name):
        return getattr(self._file, name)


READINGS = {
    "digest": lambda film, reel, rows: digest_source(film),
    "survey": lambda film, reel, rows: survey(film),
    "probe": lambda film, reel, rows: probe(film),
    "frames": lambda film, reel, rows: list(read_frames(reel, rows, 0, len(rows))),
}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(lambda path: path.write_bytes(b"SDPX" + bytes(3000)), "scan_00007.dpx", id="cut off"),
        pytest.param(lambda path: path.unlink(), "no longer there", id="deleted"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "no longer there", id="a folder instead"),
    ],
)
def test_a_still_that_changed_after_ingest_is_told(change, told, tmp_path):
    folder = write_stills(tmp_path / "scan", "dpx", "gbrp10le", frames=8)
    reel, rows = survey(str(folder), Fraction(18))
    change(folder / "scan_00007.dpx")
    with pytest.raises(SourceError, match=told):
        list(read_frames(reel, rows, 0, 8))


@pytest.mark.parametrize("good_bytes", [0, 1500])
@pytest.mark.parametrize("name", READINGS)
def test_a_disk_that_fails_is_told_as_the_sources(name, good_bytes, tmp_path, monkeypatch):
    film = str(write_reel(tmp_path / "film", Kind(frames=40)))
    reel, rows = survey(film)
    monkeypatch.setattr(storage.container, "_BUFFER_BYTES", 1000)
    monkeypatch.setattr(storage.fixity, "_BLOCK_BYTES", 1000)

    def failing(path, mode):
        return Failing(open(path, mode), good_bytes)

    monkeypatch.setattr(storage.filesystem, "open", failing, raising=False)
    with pytest.raises(SourceError, match="Input/output error") as caught:
        READINGS[name](film, reel, rows)
    assert film in str(caught.value)


# --- no films ----------------------------------------------------------------------------------------------


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("Dear archive,\nthe film is in the post.\n" * 50)


def sound_only(path):
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), "i2"), "s16", "mono")
        frame.sample_rate = 48000
        out.mux([*stream.encode(frame), *stream.encode(None)])


def no_frames(path):
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "gray"
        out.start_encoding()


def playlist(path):
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", str(other(path)), "#EXT-X-ENDLIST"]
    path.write_text("\n".join(lines))


def concat_list(path):
    path.write_text(f"ffconcat version 1.0\nfile {other(path).name}\n")


def image_pattern(path):
    path.write_bytes(
        (write_stills(path.parent / "one", "png", "gray", frames=1) / "scan_00000.png").read_bytes()
    )


def noise(path):
    path.write_bytes(np.random.default_rng(0).bytes(20_000))


def other(path):
    return write_reel(path.parent / "secret", Kind(".ts", "mpeg2video", "yuv420p", Fraction(25)))


NO_FILMS = {
    "missing": (lambda path: None, "no such file"),
    "a directory": (lambda path: path.mkdir(), "directory"),
    "empty": (empty, "empty"),
    "text": (text, "not a film"),
    "noise": (noise, "not a film"),
    "sound only": (sound_only, "no picture"),
    "no frames": (no_frames, "not one frame|not a film"),
    "an HLS playlist": (playlist, "not a film"),
    "a concat list": (concat_list, "not a film"),
    "a picture": (image_pattern, "not a film"),
}


@pytest.mark.parametrize("name", NO_FILMS)
def test_what_is_no_film_is_refused_in_one_line(name, tmp_path):
    make, why = NO_FILMS[name]
    path = tmp_path / "reel.mkv"
    make(path)
    for look in (survey, probe, lambda source: (digest_source(source), survey(source))):
        with pytest.raises(SourceError, match=why) as caught:
            look(str(path))
        message = str(caught.value)
        assert "\n" not in message
        assert str(path) in message


def test_a_film_that_names_another_file_does_not_show_it(tmp_path):
    """A MOV whose data lies elsewhere: FFmpeg would open that file, and so would send it to whoever asks."""
    film = write_reel(tmp_path / "film", Kind(".mov", "prores_ks", "yuv422p10le", Fraction(25)))
    data = film.read_bytes()
    secret = tmp_path / "secret.bin"
    shutil.copy(film, secret)
    assert survey(str(film))[0].frame_count == 14
    # `url ` with flags 1: the samples are in this file. An alias record with a path: they are in that one.
    here = (12).to_bytes(4, "big") + b"url " + (1).to_bytes(4, "big")
    path = str(secret).encode()
    path += bytes(len(path) % 2)
    alias = bytes(150) + (2).to_bytes(2, "big") + len(path).to_bytes(2, "big") + path + b"\xff\xff\0\0"
    film.write_bytes(
        _with_atom(data, here, (12 + len(alias)).to_bytes(4, "big") + b"alis" + bytes(4) + alias)
    )
    with av.open(str(film), options={"enable_drefs": "1", "use_absolute_path": "1"}) as careless:
        assert len(list(careless.decode(video=0))) == 14
    with pytest.raises(SourceError) as caught:
        survey(str(film))
    assert str(film) in str(caught.value)


def _with_atom(data, old, new):
    """The MOV with an atom replaced and the sizes of all that hold it mended."""
    at = data.index(old)
    grown = len(new) - len(old)
    data = bytearray(data[:at] + new + data[at + len(old) :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = data.rindex(name, 0, at) - 4
        size = int.from_bytes(data[start : start + 4], "big")
        data[start : start + 4] = (size + grown).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "rate", "found"),
    [
        pytest.param(Kind(rate=Fraction(18)), None, Fraction(18), id="as the file says"),
        pytest.param(
            Kind(rate=Fraction(18)), Fraction(18), Fraction(18), id="asked, and the file says so too"
        ),
        pytest.param(Kind(rate=Fraction(18)), Fraction(24), SourceError, id="asked otherwise"),
        pytest.param(
            Kind(".264", "libx264", "yuv420p", Fraction(25)), Fraction(16), Fraction(16), id="raw, asked"
        ),
        pytest.param(
            Kind(".264", "libx264", "yuv420p", Fraction(25)), None, Fraction(25), id="raw, as it says"
        ),
    ],
)
def test_the_rate_is_the_files_or_the_persons(kind, rate, found, tmp_path):
    film = str(write_reel(tmp_path / "film", kind))
    if found is SourceError:
        with pytest.raises(SourceError, match="--rate"):
            survey(film, rate)
        return
    reel, _ = survey(film, rate)
    assert reel.video.rate == found
    assert bool(reel.assumptions) == (kind.suffix == ".264")


def test_what_the_stills_say_is_kept_or_told(tmp_path):
    """A shape of sample is carried; files left aside stand among the assumptions; the first may be broken."""
    fields = [(1628, "II", (4, 3))]
    for number in range(4):
        (tmp_path / f"scan_{number}.dpx").write_bytes(dpx(pixels(3), fields=fields))
    (tmp_path / "scan_0.dpx").write_bytes(b"SDPX")
    (tmp_path / "leader.dpx").write_bytes(dpx(pixels(3)))
    reel, rows = survey(str(tmp_path), Fraction(18))
    assert reel.video.sample_aspect == Fraction(4, 3)
    assert any("leader.dpx" in assumption for assumption in reel.assumptions)
    assert [row.damage for row in rows] == ["lost", "", "", ""]
    assert count_frames(str(tmp_path), Fraction(18)) == (4, reel.video)
