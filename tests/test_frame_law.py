"""Frames are conserved (law 2), only what was damaged changes (3), and every change can be taken back (4).

Each row is a film of another kind, taken through ingest, restoration, delivery and reversal, and compared
with its source by PyAV alone.
"""

import json
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from storage.tables import CHANGES, from_parquet
from storage.vault import Vault
from tasks import restore
from tasks.deliver import DeliveryRefused
from tasks.ingest import ingest
from tasks.laws import check_laws
from tasks.restore import RestoringWorker, ShotJob
from tasks.revert import revert_delivery
from tests.reels import Kind, decoded, decoded_stills, facts, payloads, write_reel, write_stills
from tests.restoring import COLUMNS, ROWS, SKIPPED_FRAMES, Patch, deliver_reel

NTSC = Fraction(24000, 1001)
ODD = (97, 65)

FILMS = {
    "mkv grey 8, 16 fps, odd size": Kind(pix_fmt="gray", rate=Fraction(16), size=ODD),
    "mkv grey 10, 18 fps, PCM": Kind(pix_fmt="gray10le", rate=Fraction(18), sound=("pcm_s16le",)),
    "mkv grey 16, 23.976 fps, FLAC and PCM, chapters, tags, timecode": Kind(
        pix_fmt="gray16le",
        rate=NTSC,
        sound=("flac", "pcm_s16le"),
        chapters=((0, 200, "first"), (200, 500, "second")),
        metadata={"TITLE": "Röntgen, reel 1", "ARCHIVE": "x/7"},
        video_metadata={"SCANNER": "no. 3"},
        timecode="01:00:00:00",
    ),
    "mkv RGB 8, 25 fps": Kind(pix_fmt="bgr0", rate=Fraction(25)),
    "mkv RGB 10, 30 fps, PCM": Kind(pix_fmt="gbrp10le", rate=Fraction(30), sound=("pcm_s16le",)),
    "mkv RGB 16, 16 fps, odd size": Kind(pix_fmt="gbrp16le", rate=Fraction(16), size=ODD),
    "mkv 4:2:0 8, 25 fps, odd size, all colour tags, interlaced": Kind(
        pix_fmt="yuv420p",
        rate=Fraction(25),
        size=ODD,
        range_tag=1,
        matrix=6,
        primaries=5,
        transfer=6,
        options={"field_order": "tt"},
    ),
    "mkv 4:2:0 10, 30 fps, full range, odd size": Kind(
        pix_fmt="yuv420p10le", rate=Fraction(30), size=ODD, range_tag=2, matrix=1
    ),
    "mkv 4:4:4 16, 23.976 fps": Kind(pix_fmt="yuv444p16le", rate=NTSC),
    "mkv 4:2:2 10, uneven times": Kind(
        pix_fmt="yuv422p10le", rate=Fraction(25), times_ms=tuple(40 * n + 110 * (n > 6) for n in range(14))
    ),
    "mp4 H.264, uneven times": Kind(
        ".mp4",
        "libx264",
        "yuv420p",
        Fraction(25),
        frames=37,
        times_ms=tuple(41 * n + 17 * (n > 6) + 100 * (n > 9) for n in range(37)),
    ),
    "mov ProRes 4:2:2 10, 23.976 fps, two PCM, timecode": Kind(
        ".mov",
        "prores_ks",
        "yuv422p10le",
        NTSC,
        sound=("pcm_s16le", "pcm_s16le"),
        timecode="10:00:00:00",
        metadata={"title": "dailies"},
        range_tag=1,
        matrix=1,
        primaries=1,
        transfer=1,
    ),
    "mp4 H.264 with B-frames, AAC that begins before zero, rotated": Kind(
        ".mp4", "libx264", "yuv420p", Fraction(25), sound=("aac",), options={"bf": "3", "g": "8"}, rotation=90
    ),
    "mp4 H.264 4:2:2 10, 30 fps, samples 4:3": Kind(
        ".mp4",
        "libx264",
        "yuv422p10le",
        Fraction(30),
        options={"bf": "2", "bluray-compat": "1"},
        sample_aspect=Fraction(4, 3),
    ),
    "mp4 H.264 interlaced, samples 12:11": Kind(
        ".mp4",
        "libx264",
        "yuv420p",
        Fraction(25),
        options={"flags": "+ilme+ildct", "x264opts": "tff=1"},
        sample_aspect=Fraction(12, 11),
    ),
    "ts MPEG-2, AAC": Kind(".ts", "mpeg2video", "yuv420p", Fraction(25), sound=("aac",), options={"bf": "2"}),
    "ts MPEG-2, AC-3 and MP2": Kind(
        ".ts", "mpeg2video", "yuv420p", Fraction(30), sound=("ac3", "mp2"), sample_aspect=Fraction(32, 27)
    ),
    "mpg MPEG-2, AC-3": Kind(
        ".mpg", "mpeg2video", "yuv420p", Fraction(25), sound=("ac3",), options={"bf": "2", "g": "6"}
    ),
    "avi MJPEG 4:2:2, 18 fps, PCM": Kind(".avi", "mjpeg", "yuvj422p", Fraction(18), sound=("pcm_s16le",)),
    "avi HuffYUV RGB, 24 fps": Kind(".avi", "huffyuv", "rgb24", Fraction(24)),
    "mxf MPEG-2 4:2:2, PCM, timecode": Kind(
        ".mxf", "mpeg2video", "yuv422p", Fraction(25), sound=("pcm_s16le",), timecode="00:01:00:00"
    ),
    "raw H.264 with B-frames, 18 fps as asked": Kind(
        ".264", "libx264", "yuv420p", Fraction(18), options={"bf": "3"}
    ),
    "y4m 4:4:4, 16 fps": Kind(".y4m", "rawvideo", "yuv444p", Fraction(16)),
}
STILLS = {
    "DPX RGB 10, 16 fps": ("dpx", "gbrp10le", Fraction(16)),
    "TIFF RGB 16, 18 fps": ("tiff", "rgb48le", Fraction(18)),
    "PNG grey 8, 24 fps": ("png", "gray", Fraction(24)),
    "PNG RGB 16, 23.976 fps": ("png", "rgb48be", NTSC),
}


