"""The change log: a row per frame and region, what was changed, where, by how much, by what and how sure."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.restorer import Card, Defect, Repair
from storage.digest import digest_of
from storage.pixels import Picture


def change_rows(
    frame: int, shot_start: int, source: Picture, result: Picture, repair: Repair, card: Card
) -> list[dict[str, Any]]:
    """One row a connected region of the repair mask; changes are in luma (or green) codes over the peak.

    What was given from outside makes regions of its own, also where they touch the restorer's findings.
    """
    if not repair.mask_HW.any():
        return []
    count, labels_HW, stats = _regions(repair)
    inside = repair.mask_HW
    region = labels_HW[inside]
    before, after = source.planes[0][inside].astype(np.float64), result.planes[0][inside].astype(np.float64)
    change = np.abs(after - before) / source.layout.peak
    pixels = np.bincount(region, minlength=count)
    mean_change = np.bincount(region, change, count) / np.maximum(pixels, 1)
    confidence = np.bincount(region, repair.confidence_HW[inside], count) / np.maximum(pixels, 1)
    max_change = np.zeros(count)
    np.maximum.at(max_change, region, change)
    votes = np.zeros((count, len(Defect)), np.int64)
    np.add.at(votes, (region, repair.kind_HW[inside]), 1)
    kinds = votes.argmax(axis=1)
    parameters = digest_of(dict(card.parameters))
    return [
        {
            "frame": frame,
            "shot_start": shot_start,
            "region": n,
            "kind": Defect(int(kinds[n])).name.lower(),
            "x": int(stats[n, cv2.CC_STAT_LEFT]),
            "y": int(stats[n, cv2.CC_STAT_TOP]),
            "width": int(stats[n, cv2.CC_STAT_WIDTH]),
            "height": int(stats[n, cv2.CC_STAT_HEIGHT]),
            "pixels": int(pixels[n]),
            "mean_change": float(mean_change[n]),
            "max_change": float(max_change[n]),
            "confidence": float(confidence[n]),
            "tool": card.name,
            "tool_version": card.version,
            "parameters": parameters,
        }
        for n in range(1, count)
    ]


def _regions(repair: Repair) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """How many regions there are, the background counted as one, each pixel's region, and OpenCV's stats."""
    given_HW = repair.mask_HW & (repair.kind_HW == Defect.GIVEN)
    found_HW = repair.mask_HW & ~given_HW
    count, labels_HW, stats, _ = cv2.connectedComponentsWithStats(found_HW.astype(np.uint8), connectivity=8)
    if not given_HW.any():
        return count, labels_HW, stats
    more, given_labels_HW, given_stats, _ = cv2.connectedComponentsWithStats(
        given_HW.astype(np.uint8), connectivity=8
    )
    labels_HW = np.where(given_HW, given_labels_HW + (count - 1), labels_HW)
    return count + more - 1, labels_HW, np.concatenate([stats, given_stats[1:]])


def step_rows(
    frame: int, shot_start: int, size: tuple[int, int], steps: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A frame's row for each global step: the whole picture, the step's record as JSON.

    The change is filled in by `with_change` when the frame is done.
    """
    width, height = size
    return [
        {
            "frame": frame,
            "shot_start": shot_start,
            "region": 0,
            "kind": step,
            "x": 0,
            "y": 0,
            "width": width,
            "height": height,
            "pixels": width * height,
            "mean_change": 0.0,
            "max_change": 0.0,
            "confidence": 1.0,
            "tool": step,
            "tool_version": "1",
            "parameters": json.dumps(asdict(record), default=_plain),
        }
        for step, record in steps.items()
    ]


def with_change(rows: list[dict[str, Any]], source: Picture, result: Picture) -> list[dict[str, Any]]:
    """The global steps' rows with what all of them together changed in the frame."""
    if not rows:
        return rows
    change = np.abs(result.planes[0].astype(np.int32) - source.planes[0]) / source.layout.peak
    measured = {"mean_change": float(change.mean()), "max_change": float(change.max())}
    return [row | measured for row in rows]


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
