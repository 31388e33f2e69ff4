"""What a corpus of clean films holds, and what its name tells."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from degradation.generator import LAYERS
from storage.corpus import FACTS, RECORD, Shard
from storage.eightbit import Window, grey8, shrunk
from storage.fixity import sha256_file
from storage.frames import read_frames
from storage.vault import Vault
from tasks.corpora.corpus import FIGURES, SHEET
from tasks.ingest import load
from tests.footage import pan, write_film
from tests.shelf import CLIPS, FRAMES, SIZE, clips_of, made, planned, rows_of

pytestmark = pytest.mark.usefixtures("quiet_prefect")


def test_a_corpus_holds_what_its_manifest_tells(corpus: Path, shelf: Path) -> None:
    rows = rows_of(corpus)
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(kept) == CLIPS
    told = {Path(row["source"]).name: row["reason"] for row in rows if row["status"] == "rejected"}
    assert told.keys() == {"short.mkv", "none.mkv"}
    assert told["short.mkv"].startswith("too_short: 4 frames")
    assert told["none.mkv"].startswith("corrupt: not a film")
    record = json.loads((corpus / RECORD).read_text())
    assert record["layers"] == list(LAYERS)
    assert record["splits"] == {s: sum(row["split"] == s for row in kept) for s in ("train", "val", "test")}
    assert min(record["splits"].values()) > 0
    assert json.loads((corpus / FIGURES).read_text()) == record["statistics"]
    assert {shard["shard"]: shard["sha256"] for shard in record["shards"]} == {
        path.name: sha256_file(path) for path in corpus.glob("shard-*.parquet")
    }
    sheet = cv2.imread(str(corpus / SHEET))
    assert sheet is not None
    assert sheet.std() > 20


def test_a_clip_is_cut_as_its_row_tells(corpus: Path) -> None:
    """Frame by frame from the source: start, step, direction, place and mirror."""
    vault = Vault(str(corpus.parents[2]))
    seen = set()
    for row in rows_of(corpus):
        if row["status"] == "rejected":
            continue
        with Shard.open(str(corpus / row["shard"])) as shard:
            assert shard.facts(row["row"]) == {name: row[name] for name in FACTS}
            clip = shard.clip(row["row"])
        assert clip.pixels_sha256 == row["pixels_sha256"]
        reel = load(vault, row["film"][:16])
        window = Window(row["top"], row["left"], SIZE, SIZE)
        for n in range(len(clip.clean_TCHW)):
            frame = row["start_frame"] + n * row["step"]
            (picture,) = read_frames(reel.reel, reel.rows, frame, frame + 1)
            cut = shrunk(grey8(picture, reel.reel.video, window), Fraction(row["scale"]))
            assert np.array_equal(clip.clean_TCHW[n, 0], cut[:, ::-1] if row["flip"] else cut)
        seen.add((row["step"], row["flip"]))
        if len(seen) == 8:
            break
    assert len(seen) >= 6


def test_the_mask_is_exactly_where_damage_was_laid(corpus: Path) -> None:
    damaged = 0
    for path in corpus.glob("shard-*.parquet"):
        with Shard.open(str(path)) as shard:
            transferred = ["transfer" in shard.facts(n)["families"] for n in range(len(shard))]
        for clip, spread in zip(clips_of(path), transferred, strict=True):
            differs_THW = (clip.damaged_TCHW != clip.undamaged_TCHW).any(axis=1)
            # Video transfer spreads damage faintly beyond its mask.
            assert spread or not (differs_THW & (clip.masks_THW == 0)).any()
            assert clip.masks_THW.max() < 1 << len(LAYERS)
            assert clip.damaged_TCHW.shape == clip.target_TCHW.shape == (FRAMES, 1, SIZE, SIZE)
            damaged += int(differs_THW.sum())
    assert damaged > 1000


def test_colour_has_three_channels(shelf: Path, tmp_path: Path) -> None:
    found = made(planned(shelf, tmp_path, colour=True, clips=4))
    for clip in clips_of(next(found.glob("shard-*.parquet"))):
        assert clip.clean_TCHW.shape[1:] == clip.damaged_TCHW.shape[1:] == (3, SIZE, SIZE)


@pytest.mark.parametrize(
    "asked",
    [{"seed": 2}, {"recipe": "heavy"}, {"clips": 69}, {"frames": 7}, {"hold_out": ("pan4", "shots1.mkv")}],
    ids=str,
)
def test_what_can_change_a_byte_changes_the_name(
    asked: dict[str, Any], corpus: Path, shelf: Path, tmp_path: Path
) -> None:
    assert planned(shelf, tmp_path).key.rpartition("/")[2] == corpus.name
    assert planned(shelf, tmp_path, **asked).key.rpartition("/")[2] != corpus.name


def test_what_is_there_is_not_made_again(shelf: Path, tmp_path: Path) -> None:
    plan = planned(shelf, tmp_path)
    found = made(plan)
    before = {path: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    first = found / "shard-00000.parquet"
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    made(plan)
    assert first.read_bytes() == whole
    after = {path: path.stat().st_ino for path in found.glob("shard-*.parquet")}
    assert {path for path in before if before[path] != after[path]} <= {first}
    assert not list((tmp_path / ".staging").iterdir())


def test_a_clip_that_shows_nothing_is_a_row(tmp_path: Path) -> None:
    """Half of the picture is black, so that some clips see nothing."""
    frames = [np.hstack([np.zeros((120, 300), np.uint8), frame[:, :80]]) for frame in pan(6, 40)]
    (tmp_path / "shelf").mkdir()
    write_film(tmp_path / "shelf" / "half.mkv", frames)
    rows = rows_of(made(planned(tmp_path / "shelf", tmp_path / "vault", clips=30)))
    dark = [row for row in rows if row["status"] == "rejected"]
    assert 0 < len(dark) < 30 == len(rows)
    assert all(row["reason"].startswith("flat: ") and row["clip"] and row["shard"] for row in dark)