def assert_only_the_patch_changed(source, master):
    """Planes of every frame: equal outside the patch, changed in it where the restorer was not idle."""
    assert len(master) == len(source)
    half, height, width = len(source) // 2, *source[0][0].shape
    for number, (before, after) in enumerate(zip(source, master, strict=True)):
        touched = (number if number < half else number - half) % SKIPPED_FRAMES > 0
        for old, new in zip(before, after, strict=True):
            assert (old.shape, old.dtype) == (new.shape, new.dtype)
            # A subsampled plane is touched wherever it covers a pixel of the patch.
            down, across = -(-height // old.shape[0]), -(-width // old.shape[1])
            inside = np.zeros(old.shape, bool)
            inside[
                ROWS.start // down : -(-ROWS.stop // down),
                COLUMNS.start // across : -(-COLUMNS.stop // across),
            ] = touched
            np.testing.assert_array_equal(new[~inside], old[~inside], f"frame {number}")
        assert (before[0] != after[0]).any() == touched


def assert_reverts(delivered, source, tmp_path):
    back = tmp_path / "back.mkv"
    revert_delivery(str(delivered.bag), str(back))
    pictures = decoded(back)
    assert len(pictures) == len(source)
    for (_, planes), old in zip(pictures, source, strict=True):
        for new, expected in zip(planes, old, strict=True):
            np.testing.assert_array_equal(new, expected)
    return back


def times_ms(path):
    with av.open(str(path)) as film:
        base = film.streams.video[0].time_base
        return [frame.pts * base * 1000 for frame in film.decode(video=0)]


def without_framing(packets):
    """AAC without the 7-byte ADTS header, which belongs to the transport stream and not to the sound."""
    return [packet[7:] if packet[:2] == b"\xff\xf1" else packet for packet in packets]


def first_sound_ms(path, track):
    with av.open(str(path)) as film:
        stream = film.streams.audio[track]
        return next(packet.pts * stream.time_base * 1000 for packet in film.demux(stream))


@pytest.mark.parametrize("name", FILMS)
def test_a_film_comes_through(name, tmp_path):
    kind = FILMS[name]
    film = write_reel(tmp_path / "film", kind)
    source = [planes for _, planes in decoded(film)]
    assert len(source) == kind.frames
    raw = kind.suffix == ".264"
    delivered = deliver_reel(tmp_path / "vault", film, kind.rate if raw else None)
    master = delivered.data / "master.mkv"
    assert check_laws(delivered.data) == []
    assert_only_the_patch_changed(source, [planes for _, planes in decoded(master)])
    assert_every_frame_stands_alone(master)
    assert_can_be_watched(delivered.data / "access.mp4", kind, delivered)
    assert_reverts_whole(delivered, source, tmp_path, film)

    told, carried = facts(film), facts(master)
    for fact in (
        "range",
        "matrix",
        "primaries",
        "transfer",
        "sample_aspect",
        "rotation",
        "timecode",
        "chapters",
    ):
        assert carried[fact] == told[fact], fact
    assert carried["sample_aspect"] == kind.sample_aspect
    assert carried["field_order"] == told["field_order"]
    for key in (*kind.metadata, *kind.video_metadata):
        assert carried["tags"][key.lower()] == told["tags"][key.lower()]
    if kind.times_ms:
        assert carried["rate"] == pytest.approx(told["rate"], rel=5e-5)
    else:
        assert carried["rate"] == kind.rate
    changed = {
        row["frame"] for row in from_parquet((delivered.data / "changes.parquet").read_bytes(), CHANGES)
    }
    half = kind.frames // 2
    assert changed == {n for n in range(kind.frames) if (n if n < half else n - half) % SKIPPED_FRAMES}


def assert_reverts_whole(delivered, source, tmp_path, film):
    """Pictures, sound and times of master and reverted film are the source's."""
    master = delivered.data / "master.mkv"
    back = assert_reverts(delivered, source, tmp_path)
    for copy in (master, back):
        sound = payloads(film)
        assert payloads(copy) == [without_framing(track) for track in sound]
        if film.suffix == ".264":
            continue
        theirs, ours = times_ms(film), times_ms(copy)
        shift = ours[0] - theirs[0]
        assert all(abs(our - their - shift) <= 1 for their, our in zip(theirs, ours, strict=True))
        for track in range(len(sound)):
            assert abs(first_sound_ms(copy, track) - first_sound_ms(film, track) - shift) <= 2


def assert_every_frame_stands_alone(master):
    """FFV1 version 3, nothing predicted from another frame: one broken frame costs one frame."""
    with av.open(str(master)) as film:
        stream = film.streams.video[0]
        packets = [packet for packet in film.demux(stream) if packet.size]
        assert stream.codec_context.name == "ffv1"
        assert stream.codec_context.extradata
        assert all(packet.is_keyframe for packet in packets)


def assert_can_be_watched(access, kind, delivered):
    """The access copy shows every frame at its time, and plays the sound to its end."""
    with av.open(str(access)) as film:
        shown = [frame.pts * film.streams.video[0].time_base * 1000 for frame in film.decode(video=0)]
    expected = times_ms(delivered.data / "master.mkv")
    assert all(abs(ours - theirs) <= 1 for ours, theirs in zip(shown, expected, strict=True))
    seconds = kind.frames / kind.rate
    for track in range(len(kind.sound)):
        with av.open(str(access)) as film:
            stream = film.streams.audio[track]
            samples = sum(frame.samples for frame in film.decode(stream))
            assert -0.001 < samples / stream.rate - seconds < 0.1
    assert track_count(access) == len(kind.sound)


def track_count(path):
    with av.open(str(path)) as film:
        return len(film.streams.audio)


@pytest.mark.parametrize("name", STILLS)
def test_an_image_sequence_comes_through(name, tmp_path):
    codec, pix_fmt, rate = STILLS[name]
    folder = write_stills(tmp_path / "scan", codec, pix_fmt)
    source = decoded_stills(folder)
    delivered = deliver_reel(tmp_path / "vault", folder, rate)
    master = delivered.data / "master.mkv"
    assert_only_the_patch_changed(source, [planes for _, planes in decoded(master)])
    assert_reverts(delivered, source, tmp_path)
    assert facts(master)["rate"] == rate
    assert all(abs(b - a - 1000 / rate) <= 1 for a, b in pairwise(times_ms(master)))
    assert check_laws(delivered.data) == []


@pytest.mark.parametrize(
    ("kind", "share", "frames", "damage"),
    [
        pytest.param(Kind(sound=("pcm_s16le",)), 0.6, 14, "lost", id="mkv"),
        pytest.param(Kind(".avi", "mjpeg", "yuvj422p", Fraction(18)), 0.6, None, "corrupt", id="avi"),
    ],
)
def test_a_film_cut_off_comes_through_with_every_frame_in_its_place(kind, share, frames, damage, tmp_path):
    film = write_reel(tmp_path / "film", kind)
    whole = [planes for _, planes in decoded(film)]
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * share)])
    delivered = deliver_reel(tmp_path / "vault", film)
    rows = delivered.reel.rows
    assert frames in (None, len(rows))
    expected = [whole[row.shown] for row in rows]
    assert_only_the_patch_changed(expected, [planes for _, planes in decoded(delivered.data / "master.mkv")])
    assert_reverts(delivered, expected, tmp_path)
    items = json.loads((delivered.data / "review-list.json").read_text())
    assert f"{damage} frames" in {item["reason"] for item in items}


