"""What is put into a corpus comes out of it, whole or in part, from this disk or elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

import storage.corpus
from storage.clipcode import Crop
from storage.corpus import RECORD, TABLE, Clip, Corpus, Shard, encode_clip, write_shard
from storage.errors import StorageError, VaultError
from tests.corpora import REJECTED, make_clip, make_row, write_corpus

ROOT = Path(__file__).parent.parent
CLIPS = [make_clip(0), make_clip(1, faded=False), make_clip(2, channels=3), make_clip(3, frames=7)]
ROWS = [make_row(clip, n) for n, clip in enumerate(CLIPS)]
STREAMS = ("clean", "target", "undamaged", "damaged")


@pytest.fixture
def shard(tmp_path):
    write_shard(tmp_path / "shard-00000.parquet", ROWS)
    with Shard.open(str(tmp_path / "shard-00000.parquet")) as opened:
        yield opened


def test_clips_come_back(shard):
    assert len(shard) == len(CLIPS)
    for number, clip in enumerate(CLIPS):
        back = shard.clip(number)
        for name in (*(f"{stream}_TCHW" for stream in STREAMS), "masks_THW"):
            assert np.array_equal(getattr(back, name), getattr(clip, name)), name
        assert back.pixels_sha256 == clip.pixels_sha256 == shard.facts(number)["pixels_sha256"]


def test_what_is_told_comes_back(shard):
    for number, row in enumerate(ROWS):
        assert shard.facts(number) == {name: row[name] for name in storage.corpus.FACTS}
    assert ROWS[0]["damaged_share"] == 5 * 20 / (10 * 40 * 48)


def test_room_is_saved():
    assert [row["target"] is None for row in ROWS] == [False, True, False, False]
    assert all(len(row["damage"]) < len(row["damaged"]) / 5 for row in ROWS)


@pytest.mark.parametrize("number", [0, 1, 2], ids=["grey", "target is clean", "colour"])
@pytest.mark.parametrize("wanted", [("damaged",), ("undamaged",), ("masks", "target"), STREAMS], ids=str)
@pytest.mark.parametrize(("first", "count", "crop"), [(0, None, None), (3, 4, Crop(9, 5, 16, 30))])
def test_a_part_comes_alone(shard, number, wanted, first, count, crop):
    found = shard.coded(number, wanted).decoded(wanted, first, count, crop)
    top, left, height, width = crop or (0, 0, 40, 48)
    assert list(found) == list(wanted)
    for name, stream in found.items():
        whole = (
            CLIPS[number].masks_THW[:, None] if name == "masks" else getattr(CLIPS[number], f"{name}_TCHW")
        )
        stop = None if count is None else first + count
        assert np.array_equal(stream, whole[first:stop, :, top : top + height, left : left + width])


def test_only_what_is_wanted_is_read(tmp_path):
    """What lies in other columns and other clips may be broken."""
    broken = [{**row, **dict.fromkeys(("clean", "damage", "damaged"), b"x"), "clip": "x"} for row in ROWS]
    write_shard(tmp_path / "a.parquet", [broken[0], ROWS[1], broken[2]])
    with Shard.open(str(tmp_path / "a.parquet")) as opened:
        assert opened.clip(1).pixels_sha256 == CLIPS[1].pixels_sha256
        assert np.array_equal(opened.coded(0, ["target"]).decoded(["target"])["target"], CLIPS[0].target_TCHW)
        with pytest.raises(VaultError, match="row 0, damaged: a coded clip"):
            opened.coded(0, ["damaged"]).decoded(["damaged"])


def test_a_row_a_row_group_and_the_same_bytes_again(tmp_path):
    for name in "ab":
        write_shard(tmp_path / name, iter(ROWS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    code = (
        "import sys; from pathlib import Path; from storage.corpus import write_shard\n"
        "from tests.test_corpus_storage import ROWS; write_shard(Path(sys.argv[1]), ROWS)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c")], cwd=ROOT, check=True)
    assert (tmp_path / "c").read_bytes() == (tmp_path / "a").read_bytes()
    with pq.ParquetFile(tmp_path / "a") as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [1] * len(ROWS)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        pytest.param({**ROWS[1], "seed": None}, "seed may not be empty", id="null"),
        pytest.param({**ROWS[1], "more": 1}, "more", id="unknown column"),
        pytest.param({**ROWS[1], "top": 1.5}, "whole numbers", id="half a pixel"),
    ],
)
def test_a_row_that_does_not_fit_leaves_no_shard(row, complaint, tmp_path):
    with pytest.raises(VaultError, match=complaint):
        write_shard(tmp_path / "a.parquet", [ROWS[0], row])
    assert list(tmp_path.iterdir()) == []


def test_a_clip_whose_streams_differ_in_size_is_none():
    clip = CLIPS[0]
    with pytest.raises(VaultError, match="differ in size"):
        Clip(clip.clean_TCHW, clip.target_TCHW, clip.undamaged_TCHW, clip.damaged_TCHW, clip.masks_THW[1:])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-100], id="cut off"),
        pytest.param(lambda data: b"PAR1" + bytes(100) + b"PAR1", id="noise"),
        pytest.param(lambda data: None, id="missing"),
    ],
)
def test_what_is_no_shard_is_refused(damage, tmp_path):
    write_shard(path := tmp_path / "a.parquet", ROWS[:1])
    data = damage(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(VaultError, match=r"a\.parquet: not a shard"):
        Shard.open(str(path))


@pytest.mark.parametrize("number", [-1, 4])
def test_a_clip_that_is_not_there_is_refused(shard, number):
    with pytest.raises(VaultError, match="holds 4 clips"):
        shard.facts(number)


@pytest.mark.parametrize("place", ["here", "file:", "elsewhere"])
def test_a_corpus_is_read_wherever_it_lies(place, tmp_path, monkeypatch):
    uri = write_corpus(tmp_path / "corpus", [CLIPS[0], CLIPS[1], CLIPS[3]], 2, ("train", "val"))
    if place == "elsewhere":
        bucket = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
        monkeypatch.setattr(storage.corpus, "resolve", lambda uri: (bucket, "corpus"))
        uri = "s3://bucket/corpus"
    corpus = Corpus.open(f"file://{uri}" if place == "file:" else uri)
    assert corpus.record["name"] == "tests"
    assert [row["reason"] for row in corpus.rows if row["status"] == "rejected"] == [REJECTED]
    train, val = corpus.kept("train"), corpus.kept("val")
    assert [(row["shard"], row["row"]) for row in train] == [
        ("shard-00000.parquet", 0),
        ("shard-00001.parquet", 0),
    ]
    with corpus.shard(val[0]["shard"]) as opened:
        assert opened.clip(val[0]["row"]).pixels_sha256 == CLIPS[1].pixels_sha256


def _change_record(change):
    def changed(root):
        record = json.loads((root / RECORD).read_text())
        (root / RECORD).write_text(json.dumps(change(record)))

    return changed


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda root: os.remove(root / RECORD), "no finished corpus", id="unfinished"),
        pytest.param(lambda root: os.remove(root / TABLE), "no finished corpus", id="no manifest"),
        pytest.param(_change_record(lambda r: {**r, "format": 2}), "its format is 2", id="newer"),
        pytest.param(_change_record(lambda r: {}), "corpus.json is broken", id="another record"),
        pytest.param(_change_record(lambda r: []), "corpus.json is broken", id="a list"),
        pytest.param(lambda root: (root / RECORD).write_text("{"), "is broken", id="half a record"),
        pytest.param(lambda root: (root / TABLE).write_bytes(b"x"), "manifest.parquet is broken", id="table"),
    ],
)
def test_what_is_no_corpus_is_refused_in_one_line(spoil, complaint, tmp_path):
    uri = write_corpus(tmp_path, CLIPS[:1])
    spoil(tmp_path)
    with pytest.raises(StorageError, match=complaint) as told:
        Corpus.open(uri)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["../a.parquet", "/etc/passwd", ".hidden", "..\\a"])
def test_a_manifest_leads_nowhere_else(name, tmp_path):
    corpus = Corpus.open(write_corpus(tmp_path, CLIPS[:1]))
    with pytest.raises(VaultError, match="not the name of a shard"):
        corpus.shard(name)


def test_what_is_coded_is_decided_by_the_clip_alone():
    assert encode_clip(make_clip(5)) == encode_clip(make_clip(5))
