"""A coloured film: its luma is the restored film's, it says what it is, and what was doubtful is listed.

Films are taken through restoration and colouring, and compared by PyAV alone.
"""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from models.weights import write_bundle
from storage.bag import write_bag
from storage.colour_delivery import COLOUR, COLOUR_ACCESS, COLOUR_SUMMARY, COVERAGE, COVERAGE_TABLE
from storage.coloured import coloured_layout, luma_codes
from storage.delivery import MASTER, REVIEW
from storage.master import Ffv1Writer, join
from storage.painting import read_painting, write_still
from storage.pixels import Picture, layout_of
from storage.reel import VideoFacts
from storage.tables import COVERAGE as COVERAGE_ROWS
from storage.tables import from_parquet
from storage.vault import Vault
from tasks.colouring.restored import restored_reel
from tasks.deliver import bag_info
from tasks.ingest import IngestedReel
from tasks.outcome import deliveries
from tasks.revert import revert_delivery
from tasks.status import vault_status
from tasks.verify import verify_delivery
from tests.film import Plan, make_film
from tests.networks import opinionated
from tests.painting import Colouring, coloured, grey_still, paint, painted, restored, two_shots
from tests.reels import Kind, decoded, facts, payloads, write_reel

CUT = 7
KINDS = {
    "grey 8, odd size": Kind(pix_fmt="gray", rate=Fraction(16), size=(97, 65)),
    "grey 8, sound, chapters, tags, timecode, aspect": Kind(
        pix_fmt="gray",
        rate=Fraction(24000, 1001),
        sound=("flac", "pcm_s16le"),
        chapters=((0, 200, "first"), (200, 500, "second")),
        metadata={"TITLE": "Röntgen", "COMMENT": "reel 1", "ARCHIVE": "x/7"},
        timecode="01:00:00:00",
        sample_aspect=Fraction(4, 3),
    ),
    "grey 10": Kind(pix_fmt="gray10le"),
    "grey 16": Kind(pix_fmt="gray16le"),
    "4:2:0 8, limited": Kind(pix_fmt="yuv420p", range_tag=1, matrix=6, primaries=5, transfer=6),
    "4:2:2 10, uneven times": Kind(
        pix_fmt="yuv422p10le", times_ms=tuple(40 * n + 110 * (n > 6) for n in range(14))
    ),
    "RGB 10": Kind(pix_fmt="gbrp10le"),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_luma_is_the_restored_films_and_all_else_is_carried(kind: Kind, tmp_path: Path) -> None:
    source = write_reel(tmp_path / "reel", kind)
    vault, reel = restored(tmp_path / "vault", source, [CUT])
    paint(tmp_path / "stills", vault, reel, 3)
    made = coloured(vault, reel, tmp_path / "stills")
    master = vault.path(f"{reel.key}/deliver/{made.film.delivery}") / "data" / MASTER
    before, after = decoded(master), decoded(made.data / COLOUR)
    assert [pts for pts, _ in after] == [pts for pts, _ in before]
    depth = max(10, reel.reel.video.layout.depth)
    for (_, theirs), (_, ours) in zip(before, after, strict=True):
        assert len(ours) == 3
        assert all(plane.shape == theirs[0].shape for plane in ours)
        if reel.reel.video.layout.colour == "rgb":
            red, green, blue = (plane.astype(float) for plane in theirs)
            assert np.abs(ours[0] - (0.2126 * red + 0.7152 * green + 0.0722 * blue)).max() < 0.52
        else:
            up = depth - reel.reel.video.layout.depth
            assert np.array_equal(ours[0], theirs[0].astype(np.uint16) << up)
    assert payloads(made.data / COLOUR) == payloads(source)
    told, of_master = facts(made.data / COLOUR), facts(master)
    for name in ("rate", "sample_aspect", "rotation", "field_order", "timecode", "chapters"):
        assert told[name] == of_master[name]
    assert all(told[name] not in (0, 2) for name in ("matrix", "primaries", "transfer"))
    assert told["range"] == (2 if reel.reel.video.full_range else 1)
    assert told["tags"]["colourised"] == "copied 1"
    assert told["tags"]["title"] == f"{kind.metadata.get('TITLE', 'reel')} (colourised)"
    assert "not the film's own" in told["tags"]["comment"]
    assert kind.metadata.get("COMMENT", "") in told["tags"]["comment"]
    assert facts(made.data / COLOUR_ACCESS)["tags"]["comment"].startswith("COLOURISED")
    assert verify_delivery(made.data.parent).problems == ()


@pytest.fixture
def reel(tmp_path: Path) -> tuple[Vault, IngestedReel]:
    return two_shots(tmp_path)


def _summary(made: Colouring) -> dict:
    return json.loads((made.data / COLOUR_SUMMARY).read_bytes())


def test_a_shot_without_a_still_stays_grey_and_is_listed(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    paint(tmp_path / "stills", *reel, 2)
    made = coloured(*reel, tmp_path / "stills")
    frames = decoded(made.data / COLOUR)
    assert all((planes[1] != 512).any() for _, planes in frames[:8])
    assert all((plane == 512).all() for _, planes in frames[8:] for plane in planes[1:])
    cover = [planes[0] for _, planes in decoded(made.data / COVERAGE)]
    assert all((plane == 254).all() for plane in cover[:8])
    assert not any(plane.any() for plane in cover[8:])
    one, two = _summary(made)["shots"]
    assert (one["origin"], one["share_reached"], one["mean_confidence"]) == ("stills", 1, 1)
    assert (two["origin"], two["share_reached"], two["mean_confidence"]) == ("none", 0, 0)
    items = json.loads((made.data / REVIEW).read_bytes())
    assert [(item["shot"], item["reason"]) for item in items] == [(2, "no still")]
    rows = from_parquet((made.data / COVERAGE_TABLE).read_bytes(), COVERAGE_ROWS)
    assert [row["frame"] for row in rows] == list(range(16))
    assert [row["still"] for row in rows] == [2] * 8 + [None] * 8


def test_reached_is_what_its_colouriser_does_not_fade(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    paint(tmp_path / "stills", *reel, 2)
    shares = []
    for grey_below in (0.2, 0.95):
        bundle = write_bundle(tmp_path / str(grey_below), opinionated(), {"grey_below": grey_below})
        made = coloured(*reel, tmp_path / "stills", str(bundle.folder))
        cover = [planes[0] for _, planes in decoded(made.data / COVERAGE)]
        rows = from_parquet((made.data / COVERAGE_TABLE).read_bytes(), COVERAGE_ROWS)
        found = [(plane > round(grey_below * 253)).mean() for plane in cover]
        assert [row["share_reached"] for row in rows] == pytest.approx(found)
        sure = [(plane.astype(float) - 1).clip(0).mean() / 253 for plane in cover]
        assert [row["mean_confidence"] for row in rows] == pytest.approx(sure, abs=0.002)
        shares.append(_summary(made)["shots"][0]["share_reached"])
    assert shares[1] < shares[0]


def test_what_was_painted_comes_out(reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    """In the painted frame, within what luma allows: the hue of every pixel of the still."""
    still = read_painting(paint(tmp_path / "stills", *reel, 2).read_bytes(), "still")
    made = coloured(*reel, tmp_path / "stills")
    with av.open(str(made.data / COLOUR)) as film:
        shown = list(film.decode(video=0))[2].to_ndarray(format="rgb24") / 255
    for channel, other in ((0, 2), (2, 0)):
        half = np.s_[:, :80] if channel == 0 else np.s_[:, 80:]
        wanted = (still[..., channel] - still[..., other])[half]
        found = (shown[..., channel] - shown[..., other])[half]
        assert np.abs(found - wanted).mean() < 0.05
        assert (found > 0.05).mean() > 0.95


def test_a_film_in_colour_keeps_it(tmp_path: Path) -> None:
    """4:4:4 of 10 bit: not a sample of it changes; its still is not used."""
    kind = Kind(pix_fmt="yuv444p10le", range_tag=1, matrix=1)
    vault, reel = restored(tmp_path / "vault", write_reel(tmp_path / "reel", kind), [CUT])
    film = restored_reel(vault, reel)
    assert film.in_colour
    paint(tmp_path / "stills", vault, reel, 3)
    made = coloured(vault, reel, tmp_path / "stills")
    master = vault.path(f"{reel.key}/deliver/{film.delivery}") / "data" / MASTER
    for (_, theirs), (_, ours) in zip(decoded(master), decoded(made.data / COLOUR), strict=True):
        assert all(np.array_equal(one, two) for one, two in zip(theirs, ours, strict=True))
    assert {item["reason"] for item in json.loads((made.data / REVIEW).read_bytes())} == {"own colour"}


@pytest.mark.parametrize("chroma", [128, 131], ids=["neutral", "tinted all over"])
def test_a_film_without_colours_in_yuv_is_none_in_colour(chroma: int, tmp_path: Path) -> None:
    layout = layout_of("yuv420p")
    video = VideoFacts(
        "ffv1", "yuv420p", 160, 120, Fraction(18), Fraction(1), 0, "progressive", False, 1, 6, 6, 6
    )
    with Ffv1Writer(tmp_path / "reel.mkv", video) as writer:
        for frame in make_film(4, Plan(1, (8, 8))).frames:
            plane = np.full((60, 80), chroma, np.uint8)
            writer.write(Picture((frame, plane, plane), layout))
    vault, reel = restored(tmp_path / "vault", tmp_path / "reel.mkv", [])
    assert not restored_reel(vault, reel).in_colour


def test_a_still_of_another_tone_is_used_and_listed(reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    path = paint(tmp_path / "stills", *reel, 3)
    write_still(path, (painted(grey_still(*reel, 3)) * 0.5 + 120).astype(np.uint8))
    made = coloured(*reel, tmp_path / "stills")
    items = json.loads((made.data / REVIEW).read_bytes())
    assert [(item["shot"], item["reason"]) for item in items] == [(1, "doubtful still"), (2, "no still")]
    assert items[0]["detail"].startswith("reel_000003.png: its tone is ")


def test_a_thing_that_changes_colour_over_a_cut_is_listed(tmp_path: Path) -> None:
    """One set-up, cut in two, painted warm and cold in one half and the other way round in the next."""
    video = VideoFacts(
        "ffv1", "gray", 320, 240, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    plan = Plan(1, (16, 16), cameras=("static",), height=240, width=320)
    with Ffv1Writer(tmp_path / "reel.mkv", video) as writer:
        for frame in make_film(4, plan).frames:
            writer.write(Picture((frame,), layout_of("gray")))
    vault, reel = restored(tmp_path / "vault", tmp_path / "reel.mkv", [8])
    paint(tmp_path / "stills", vault, reel, 3)
    paint(tmp_path / "stills", vault, reel, 12)
    same = json.loads((coloured(vault, reel, tmp_path / "stills").data / REVIEW).read_bytes())
    assert same == []
    other = painted(grey_still(vault, reel, 12))[..., ::-1]
    write_still(tmp_path / "stills" / "reel_000012.png", other)
    changed = json.loads((coloured(vault, reel, tmp_path / "stills").data / REVIEW).read_bytes())
    assert {(item["shot"], item["reason"]) for item in changed} == {(2, "colour jump")}


def test_a_scene_shares_its_stills(tmp_path: Path) -> None:
    """Between two set-ups and back: the third shot shows what the first does, the fourth what none does."""
    one, two, other = (make_film(seed, Plan(1, (8, 8), cameras=("static",))).frames for seed in (1, 2, 3))
    video = VideoFacts(
        "ffv1", "gray", 160, 120, Fraction(18), Fraction(1), 0, "progressive", True, 2, 2, 2, 2
    )
    with Ffv1Writer(tmp_path / "reel.mkv", video) as writer:
        for frame in [*one, *two, *one[::-1], *other]:
            writer.write(Picture((frame,), layout_of("gray")))
    vault, reel = restored(tmp_path / "vault", tmp_path / "reel.mkv", [8, 16, 24])
    for frame in (2, 10):
        paint(tmp_path / "stills", vault, reel, frame)
    alone = coloured(vault, reel, tmp_path / "stills", "propagate")
    assert [shot["origin"] for shot in _summary(alone)["shots"]] == ["stills", "stills", "none", "none"]
    shared = coloured(vault, reel, tmp_path / "stills", "propagate", share=True)
    shots = _summary(shared)["shots"]
    assert [shot["origin"] for shot in shots] == ["stills", "stills", "stills", "none"]
    assert [(still["frame"], still["borrowed"]) for still in shots[2]["stills"]] == [(2, True)]
    items = json.loads((shared.data / REVIEW).read_bytes())
    assert (3, "borrowed still") in [(item["shot"], item["reason"]) for item in items]
    # The same picture has the same colour in both shots.
    frames = [planes for _, planes in decoded(shared.data / COLOUR)]
    for plane in (1, 2):
        apart = np.abs(frames[2][plane].astype(int) - frames[21][plane].astype(int))
        assert apart.mean() < 8


def test_luma_touched_or_a_label_lost_is_found(reel: tuple[Vault, IngestedReel], tmp_path: Path) -> None:
    paint(tmp_path / "stills", *reel, 2)
    made = coloured(*reel, tmp_path / "stills")
    facts_of = reel[1].reel
    frames = [planes for _, planes in decoded(made.data / COLOUR)]
    frames[5][0][3, 4] += 1
    layout = coloured_layout(facts_of.video.layout)
    with Ffv1Writer(tmp_path / "segment.mkv", facts_of.video, layout) as writer:
        for planes in frames:
            writer.write(Picture(tuple(planes), layout))
    forged = replace(facts_of, video=replace(facts_of.video, pix_fmt=layout.name), metadata={})
    join(made.data / COLOUR, [tmp_path / "segment.mkv"], forged, reel[1].rows)
    write_bag(made.data.parent, bag_info(facts_of))
    problems = "\n".join(verify_delivery(made.data.parent).problems)
    assert "frame 5: its luma is not the restored film's" in problems
    assert "metadata lost: COLOURISED, comment, title" in problems
    assert "matrix is 2" in problems
    assert problems.count("its luma") == 1


def test_restored_and_coloured_deliveries_are_told_apart(
    reel: tuple[Vault, IngestedReel], tmp_path: Path
) -> None:
    vault, ingested = reel
    paint(tmp_path / "stills", *reel, 2)
    made = coloured(*reel, tmp_path / "stills")
    assert [each.delivery for each in deliveries(vault, ingested)] == [
        vault.url(f"{ingested.key}/deliver/{made.film.delivery}")
    ]
    (status,) = vault_status(vault.uri)
    assert (len(status.deliveries), len(status.colour_deliveries)) == (1, 1)
    with pytest.raises(Exception, match="holds no master"):
        revert_delivery(str(made.data.parent), str(tmp_path / "back.mkv"))


@pytest.mark.parametrize(("depth", "value", "found"), [(8, 255, 1020), (10, 1023, 1023), (16, 65535, 65535)])
def test_grey_in_rgb_stays_exactly_what_it_is(depth: int, value: int, found: int) -> None:
    layout = layout_of("gbrp" if depth == 8 else f"gbrp{depth}le")
    plane = np.linspace(0, value, 64).round().astype(layout.dtype).reshape(8, 8)
    codes = luma_codes(Picture((plane, plane, plane), layout))
    assert np.array_equal(codes, plane.astype(np.uint16) << (2 if depth == 8 else 0))
    assert codes.max() == found
