"""Shot lists keep their frame numbers through every format, and a bad one is refused by file and line."""

import csv
import io
import itertools
import json
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from scenedetect import FrameTimecode
from scenedetect.output import write_scene_list

from storage.timeline import (
    CutListError,
    ShotSpan,
    TimelineReel,
    csv_text,
    edl_text,
    otio_text,
    parse_cut_list,
    read_cut_list,
)

RATES = [Fraction(16), Fraction(18), Fraction(24), Fraction(24000, 1001), Fraction(50, 3), Fraction(25)]
SHOTS = (
    ShotSpan(0, 54, "shot", 1.0, ()),
    ShotSpan(54, 55, "shot", 0.93, ("blocks", "hash")),
    ShotSpan(55, 67, "transition", 0.4, ("mix",)),
    ShotSpan(67, 250, "shot", 1 / 3, ("person",)),
)
REEL = TimelineReel("reel 1 (nitrate).mkv", 250, Fraction(18))
WRITERS = {".otio": otio_text, ".edl": edl_text, ".csv": csv_text}


def spans(shots):
    return [(shot.start, shot.end) for shot in shots]


def parse(text, name="cuts.csv", reel=REEL):
    return parse_cut_list(text.encode(), name, reel)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_written_reads_back_the_same(suffix, rate, tmp_path):
    reel = TimelineReel(REEL.name, REEL.frames, rate, "01:00:00:00")
    path = tmp_path / f"shots{suffix}"
    path.write_text(WRITERS[suffix](SHOTS, reel))
    assert read_cut_list(path, reel) == SHOTS


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_reel_of_many_shots_reads_back_the_same(suffix):
    shots = tuple(ShotSpan(n, n + 1) for n in range(1200))
    reel = TimelineReel("long.mkv", 1200, Fraction(16))
    assert parse(WRITERS[suffix](shots, reel), f"x{suffix}", reel) == shots


def test_the_edl_counts_frames_at_24_and_says_so():
    lines = edl_text(SHOTS, REEL).splitlines()
    assert "001  AX       V     C        00:00:00:00 00:00:02:06 00:00:00:00 00:00:02:06" in lines
    assert "* RATE: 18" in lines
    assert "* FRAMES: 250" in lines
    assert any("FRAME NUMBERS WRITTEN AT 24" in line for line in lines)


def test_otio_carries_the_exact_rate_timecode_source_and_markers():
    reel = TimelineReel("scan.mov", 250, Fraction(30000, 1001), "00:10:00;02")
    timeline = otio.adapters.read_from_string(otio_text(SHOTS, reel), "otio_json")
    clips = list(timeline.find_clips())
    assert timeline.metadata["answerprint"]["rate"] == "30000/1001"
    assert timeline.global_start_time.to_timecode(30000 / 1001, drop_frame=True) == "00:10:00;02"
    assert {clip.media_reference.target_url for clip in clips} == {"scan.mov"}
    assert [len(clip.markers) for clip in clips] == [0, 0, 1, 1]
    assert [clip.source_range.start_time.value for clip in clips] == [0, 54, 55, 67]
    assert timeline.duration().value == 250