def test_the_same_reel_gives_the_same_bytes(tmp_path):
    film = write_reel(
        tmp_path / "film", FILMS["mp4 H.264 with B-frames, AAC that begins before zero, rotated"]
    )
    one, two = (deliver_reel(tmp_path / vault, film) for vault in ("one", "two"))
    assert one.bag.name == two.bag.name
    for path in sorted(one.data.rglob("*")):
        if path.is_file() and path.name != "events.json":
            assert path.read_bytes() == (two.data / path.relative_to(one.data)).read_bytes(), path.name


def test_some_shots_are_taken_back(tmp_path):
    film = write_reel(tmp_path / "film", FILMS["mkv grey 8, 16 fps, odd size"])
    source = [planes[0] for _, planes in decoded(film)]
    delivered = deliver_reel(tmp_path / "vault", film)
    restored = [planes[0] for _, planes in decoded(delivered.data / "master.mkv")]
    back = tmp_path / "back.mkv"
    reverted = revert_delivery(str(delivered.bag), str(back), "2")
    assert reverted.reverted_frames == 7
    for got, expected in zip(decoded(back), restored[:7] + source[7:], strict=True):
        np.testing.assert_array_equal(got[1][0], expected)


def test_a_worker_restores_with_what_is_installed(tmp_path):
    """`classical` finds the dirt that the reel wears and leaves all else; the second call finds it done."""
    film = write_reel(tmp_path / "film", Kind(pix_fmt="gray10le", frames=12))
    vault = Vault(str(tmp_path / "vault"))
    vault.prepare()
    reel = ingest(vault, str(film), None, lambda frames: None)
    job = ShotJob(vault.uri, reel.reel.reel_id, 0, 6, "classical", "preservation")
    done = []
    outcome = RestoringWorker().run(job, done.append)
    assert done == list(range(1, 7))
    record = Path(vault.path(f"{outcome.key}/shot.json")).stat().st_mtime_ns
    assert RestoringWorker().run(job, done.append).key == outcome.key
    assert Path(vault.path(f"{outcome.key}/shot.json")).stat().st_mtime_ns == record
    restored = decoded(vault.path(f"{outcome.key}/restored.mkv"))
    masks = decoded(vault.path(f"{outcome.key}/mask.mkv"))
    for (_, old), (_, new), (_, mask) in zip(decoded(film)[:6], restored, masks, strict=True):
        np.testing.assert_array_equal(new[0][mask[0] == 0], old[0][mask[0] == 0])


