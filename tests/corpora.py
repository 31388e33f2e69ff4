"""A small corpus for tests: clips whose every pixel tells which clip, frame and place it is of."""

import hashlib
import json
from pathlib import Path

import numpy as np

from storage.corpus import FACTS, FORMAT, RECORD, TABLE, Clip, encode_clip, write_shard
from storage.tables import MANIFEST, to_parquet

REJECTED = "too_short: the recipe lost frames of 9 and 12 are needed"


def make_clip(seed, frames=10, channels=1, height=40, width=48, faded=True):
    """Grain on a slope; a few marks in every other frame; the target faded, or the clean clip itself."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(30, 220, height * width).reshape(height, width)
    clean = np.clip(slope + rng.normal(0, 6, (frames + 2, channels, height, width)), 0, 255).astype(np.uint8)
    if not faded:
        clean = clean[:frames]
    target = (clean[:frames] * 0.8 + 20).astype(np.uint8) if faded else clean.copy()
    undamaged = target + rng.integers(0, 5, target.shape).astype(np.uint8)
    masks = np.zeros((frames, height, width), np.uint8)
    for frame in range(0, frames, 2):
        top, left = rng.integers(0, height - 5), rng.integers(0, width - 4)
        masks[frame, top : top + 5, left : left + 4] = 1 + frame % 3
    damaged = np.where(masks[:, None] > 0, 255 - undamaged, undamaged)
    return Clip(clean, target, undamaged, damaged, masks)


def make_row(clip, seed, split="train", source="films/a.mkv"):
    frames, channels, height, width = clip.damaged_TCHW.shape
    facts = {
        "clip": f"{seed:016x}",
        "split": split,
        "film": "f" * 64 if source == "films/a.mkv" else hashlib.sha256(source.encode()).hexdigest(),
        "source": source,
        "start_frame": 100 * seed,
        "step": -1,
        "frames": frames,
        "scale": "1/2",
        "top": 0,
        "left": 8,
        "flip": False,
        "height": height,
        "width": width,
        "channels": channels,
        "kind": "damaged",
        "lookalike": None,
        "recipe": "medium",
        "recipe_sha256": "0" * 64,
        "seed": seed,
        "severity": 1.25,
        "families": ["grain", "contaminants"],
        "events": ["", "splice"],
    }
    return {**facts, **encode_clip(clip)}


def write_corpus(root: Path, clips, per_shard=3, splits=("train",), sources=("films/a.mkv",)):
    """The clips in shards, a rejected one in the manifest."""
    told = []
    for start in range(0, len(clips), per_shard):
        name = f"shard-{start // per_shard:05d}.parquet"
        rows = [
            make_row(
                clip,
                start + n,
                splits[(start + n) % len(splits)],
                sources[(start + n) % len(sources)],
            )
            for n, clip in enumerate(clips[start : start + per_shard])
        ]
        write_shard(root / name, rows)
        placed = {"shard": name, "shard_sha256": "0" * 64, "status": "kept", "reason": ""}
        told += [{**{fact: row[fact] for fact in FACTS}, **placed, "row": n} for n, row in enumerate(rows)]
    told.append({**dict.fromkeys(MANIFEST.names), "status": "rejected", "reason": REJECTED})
    table = to_parquet(told, MANIFEST)
    (root / TABLE).write_bytes(table)
    record = {"format": FORMAT, "name": "tests", "layers": ["dust", "hair"]}
    digest = hashlib.sha256(table).hexdigest()
    (root / RECORD).write_text(json.dumps({**record, "manifest_sha256": digest}))
    return str(root)


def make_colour_clip(seed, frames=12, height=64, width=64):
    """A picture in colour that glides left by a pixel a frame, coloured by its light and in squares."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0 : width + frames]
    light = 128 + 60 * np.sin(columns / 5 + seed) + 40 * np.cos(rows / 6) + rng.normal(0, 2, rows.shape)
    tint = np.stack([light * 1.15, light * 0.95, 255 - light])
    film = np.where((columns // 16 + rows // 16) % 2, tint, tint[[2, 1, 0]])
    clean = np.clip([film[..., frame : frame + width] for frame in range(frames)], 0, 255).astype(np.uint8)
    return Clip(clean, clean, clean, clean, np.zeros((frames, height, width), np.uint8))