@pytest.mark.parametrize("with_cuts", [True, False], ids=["timecode row", "no timecode row"])
def test_pyscenedetect_writes_what_we_read(with_cuts):
    at = [FrameTimecode(frame, fps=24.0) for frame in (0, 54, 100, 250)]
    out = io.StringIO()
    scenes = list(itertools.pairwise(at))
    write_scene_list(out, scenes, include_cut_list=with_cuts, cut_list=at[1:3] if with_cuts else None)
    assert spans(parse(out.getvalue())) == [(0, 54), (54, 100), (100, 250)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("54\n100\n", [(0, 54), (54, 100), (100, 250)], id="bare cuts"),
        pytest.param("cut\n0\n54\n", [(0, 54), (54, 250)], id="header and frame 0"),
        pytest.param("# by hand\r\nframe\r\n\r\n54\r\n", [(0, 54), (54, 250)], id="windows, comment, blank"),
        pytest.param("\ufeffcut\n54\n", [(0, 54), (54, 250)], id="byte order mark"),
        pytest.param("no cuts\n", [(0, 250)], id="one shot"),
        pytest.param("start,end\n0,54\n54,250\n", [(0, 54), (54, 250)], id="two columns"),
        pytest.param("end,start,kind\n54,0\n250,54,\n", [(0, 54), (54, 250)], id="any order, cells left out"),
        pytest.param(
            "start;end;kind;certainty\n0;54;shot;0,93\n54;250;Shot;1\n", [(0, 54), (54, 250)], id="semicolons"
        ),
    ],
)
def test_lists_a_person_writes(text, expected):
    assert spans(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "no shot list", id="empty"),
        pytest.param("54\n54\n", "line 2: cut at 54", id="twice"),
        pytest.param("100\n54\n", "line 2: cut at 54", id="unsorted"),
        pytest.param("54\n250\n", "line 2: cut at 250", id="at the reel's end"),
        pytest.param("54\n-3\n", "line 2: cut at -3", id="negative"),
        pytest.param("54\n1.5\n", "line 2: '1.5' is no frame number", id="half a frame"),
        pytest.param("54\n00:00:05:00\n", "line 2: '00:00:05:00' is no frame number", id="timecode"),
        pytest.param("54\n" + "9" * 5000, "is no frame number", id="huge number"),
        pytest.param("1,2,3\n4,5,6\n", "no shot list", id="unknown columns"),
        pytest.param(
            "start,end\n0,54\n60,250\n", "line 3: starts at 60, not 54: frames 54 to 59 are in no", id="gap"
        ),
        pytest.param(
            "start,end\n0,54\n50,250\n", "line 3: starts at 50, not 54: frames 50 to 53 are in two", id="lap"
        ),
        pytest.param("start,end\n0,54\n54,251\n", "line 3: ends at 251, the reel has 250", id="too long"),
        pytest.param("start,end\n0,54\n", "ends at 54, the reel has 250 frames", id="too short"),
        pytest.param("start,end\n", "ends at 0, the reel has 250 frames", id="no rows"),
        pytest.param("start,end\n0,54\n54\n", "line 3: '' is no frame number", id="cell missing"),
        pytest.param("start,end\n54,54\n", "line 2: start 54 and end 54", id="no frames"),
        pytest.param("start,end,kind\n0,250,wipe\n", "line 2: kind 'wipe'", id="unknown kind"),
        pytest.param("start,end,certainty\n0,250,nan\n", "line 2: certainty nan", id="not a number"),
        pytest.param("start,end,detectors\n0,250,=1 2\n", "line 2: detectors", id="odd detector"),
        pytest.param('start,end\n0,"' + "x" * 200_000, "no CSV", id="huge cell"),
    ],
)
def test_bad_lists_are_refused(text, complaint):
    with pytest.raises(CutListError) as caught:
        parse(text)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("cuts.csv")
    assert "\n" not in str(caught.value)


EDL = edl_text(SHOTS, REEL)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        pytest.param("* ANSWERPRINT FRAME COUNT", "* SOME", "not our EDL", id="foreign"),
        pytest.param(
            "* FRAMES: 250", "* FRAMES: 251", "line 5: made for a reel of 251 frames", id="other reel"
        ),
        pytest.param(
            "00:00:00:00 00:00:02:06\n", "00:00:01:00 00:00:03:06\n", "line 7: source and", id="moved"
        ),
        pytest.param("00:00:02:06", "00:00:02:24", "line 7: time 00:00:02:24", id="frame 24"),
        pytest.param("00:00:02:06", "00:00:02:07", "frames 54 to 54 are in two shots", id="overlap"),
        pytest.param("001  AX       V     C ", "001  AX       V     D ", "event of type D", id="dissolve"),
        pytest.param("001  AX       V     C ", "001  AX       A     C ", "line 7: no event", id="audio"),
        pytest.param(
            "* SHOT CERTAINTY 0.93", "* SHOT CERTAINTY x", "line 10: could not convert", id="certainty"
        ),
    ],
)
def test_a_bad_edl_is_refused(old, new, complaint):
    assert old in EDL
    text = EDL.replace(old, new, 2 if old.count(":") == 3 else 1)
    with pytest.raises(CutListError, match=r"cuts\.edl") as caught:
        parse(text, "cuts.edl")
    assert complaint in str(caught.value)


