"""Whatever is done to a delivery, `verify` tells of it: by the bag's checksums, and by the laws alone.

A forger mends the checksums, so each tampering is tried a second time with the bag written anew.
"""

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from storage.bag import write_bag
from storage.tables import CHANGES, FRAMES, from_parquet, to_parquet
from tasks.deliver import PAYLOAD
from tasks.laws import check_laws
from tasks.revert import revert_delivery
from tasks.verify import find_deliveries, verify_delivery
from tests.reels import Kind, write_reel, write_stills
from tests.restoring import Delivered, deliver_reel

KIND = Kind(
    pix_fmt="yuv422p10le",
    rate=Fraction(18),
    sound=("pcm_s16le",),
    chapters=((0, 300, "one"),),
    metadata={"TITLE": "reel"},
    timecode="01:00:00:00",
    range_tag=1,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    root = tmp_path_factory.mktemp("original")
    return deliver_reel(root / "vault", write_reel(root / "film", KIND))


@pytest.fixture
def delivered(original, tmp_path):
    return Delivered(original.reel, Path(shutil.copytree(original.bag, tmp_path / "bag")))


def remuxed(path, pictures=lambda n, packet: packet, sound=lambda packet: packet, **changes):
    """The film again with some packets altered (None drops one) and some of what it says of itself."""
    copy = path.with_name("copy.mkv")
    with av.open(str(path)) as source, av.open(str(copy), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        out.metadata.update({**source.metadata, **changes.get("metadata", {})})
        out.set_chapters(changes.get("chapters", source.chapters()))
        count = 0
        for packet in source.demux():
            if not packet.size:
                continue
            is_film = packet.stream.type == "video"
            kept = pictures(count, packet) if is_film else sound(packet)
            count += is_film
            if kept is not None:
                kept.stream = streams[packet.stream.index]
                out.mux(kept)
    copy.replace(path)


def with_payload(packet, data):
    copy = av.Packet(bytes(data))
    copy.pts, copy.dts, copy.time_base = packet.pts, packet.dts, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    return copy


def flip_a_byte(data, at):
    data = bytearray(data)
    data[at] ^= 0x40
    return bytes(data)


def reencoded(path, change):
    """The film's pictures through `change(frame number, planes)` and a new encoder; sound and tags kept."""
    pictures = []
    with av.open(str(path)) as source:
        theirs = source.streams.video[0]
        encoder = av.CodecContext.create("ffv1", "w")
        encoder.width, encoder.height, encoder.pix_fmt = theirs.width, theirs.height, theirs.pix_fmt
        encoder.time_base, encoder.thread_count = Fraction(1, 1000), 1
        encoder.options = {"level": "3", "g": "1", "slicecrc": "1", "slices": "4", "flags": "+bitexact"}
        for number, frame in enumerate(source.decode(theirs)):
            planes = [
                np.frombuffer(plane, "<u2" if "10" in theirs.pix_fmt else "u1").reshape(plane.height, -1)
                for plane in frame.planes
            ]
            change(number, planes)
            pictures += encoder.encode(frame)
    remuxed(path, lambda n, packet: with_payload(packet, pictures[n]))


def last_frame_dropped(name):
    def tamper(data):
        remuxed(data / name, lambda n, packet: packet if n < KIND.frames - 1 else None)

    return tamper


def a_byte_of_the_last_packet(data):
    remuxed(
        data / "master.mkv",
        lambda n, p: p if n < KIND.frames - 1 else with_payload(p, flip_a_byte(bytes(p), p.size // 2)),
    )


def a_pixel(number, plane, row, column, name="master.mkv"):
    def change(frame, planes):
        if frame == number:
            planes[plane][row, column] ^= 1

    return lambda data: reencoded(data / name, change)


def a_table(name, schema, change):
    def tamper(data):
        rows = from_parquet((data / name).read_bytes(), schema)
        (data / name).write_bytes(to_parquet(change(rows), schema))

    return tamper


def text(name, old, new):
    def tamper(data):
        path = data / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return tamper


def frames_swapped(data):
    held = {}

    def swap(number, packet):
        if number in (4, 5):
            held[number] = bytes(packet)
        return packet

    path = data / "master.mkv"
    shutil.copy(path, data / "before.mkv")
    remuxed(path, swap)
    shutil.move(data / "before.mkv", path)
    other = {4: 5, 5: 4}
    remuxed(path, lambda n, p: with_payload(p, held[other[n]]) if n in other else p)


def a_frame_late(data):
    def delay(number, packet):
        if number == 6:
            packet.pts = packet.dts = packet.pts + 20
        return packet

    remuxed(data / "master.mkv", delay)


def one_row_fewer(rows):
    frame = rows[0]["frame"]
    return [row for row in rows if row["frame"] != frame]


def another_checksum(rows):
    return [*rows[:3], {**rows[3], "md5": "0" * 32}, *rows[4:]]


def cut_off_a_line(path):
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


LATE_CHAPTER = {
    "id": 1, "start": 40, "end": 300, "time_base": Fraction(1, 1000), "metadata": {"title": "one"},
}  # fmt: skip

TAMPERINGS = {
    "a byte of the master's last packet": (a_byte_of_the_last_packet, "damaged"),
    "a sample outside the mask": (a_pixel(1, 0, 2, 2), "frame 1: changed outside the mask"),
    "a chroma sample outside the mask": (a_pixel(5, 2, 60, 40), "frame 5: changed outside the mask"),
    "a sample of an untouched frame": (a_pixel(0, 0, 15, 20), "frame 0: changed outside the mask"),
    "a sample inside the mask": (a_pixel(1, 0, 15, 20), "frame 1: is not the picture of master.framemd5"),
    "a replaced sample": (a_pixel(2, 0, 15, 20, "originals.mkv"), "frame 2: changed outside the mask"),
    "a mask taken back": (
        lambda data: reencoded(data / "mask.mkv", lambda n, planes: planes[0].__imul__(n != 3)),
        "frame 3: changed outside the mask",
    ),
    "the last frame dropped": (last_frame_dropped("master.mkv"), "differ in length"),
    "the last mask dropped": (last_frame_dropped("mask.mkv"), "differ in length"),
    "two frames swapped": (frames_swapped, "frame 4: changed outside the mask"),
    "a frame shown late": (a_frame_late, "stands at"),
    "a byte of sound": (
        lambda data: remuxed(data / "master.mkv", sound=lambda p: with_payload(p, flip_a_byte(bytes(p), 9))),
        "the packets of sound stream 1 are not the source's",
    ),
    "sound dropped": (
        lambda data: remuxed(data / "master.mkv", sound=lambda p: p if p.pts > 100 else None),
        "the packets of sound stream 1 are not the source's",
    ),
    "another timecode": (
        lambda data: remuxed(data / "master.mkv", metadata={"TIMECODE": "02:00:00:00"}),
        "timecode is 02:00:00:00",
    ),
    "a tag altered": (
        lambda data: remuxed(data / "master.mkv", metadata={"TITLE": "another"}),
        "metadata lost: title",
    ),
    "no chapters": (
        lambda data: remuxed(data / "master.mkv", chapters=[]),
        "its 0 chapters are not the source's 1",
    ),
    "a row of the change log removed": (
        a_table("changes.parquet", CHANGES, one_row_fewer),
        "frame 1: was changed where the change log has no row",
    ),
    "a row of the change log made smaller": (
        a_table("changes.parquet", CHANGES, lambda rows: [{**rows[0], "width": 3}, *rows[1:]]),
        "frame 1: was changed where the change log has no row",
    ),
    "the frame index altered": (
        a_table("frames.parquet", FRAMES, another_checksum),
        "source.framemd5: is not the frame index",
    ),
    "the frame index shortened": (
        a_table("frames.parquet", FRAMES, lambda rows: rows[:-1]),
        "frames.parquet: holds 13 frames, the source 14",
    ),
    "the frame index emptied": (
        a_table("frames.parquet", FRAMES, lambda rows: []),
        "frames.parquet: holds 0 frames, the source 14",
    ),
    "the last of the master's checksums removed": (
        lambda data: cut_off_a_line(data / "master.framemd5"),
        "master.framemd5: holds 13 frames, the source 14",
    ),
    "a chapter moved": (
        lambda data: remuxed(data / "master.mkv", chapters=[LATE_CHAPTER]),
        "its 1 chapters are not the source's 1",
    ),
    "the reel's record altered": (text("reel.json", '"18"', '"24"'), "rate is 18"),
    "the change log is no table": (
        lambda data: (data / "changes.parquet").write_bytes(b"rows"),
        "not a table of changes",
    ),
    "no master": (lambda data: (data / "master.mkv").unlink(), "master.mkv: no such file"),
    "no reel record": (lambda data: (data / "reel.json").unlink(), "reel.json"),
    "no master checksums": (lambda data: (data / "master.framemd5").unlink(), "master.framemd5"),
}


def test_an_untouched_delivery_keeps_the_laws(delivered):
    verdict = verify_delivery(delivered.bag)
    assert verdict.problems == ()
    assert verdict.source_checked


def test_packing_anew_alone_breaks_nothing(delivered):
    """So that what the table below finds is the tampering and not the test's own remuxing."""
    remuxed(delivered.data / "master.mkv")
    reencoded(delivered.data / "mask.mkv", lambda n, planes: None)
    assert [p for p in check_laws(delivered.data) if "rotation" not in p] == []
    assert {p.partition(":")[0] for p in verify_delivery(delivered.bag).problems} == {"changed"}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_told(name, delivered):
    tamper, law = TAMPERINGS[name]
    tamper(delivered.data)
    problems = verify_delivery(delivered.bag).problems
    assert any(p.startswith(("changed: data/", "missing: data/")) for p in problems)
    write_bag(delivered.bag, {})
    forged = verify_delivery(delivered.bag).problems
    assert any(law in problem for problem in forged), forged
    assert all("\n" not in problem for problem in forged)


def test_a_source_that_changed_is_told(tmp_path):
    film = write_reel(tmp_path / "film", KIND)
    delivered = deliver_reel(tmp_path / "vault", film)
    film.write_bytes(film.read_bytes() + b"!")
    assert any("no longer what was ingested" in p for p in verify_delivery(delivered.bag).problems)
    film.unlink()
    verdict = verify_delivery(delivered.bag)
    assert (verdict.problems, verdict.source_checked) == ((), False)


@pytest.mark.parametrize("source", ["/dev/zero", "/dev/stdin", "/", "s3://films/x", "none.mkv"])
def test_what_is_no_source_is_not_read(source, delivered, monkeypatch):
    """A record may name anything."""
    monkeypatch.setattr("tasks.verify.digest_source", lambda source: pytest.fail(f"read {source}"))
    path = delivered.data / "reel.json"
    path.write_text(path.read_text().replace(delivered.reel.reel.source, source))
    write_bag(delivered.bag, {})
    verdict = verify_delivery(delivered.bag)
    assert (verdict.problems, verdict.source_checked) == ((), False)


def test_a_source_of_another_size_is_told_unread(delivered, monkeypatch, tmp_path):
    monkeypatch.setattr("tasks.verify.digest_source", lambda source: pytest.fail(f"read {source}"))
    (tmp_path / "other.mkv").write_bytes(b"x")
    path = delivered.data / "reel.json"
    path.write_text(path.read_text().replace(delivered.reel.reel.source, str(tmp_path / "other.mkv")))
    write_bag(delivered.bag, {})
    (problem,) = verify_delivery(delivered.bag).problems
    assert "no longer what was ingested" in problem


def test_a_sequence_that_changed_is_told(tmp_path):
    folder = write_stills(tmp_path / "scan", "dpx", "gbrp10le")
    delivered = deliver_reel(tmp_path / "vault", folder, Fraction(18))
    assert verify_delivery(delivered.bag).source_checked
    last = max(folder.iterdir())
    last.write_bytes(flip_a_byte(last.read_bytes(), -9))
    assert any("no longer what was ingested" in p for p in verify_delivery(delivered.bag).problems)


BROKEN_RECORDS = {
    "a number of frames that is none": text("reel.json", '"frame_count": 14', '"frame_count": "x"'),
    "a rate over zero": text("reel.json", '"rate": "18"', '"rate": "18/0"'),
    "a rate of zero": text("reel.json", '"rate": "18"', '"rate": "0"'),
    "a field missing": text("reel.json", '"width"', '"wide"'),
    "no JSON": lambda data: (data / "reel.json").write_bytes(b"\xff{"),
    "a bag that cannot be read": lambda data: (data.parent / "manifest-sha256.txt").write_bytes(b"\xff"),
    "a time before all times": a_table(
        "frames.parquet", FRAMES, lambda rows: [{**rows[0], "pts": -(2**62)}, *rows[1:]]
    ),
    "a picture that is not there": a_table(
        "changes.parquet", CHANGES, lambda rows: [{**rows[0], "x": -(2**31)}, *rows[1:]]
    ),
}


@pytest.mark.parametrize("name", BROKEN_RECORDS)
def test_a_broken_record_is_a_problem_of_its_delivery(name, delivered):
    BROKEN_RECORDS[name](delivered.data)
    problems = verify_delivery(delivered.bag).problems
    assert len(problems) > 1
    assert all(problem and "\n" not in problem for problem in problems)


def test_pixels_that_are_not_the_sources_are_not_given_back(delivered, tmp_path):
    a_pixel(2, 0, 15, 20, "originals.mkv")(delivered.data)
    with pytest.raises(Exception, match="frame 2 does not give the source's picture back"):
        revert_delivery(str(delivered.bag), str(tmp_path / "back.mkv"))
    assert not list(tmp_path.glob("back*"))


def test_deliveries_are_found_in_a_vault(original):
    vault = original.bag.parents[3]
    assert find_deliveries(f"file:{vault}") == find_deliveries(f"file://{vault}") == [original.bag]
    assert find_deliveries(str(vault)) == find_deliveries(str(original.bag)) == [original.bag]
    assert json.loads((original.bag / PAYLOAD / "delivery.json").read_text())["frames"] == KIND.frames
