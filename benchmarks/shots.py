"""Measures shot detection: precision, recall and F1 per damage level and detector, real film, certainty,
speed.

    python benchmarks/shots.py [--seeds 8] [--film /path/to/shared/data]

Synthetic reels come from seeds that no constant was tuned on. A hard cut counts within one frame; a gradual
one when found and true range share half of what they cover together, whatever its kind.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detector import SceneDetector
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.shots.cuts import SURE, Cut, find_cuts
from models.shots.normalise import normalise
from tests.film import (
    CLEAN,
    RUINED,
    WORN,
    Damage,
    Edit,
    Film,
    Plan,
    fade_tonality,
    make_film,
    wear,
)
from tests.shot_marks import Tally, mark

Frames = Sequence[NDArray[Any]]
Detector = Callable[[Frames], list[Cut]]

FIRST_SEED = 3000
LEVELS: dict[str, Damage] = {
    "clean": CLEAN,
    "flicker 5 %": WORN,
    "flicker 10 %": RUINED,
    "flicker 10 %, no spoilt frames": replace(RUINED, flashes=0.0),
}
PLANS: dict[str, Plan] = {
    "hard cuts only": Plan(shots=20, shot_frames=(10, 40), short_shots=0.15),
    "half gradual": Plan(shots=16, shot_frames=(16, 48), gradual=0.5),
}
# Hard cuts of the real films, looked at frame by frame; every other film of the folder is one shot.
TEARS = [
    52,
    122,
    158,
    221,
    309,
    715,
    788,
    872,
    901,
    987,
    1127,
    1157,
    1203,
    1234,
    1246,
    1284,
    1345,
    1378,
    1430,
]
TEARS += [1472, 1525, 1571, 1618, 1650, 1689]
REAL = {"mdn_tears_of_steel.webm": TEARS, "kivy_cityCC0.mpg": [116], "blast_effects_1952.mp4": [44, 134, 299]}


def scenedetect(make: Callable[[], SceneDetector], normalised: bool) -> Detector:
    """A detector of PySceneDetect's, on the frames as they are or on our normalised copies."""

    def detect(frames: Frames) -> list[Cut]:
        detector, cuts = make(), []
        for ordinal, frame in enumerate(frames):
            if normalised:
                frame = np.clip(normalise(frame).picture_HW * 60 + 128, 0, 255).astype(np.uint8)
            coloured = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
            for found in detector.process_frame(FrameTimecode(ordinal, 24.0), coloured):
                cuts.append(Cut(found.frame_num, found.frame_num, "hard", 1, 1, ("scenedetect",)))
        return cuts

    return detect


def _adaptive_luma() -> SceneDetector:
    return AdaptiveDetector(
        3.0, min_scene_len=1, window_width=2, min_content_val=20.0, luma_only=True, kernel_size=5
    )


DETECTORS: dict[str, Detector] = {
    "answerprint": find_cuts,
    "  only those it is sure of": lambda frames: [c for c in find_cuts(frames) if c.certainty >= SURE],
    "adaptive, luma, normalised": scenedetect(_adaptive_luma, True),
    "hash, normalised": scenedetect(lambda: HashDetector(0.35, 8, 2, min_scene_len=1), True),
    "hash, as is": scenedetect(lambda: HashDetector(0.35, 8, 2, min_scene_len=1), False),
    "adaptive, 0.7 defaults": scenedetect(AdaptiveDetector, False),
    "content, 0.7 defaults": scenedetect(ContentDetector, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--film", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    logging.getLogger("pyscenedetect").setLevel(logging.ERROR)
    for title, plan in PLANS.items():
        for level, damage in LEVELS.items():
            print(f"\n{title}, {level}")
            _table([make_film(FIRST_SEED + s, plan, damage) for s in range(arguments.seeds)])
    if arguments.film.exists():
        _real(arguments.film)


def _table(films: Sequence[Film]) -> None:
    count = sum(len(f.frames) for f in films)
    print(
        f"  {'':28}{'hard P':>8}{'R':>7}{'F1':>7}{'soft P':>9}{'R':>6}{'F1':>6}{'wrong/1000':>12}{'fps':>6}"
    )
    for name, detect in DETECTORS.items():
        started = time.process_time()
        found = [detect(f.frames) for f in films]
        speed = count / (time.process_time() - started)
        pairs = list(zip(found, films, strict=True))
        hard = sum((mark(c, f.edits, hard=True) for c, f in pairs), Tally())
        soft = sum((mark(c, f.edits, hard=False) for c, f in pairs), Tally())
        wrong = 1000 * (hard.wrong + soft.wrong) / count
        print(f"  {name:28}{hard.precision:8.3f}{hard.recall:7.3f}{hard.f1:7.3f}", end="")
        print(f"{soft.precision:9.2f}{soft.recall:6.2f}{soft.f1:6.2f}{wrong:12.2f}{speed:6.0f}")


def _real(folder: Path) -> None:
    for level, damage in ((None, CLEAN), *list(LEVELS.items())[1:3]):
        print(f"\nreal film, {'as it is' if level is None else 'greyed, faded, ' + level}")
        hard = soft = Tally()
        count = 0
        for path in sorted([*folder.glob("clean/*"), *folder.glob("old/*")]):
            frames = list(_proxies(path))
            if level:
                faded = [fade_tonality(f.astype(np.float32), 33, 120) for f in frames]
                frames = wear(faded, damage, seed=FIRST_SEED).frames
            edits = [Edit(n, n, "hard") for n in REAL.get(path.name, [])]
            cuts = find_cuts(frames)
            one, other = mark(cuts, edits, hard=True), mark(cuts, edits, hard=False)
            hard, soft, count = hard + one, soft + other, count + len(frames)
            if one.wrong or one.missed or other.wrong:
                print(f"  {path.name}: {one.missed} missed; wrong:", *_wrong(cuts, edits))
        print(
            f"  {count} frames, {hard.right} cuts right, {hard.wrong} wrong, {hard.missed} missed, ", end=""
        )
        print(f"hard F1 {hard.f1:.3f}, {soft.wrong} gradual ones where there are none")


def _wrong(cuts: Sequence[Cut], edits: Sequence[Edit]) -> Iterator[str]:
    for cut in cuts:
        if not mark([cut], edits, hard=True).right:
            yield f"{cut.kind} {cut.start}-{cut.end} ({cut.certainty:.2f})"


def _proxies(path: Path) -> Iterator[NDArray[Any]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            height = 160 * frame.height // frame.width
            yield cv2.resize(frame.to_ndarray(format="gray"), (160, height), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