def foreign(*items, rate=18.0, first=0):
    """An editor's timeline: ("clip", start, frames), ("gap", frames), ("dissolve", in, out)."""
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    timeline = otio.schema.Timeline("edit")
    track = otio.schema.Track(kind="Video")
    timeline.tracks.append(track)
    for kind, a, *b in items:
        if kind == "clip":
            clip = otio.schema.Clip("c", source_range=span(time(a + first, rate), time(b[0], rate)))
            clip.media_reference = otio.schema.ExternalReference(
                "file:///etc/passwd", span(time(first, rate), time(250, rate))
            )
            track.append(clip)
        elif kind == "gap":
            track.append(otio.schema.Gap(duration=time(a, rate)))
        else:
            track.append(otio.schema.Transition("d", in_offset=time(a, rate), out_offset=time(b[0], rate)))
    return timeline


@pytest.mark.parametrize(
    ("timeline", "rate", "expected"),
    [
        pytest.param(foreign(("clip", 0, 54), ("clip", 54, 196)), 18, [(0, 54), (54, 250)], id="same rate"),
        pytest.param(
            foreign(("clip", 0, 54), ("clip", 54, 196), first=86400),
            18,
            [(0, 54), (54, 250)],
            id="from timecode",
        ),
        pytest.param(
            foreign(("clip", 0, 108), ("clip", 108, 392), rate=36.0),
            18,
            [(0, 54), (54, 250)],
            id="twice the rate",
        ),
        pytest.param(
            foreign(("clip", 0, 54), ("clip", 54, 196), rate=23.976),
            Fraction(24000, 1001),
            [(0, 54), (54, 250)],
            id="23.976",
        ),
        pytest.param(
            foreign(("clip", 0, 60), ("dissolve", 6, 4), ("clip", 60, 190)),
            18,
            [(0, 54), (54, 64), (64, 250)],
            id="dissolve",
        ),
    ],
)
def test_an_editors_otio(timeline, rate, expected):
    reel = TimelineReel("scan.mkv", 250, Fraction(rate))
    shots = parse(otio.adapters.write_to_string(timeline, "otio_json"), "edit.otio", reel)
    assert spans(shots) == expected
    assert [shot.kind for shot in shots].count("transition") == len(expected) - 2


def test_an_otio_whose_clips_share_their_media():
    timeline = foreign(("clip", 0, 54), ("clip", 54, 196), first=1000)
    first, second = timeline.tracks[0]
    second.media_reference = first.media_reference
    text = otio.adapters.write_to_string(timeline, "otio_json")
    assert spans(parse(text, "edit.otio")) == [(0, 54), (54, 250)]


@pytest.mark.parametrize("range_on", ["media", "clip"])
def test_an_otio_with_one_range_only(range_on):
    timeline = foreign(("clip", 0, 250))
    clip = timeline.tracks[0][0]
    if range_on == "media":
        clip.source_range = None
    else:
        clip.media_reference = otio.schema.MissingReference()
    assert spans(parse(otio.adapters.write_to_string(timeline, "otio_json"), "edit.otio")) == [(0, 250)]


def test_an_otio_of_an_older_version():
    versions = {"Clip": 1}
    text = otio.adapters.write_to_string(
        foreign(("clip", 0, 250)), "otio_json", target_schema_versions=versions
    )
    assert '"Clip.1"' in text
    assert spans(parse(text, "edit.otio")) == [(0, 250)]


def _two_tracks():
    timeline = foreign(("clip", 0, 250))
    timeline.tracks.append(timeline.tracks[0].deepcopy())
    return timeline


def _retimed():
    timeline = foreign(("clip", 0, 250))
    timeline.tracks[0][0].effects.append(otio.schema.LinearTimeWarp(time_scalar=0.75))
    return timeline