class OneFrameShort(Patch):
    def restore(self, footage):
        return islice(super().restore(footage), footage.frame_count - 1)


class OneFrameLong(Patch):
    def restore(self, footage):
        repairs = list(super().restore(footage))
        return iter([*repairs, repairs[-1]])


@pytest.mark.parametrize("restorer", [OneFrameShort, OneFrameLong])
def test_a_restorer_that_miscounts_is_found_out(restorer, tmp_path):
    film = write_reel(tmp_path / "film", Kind())
    with pytest.raises(ValueError, match="zip"):
        deliver_reel(tmp_path / "vault", film, restorer=restorer())
    assert not list((tmp_path / "vault").rglob("shot.json"))


def at_another_time(film):
    """The film's header dated a day after its track."""
    data = bytearray(film.read_bytes())
    at = data.index(b"mvhd") + 8
    day = int.from_bytes(data[at : at + 4], "big") + 86_400
    data[at : at + 4] = day.to_bytes(4, "big")
    film.write_bytes(data)


TAGS = {
    # film, what is done to it, the tags that Matroska cannot hold
    "MOV of two dates": (
        Kind(".mov", "prores_ks", "yuv422p10le", metadata={"creation_time": "2020-01-02T03:04:05Z"}),
        at_another_time,
        ["creation_time of the picture"],
    ),
    "a name with a blank": (Kind(metadata={"MADE BY": "us"}), lambda film: None, []),
    "the same tag of film and picture": (
        Kind(metadata={"NOTE": "one"}, video_metadata={"NOTE": "two"}),
        lambda film: None,
        [],
    ),
    "MOV with names of its own": (
        Kind(
            ".mov",
            "prores_ks",
            "yuv422p10le",
            metadata={"com.archive.made by": "us", "encoding_tool": "x"},
            container_options={"movflags": "use_metadata_tags"},
        ),
        lambda film: None,
        ["com.archive.made by of the film", "encoding_tool of the film"],
    ),
}


@pytest.mark.parametrize("name", TAGS)
def test_no_tag_refuses_a_reel(name, tmp_path):
    kind, change, dropped = TAGS[name]
    film = write_reel(tmp_path / "film", kind)
    change(film)
    delivered = deliver_reel(tmp_path / "vault", film)
    told = [line for line in delivered.reel.reel.not_carried if line.startswith("tag ")]
    assert [line.removeprefix("tag ").partition(":")[0] for line in told] == dropped


def test_a_full_disk_is_no_broken_law(tmp_path):
    delivered = deliver_reel(tmp_path / "vault", write_reel(tmp_path / "film", Kind()))

    def full(*_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        check_laws(delivered.data, full)


def test_a_delivery_that_would_break_a_law_is_refused(tmp_path, monkeypatch):
    """The mask does not tell of all that changed."""
    film = write_reel(tmp_path / "film", Kind())
    honest = restore._mask_picture
    monkeypatch.setattr(restore, "_mask_picture", lambda mask, repair: honest(np.zeros_like(mask), repair))
    with pytest.raises(DeliveryRefused, match="changed outside the mask"):
        deliver_reel(tmp_path / "vault", film)
    assert not list((tmp_path / "vault").rglob("bagit.txt"))
