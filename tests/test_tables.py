"""Schemas are frozen: whoever changes one changes the literal here, and its version."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import tables
from storage.errors import VaultError
from storage.tables import FRAMES, SHOTS, from_parquet, to_parquet

FROZEN = {
    "FRAMES": """\
frame: int64 not null
pts: int64
keyframe: bool not null
md5: string not null
shown: int64 not null
damage: string not null
-- schema metadata --
table: 'frames'
schema_version: '1'""",
    "SHOTS": """\
shot: int32 not null
start: int64 not null
end: int64 not null
kind: string not null
certainty: double not null
detectors: list<item: string> not null
  child 0, item: string
-- schema metadata --
table: 'shots'
schema_version: '1'""",
    "CHANGES": """\
frame: int64 not null
shot_start: int64 not null
region: int32 not null
kind: string not null
x: int32 not null
y: int32 not null
width: int32 not null
height: int32 not null
pixels: int64 not null
mean_change: float not null
max_change: float not null
confidence: float not null
tool: string not null
tool_version: string not null
parameters: string not null
-- schema metadata --
table: 'changes'
schema_version: '1'""",
    "COVERAGE": """\
frame: int64 not null
shot_start: int64 not null
origin: string not null
share_reached: float not null
mean_confidence: float not null
still: int64
guessed_by: string
-- schema metadata --
table: 'coverage'
schema_version: '2'""",
    "LEDGER": """\
run_id: string not null
reel_id: string not null
stage: string not null
frames: int64 not null
megapixels: double not null
seconds: double not null
device: string not null
tool: string not null
finished_at: string not null
-- schema metadata --
table: 'ledger'
schema_version: '1'""",
    "CLIPS": """\
clip: string not null
split: string not null
film: string not null
source: string not null
start_frame: int64 not null
step: int32 not null
frames: int32 not null
scale: string not null
top: int32 not null
left: int32 not null
flip: bool not null
height: int32 not null
width: int32 not null
channels: int32 not null
kind: string not null
lookalike: string
recipe: string not null
recipe_sha256: string not null
seed: int64 not null
severity: double not null
families: list<item: string> not null
  child 0, item: string
events: list<item: string> not null
  child 0, item: string
pixels_sha256: string not null
damaged_share: double not null
codec: string not null
clean: binary not null
target: binary
damage: binary not null
damaged: binary not null
masks: binary not null
-- schema metadata --
table: 'clips'
schema_version: '1'""",
    "MANIFEST": """\
clip: string
split: string
film: string
source: string
start_frame: int64
step: int32
frames: int32
scale: string
top: int32
left: int32
flip: bool
height: int32
width: int32
channels: int32
kind: string
lookalike: string
recipe: string
recipe_sha256: string
seed: int64
severity: double
families: list<item: string>
  child 0, item: string
events: list<item: string>
  child 0, item: string
pixels_sha256: string
damaged_share: double
codec: string
shard: string
row: int32
shard_sha256: string
status: string not null
reason: string not null
-- schema metadata --
table: 'manifest'
schema_version: '1'""",
}
ROW = {"frame": 0, "pts": 7, "keyframe": True, "md5": "x", "shown": 0, "damage": ""}
SHOT = {"shot": 1, "start": 0, "end": 9, "kind": "shot", "certainty": 0.5, "detectors": ["blocks", "hash"]}


@pytest.mark.parametrize("name", FROZEN)
def test_a_schema_is_frozen(name):
    assert str(getattr(tables, name)) == FROZEN[name]


@pytest.mark.parametrize(
    ("rows", "schema"),
    [
        pytest.param([ROW, {**ROW, "frame": 1, "pts": None}], FRAMES, id="frames, one without a timestamp"),
        pytest.param([SHOT, {**SHOT, "detectors": []}], SHOTS, id="shots, one without detectors"),
        pytest.param([], FRAMES, id="no rows"),
        pytest.param([{**ROW, "frame": 2**62}], FRAMES, id="large numbers"),
    ],
)
def test_rows_come_back(rows, schema):
    data = to_parquet(iter(rows), schema)
    assert from_parquet(data, schema) == rows
    assert to_parquet(rows, schema) == data


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        pytest.param({**ROW, "extra": 1}, "extra", id="unknown column"),
        pytest.param({k: v for k, v in ROW.items() if k != "md5"}, "md5", id="missing column"),
        pytest.param({**ROW, "md5": None}, "md5 may not be empty", id="null where none may be"),
        pytest.param({**ROW, "frame": "first"}, "frames", id="text for a number"),
        pytest.param({**ROW, "frame": 1.5}, "frames", id="half a frame"),
        pytest.param({**ROW, "frame": 2**70}, "frames", id="too large"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(row, complaint):
    with pytest.raises(VaultError, match=complaint):
        to_parquet([ROW, row], FRAMES)


def parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def test_columns_that_a_newer_version_added_are_left_out():
    newer = pa.Table.from_pylist(
        [{**ROW, "added": "later"}], schema=FRAMES.append(pa.field("added", pa.string()))
    )
    assert from_parquet(parquet(newer), FRAMES) == [ROW]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PAR1 and so on", id="no Parquet"),
        pytest.param(to_parquet([SHOT], SHOTS), id="another table"),
        pytest.param(to_parquet([ROW] * 50, FRAMES)[:-20], id="cut off"),
        pytest.param(
            parquet(pa.Table.from_pylist([{**ROW, "frame": "first"}])), id="a column of another type"
        ),
        pytest.param(
            parquet(pa.Table.from_pylist([{**ROW, "md5": None}, ROW])), id="a null where none may be"
        ),
    ],
)
def test_what_is_no_such_table_is_refused(data):
    with pytest.raises(VaultError, match="not a table of frames"):
        from_parquet(data, FRAMES)