def _nested():
    timeline = foreign(("clip", 0, 250))
    timeline.tracks[0].append(otio.schema.Stack())
    return timeline


@pytest.mark.parametrize(
    ("timeline", "complaint"),
    [
        pytest.param(foreign(("clip", 0, 54), ("gap", 6), ("clip", 60, 190)), "item 2: a gap", id="gap"),
        pytest.param(foreign(("clip", 0, 54), ("clip", 60, 190)), "item 2: starts at 60, not 54", id="hole"),
        pytest.param(foreign(("clip", 54, 196), ("clip", 0, 54)), "item 1: starts at 54", id="reordered"),
        pytest.param(foreign(("clip", 0, 333), rate=24.0), "item 1: 333 at 24 a second", id="other rate"),
        pytest.param(foreign(("clip", 0, 250), rate=0.0), "item 1", id="no rate"),
        pytest.param(foreign(("clip", 0, float("inf"))), "item 1", id="without end"),
        pytest.param(foreign(("clip", 0.5, 250)), "no whole frame", id="half a frame"),
        pytest.param(
            foreign(("clip", 0, 4), ("dissolve", 6, 4), ("clip", 4, 246)),
            "longer than itself",
            id="long dissolve",
        ),
        pytest.param(foreign(("clip", 0, 250), ("dissolve", 6, 0)), "at the reel's end", id="fade out"),
        pytest.param(_two_tracks(), "2 video tracks", id="two tracks"),
        pytest.param(_retimed(), "effects", id="retimed"),
        pytest.param(_nested(), "Stack: write clips only", id="nested"),
        pytest.param(otio.schema.Timeline(), "0 video tracks", id="empty"),
    ],
)
def test_an_otio_that_moves_frames_is_refused(timeline, complaint):
    with pytest.raises(CutListError, match=r"edit\.otio") as caught:
        parse(otio.adapters.write_to_string(timeline, "otio_json"), "edit.otio")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="cut short"),
        pytest.param("42", id="a number"),
        pytest.param("[" * 200_000, id="deep"),
        pytest.param('{"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": 7}', id="children"),
        pytest.param('{"OTIO_SCHEMA": "Timeline.1", "tracks": null}', id="no tracks"),
        pytest.param(
            '{"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": [{"OTIO_SCHEMA": "X.1"}]}', id="unknown"
        ),
    ],
)
def test_what_is_no_otio_is_refused(text):
    with pytest.raises(CutListError):
        parse(text, "edit.otio")


@pytest.mark.parametrize(
    "value", ["text", 7, {"kind": []}, {"certainty": []}, {"detectors": 7}, {"detectors": [7]}]
)
def test_hostile_metadata_is_refused(value):
    data = json.loads(otio_text([ShotSpan(0, 250)], REEL))
    data["tracks"]["children"][0]["children"][0]["metadata"]["answerprint"] = value
    with pytest.raises(CutListError, match="item 1"):
        parse(json.dumps(data), "edit.otio")


def test_size_and_encoding_are_bounded(tmp_path: Path):
    path = tmp_path / "cuts.csv"
    path.write_bytes(b"1\n" * (9 << 20))
    with pytest.raises(CutListError, match="larger than 16 MB"):
        read_cut_list(path, REEL)
    with pytest.raises(CutListError, match="not UTF-8"):
        parse_cut_list(b"\xff\xfe5\x004\x00", "cuts.csv", REEL)
    with pytest.raises(CutListError, match="cannot be read"):
        read_cut_list(tmp_path / "none.csv", REEL)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_an_incomplete_list_is_never_written(write):
    with pytest.raises(CutListError, match="ends at 54"):
        write([ShotSpan(0, 54)], REEL)


def test_our_csv_opens_in_a_spreadsheet():
    rows = list(csv.DictReader(io.StringIO(csv_text(SHOTS, REEL))))
    assert [int(row["start"]) for row in rows] == [0, 54, 55, 67]
    assert rows[1]["detectors"] == "blocks+hash"
