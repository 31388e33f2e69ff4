"""The contact sheet of a corpus: clips of every kind, each clean, damaged, and with its mask."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.corpus import Shard
from storage.errors import VaultError
from storage.vault import Vault
from tasks.sheets import caption, marked

_CLIPS, _ABREAST = 24, 2
_WIDTH_PX = 220
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)


def draw_sheet(vault: Vault, corpus: str, rows: Sequence[Mapping[str, Any]], layers: Sequence[str]) -> bytes:
    """A JPEG. rows: of the manifest. Raises VaultError."""
    strips = [_strip(vault, corpus, row) for row in _spread([r for r in rows if r["status"] == "kept"])]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % _ABREAST)
    lines = [np.hstack(strips[n : n + _ABREAST]) for n in range(0, len(strips), _ABREAST)]
    header = f"clean, damaged, mask of {', '.join(layers)}"
    done, data = cv2.imencode(".jpg", np.vstack([caption(header, lines[0].shape[1]), *lines]), _JPEG)
    if not done:
        raise VaultError(f"{vault.url(corpus)}: the contact sheet could not be drawn")
    return data.tobytes()


def _spread(kept: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Damaged clips for one half, all other kinds in turn for the other.

    Of the first film the most damaged clip comes first, of the next a less damaged one, and so on: a sheet of
    the worst alone would not look like the corpus.
    """
    piles: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(kept, key=lambda row: (-row["damaged_share"], row["clip"])):
        piles[row["lookalike"] or row["kind"]][row["film"]].append(row)
    kinds = {kind: _in_turn(piles[kind].values()) for kind in sorted(piles) if kind != "damaged"}
    worst_first = list(piles["damaged"].values())
    starts = [len(pile) * n // len(worst_first) for n, pile in enumerate(worst_first)]
    damaged = _in_turn([pile[at:] + pile[:at] for pile, at in zip(worst_first, starts, strict=True)])
    others = _in_turn(kinds.values())[: max(_CLIPS // 2, _CLIPS - len(damaged))]
    return damaged[: _CLIPS - len(others)] + others


def _in_turn(piles: Iterable[Sequence[Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    """The first of each, then the second of each ..."""
    return [row for turn in zip_longest(*piles) for row in turn if row is not None]


def _strip(vault: Vault, corpus: str, row: Mapping[str, Any]) -> NDArray[np.uint8]:
    with Shard.open(vault.url(f"{corpus}/{row['shard']}")) as shard:
        clip = shard.clip(row["row"])
    frame = int(np.argmax([np.count_nonzero(mask_HW) for mask_HW in clip.masks_THW]))
    clean, damaged = (_look(stream[frame]) for stream in (clip.target_TCHW, clip.damaged_TCHW))
    height, width = damaged.shape[:2]
    mask_HW = (clip.masks_THW[frame] > 0).astype(np.float32)
    mask = cv2.resize(mask_HW, (width, height), interpolation=cv2.INTER_AREA)
    told = f"{row['lookalike'] or row['kind']} {row['severity']:.2f}  {row['split']}  {row['clip']}"
    return np.vstack([caption(told, 3 * width), np.hstack([clean, damaged, marked(damaged, mask)])])


def _look(planes_CHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For OpenCV: blue first."""
    full = planes_CHW[::-1] if len(planes_CHW) == 3 else np.repeat(planes_CHW, 3, axis=0)
    picture = np.ascontiguousarray(full.transpose(1, 2, 0))
    height = round(_WIDTH_PX * picture.shape[0] / picture.shape[1])
    small: NDArray[np.uint8] = cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return small
