"""Restorers side by side on one frozen set: what they find, mend and harm, and what they cost."""

import hashlib
import resource
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from degradation.generator import LAYERS
from degradation.lookalikes import LOOKALIKES
from models.bundled import has_weights
from models.restorer import Repair
from storage.filesystem import name_of
from tasks.corpora.recipes import recipe_sha256
from tasks.corpora.wear import Sample, held, shots_of
from tasks.evaluation.gallery import Exhibit, exhibit
from tasks.evaluation.judge import KnownClip, UnknownShot
from tasks.evaluation.request import CLEAN, IN_SCENE, EvaluationRequest
from tasks.evaluation.rival import Cost, Rival, RivalFacts, rivals
from tasks.evaluation.score import SliceScore, Tally
from tasks.evaluation.set import EvaluationSet, SetClip
from tasks.recipe import installation, network_engines
from tasks.request import RequestError
from tasks.sources import find_sources

_MODULES = (
    "corpora/aging",
    "corpora/recipes",
    "corpora/wear",
    "evaluation/cost",
    "evaluation/evaluation",
    "evaluation/gallery",
    "evaluation/judge",
    "evaluation/request",
    "evaluation/rival",
    "evaluation/score",
    "evaluation/set",
    "looks",
)
_SHOTS = 4
_SHOWN = 2
"""Clips of each part that the gallery shows, without the film as it is: the first ones, whatever came of
them."""

Sums = dict[str, dict[str, Tally]]
"""By restorer and slice."""


@dataclass(frozen=True)
class Evaluation:
    """Plain all through. The same request, code and weights give the same but for `costs` and
    `peak_memory_bytes`."""

    request: EvaluationRequest
    manifest_sha256: str
    """Of the corpus."""
    recipes_sha256: Mapping[str, str]
    """By their names."""
    set_sha256: str
    """Over the pixels of all clips: evaluations of which it is the same compare."""
    made_by: Mapping[str, Any]
    """Digest of the code, and the versions of what it runs on."""
    restorers: tuple[RivalFacts, ...]
    """The first leaves the film as it is."""
    slices: tuple[str, ...]
    """In the order in which to tell them. `film <name>` is over the damaged clips of a film."""
    scores: Mapping[str, Mapping[str, SliceScore]]
    """By a restorer's title and a slice."""
    costs: Mapping[str, Cost]
    """By a restorer's title."""
    peak_memory_bytes: int
    """The most resident memory that this process ever had, before and outside the evaluation too."""
    gallery: tuple[Exhibit, ...]


def evaluate(
    restorers: Sequence[str],
    request: EvaluationRequest,
    progress: Callable[[int, int], None] = lambda done, total: None,
    titles: Mapping[str, str] | None = None,
) -> Evaluation:
    """Restores every clip and reel with every restorer, and with none.

    restorers: names as `models.catalogue.resolved` takes and gives them. progress: how many clips and reels
    are done, of how many. titles: what people are told of a restorer, by its name. Raises RequestError for
    restorers and reels that there are not; StorageError for the corpus and reels that cannot be read;
    WeightsError, and ArithmeticError where a network's answer holds no numbers.
    """
    compared = rivals(restorers, titles or {})
    reels = _reels(request)
    material = EvaluationSet(request)
    total, sums = len(material) + len(reels), defaultdict[str, dict[str, Tally]](lambda: defaultdict(Tally))
    pixels, gallery, shown = hashlib.sha256(), list[Exhibit](), dict.fromkeys(_parts(request), 0)
    for n, planned in enumerate(material.clips):
        progress(n, total)
        clip = material.made(planned)
        pixels.update(clip.pixels_sha256.encode())
        known = KnownClip(clip)
        frames = _restored_clip(known, planned, compared, sums)
        if shown[planned.part] < _SHOWN and planned.part != CLEAN:
            shown[planned.part] += 1
            gallery.append(_exhibit(known, planned, frames))
    for n, (name, source) in enumerate(reels.items(), len(material)):
        progress(n, total)
        gallery += _restored_reel(source, f"real {name}", request, compared, sums)
    progress(total, total)
    slices = _slices(request, material, reels)
    return Evaluation(
        request,
        material.corpus.record["manifest_sha256"],
        {recipe.name: recipe_sha256(recipe) for recipe in map(request.damaged, request.recipes)},
        pixels.hexdigest(),
        _made_by(compared),
        tuple(rival.facts() for rival in compared),
        slices,
        {rival.title: {part: sums[rival.title][part].told() for part in slices} for rival in compared},
        {rival.title: rival.cost() for rival in compared},
        _peak_memory_bytes(),
        tuple(gallery),
    )


def _reels(request: EvaluationRequest) -> dict[str, str]:
    """The source of each, by its name. Raises RequestError."""
    found: dict[str, str] = {}
    for source in find_sources(request.reels):
        name = name_of(source)
        if name in found:
            raise RequestError(f"{source}: another reel is called {name} too; rename one")
        found[name] = source
    return found


def _parts(request: EvaluationRequest) -> list[str]:
    return [*(request.damaged(recipe).name for recipe in request.recipes), CLEAN, IN_SCENE]


def _slices(request: EvaluationRequest, material: EvaluationSet, reels: Mapping[str, str]) -> tuple[str, ...]:
    *recipes, clean, lookalikes = _parts(request)
    kinds = {clip.lookalike for clip in material.clips}
    return (
        *recipes,
        *LAYERS,
        clean,
        lookalikes,
        *(f"lookalike {kind}" for kind in LOOKALIKES if kind in kinds),
        *(f"film {film}" for film in material.films),
        *(f"real {name}" for name in reels),
    )


def _restored_clip(
    known: KnownClip, planned: SetClip, compared: Sequence[Rival], sums: Sums
) -> list[tuple[str, Repair]]:
    """Adds to the sums; gives back every restorer's repair of the frame that is most damaged."""
    frames, shown = [], known.most_damaged()
    for rival in compared:
        repairs, own = rival.restored(known.footage), sums[rival.title]
        tally = known.tally(repairs)
        own[planned.part] += tally
        if planned.lookalike:
            own[f"lookalike {planned.lookalike}"] += tally
        if planned.damaged:
            own[f"film {planned.film}"] += tally
            for layer, of_layer in known.layers(repairs).items():
                own[layer] += of_layer
        frames.append((rival.title, repairs[shown]))
    return frames


def _exhibit(known: KnownClip, planned: SetClip, frames: Sequence[tuple[str, Repair]]) -> Exhibit:
    frame = known.most_damaged()
    told = f"{planned.film}, clip {planned.row['clip']}, frame {frame}"
    part = f"lookalike {planned.lookalike}" if planned.lookalike else planned.part
    truth = known.undamaged(frame), known.damage(frame)
    return exhibit(part, told, known.damaged(frame), known.footage.colour, truth, frames[1:])


def _restored_reel(
    source: str, part: str, request: EvaluationRequest, compared: Sequence[Rival], sums: Sums
) -> list[Exhibit]:
    """Adds to the sums; shows the middle frame of the middle shot. Where few shots are found, more of each
    is looked at."""
    shots = list(shots_of(source, Sample(frames=request.reel_frames, shots=_SHOTS)))
    each = max(1, request.reel_frames // max(1, len(shots)))
    exhibits = []
    for n, shot in enumerate(whole[:each] for whole in shots):
        real, middle, frames = UnknownShot(held(shot)), len(shot) // 2, []
        for rival in compared:
            repairs = rival.restored(real.footage)
            sums[rival.title][part] += real.tally(repairs)
            frames.append((rival.title, repairs[middle]))
        if n == len(shots) // 2:
            told = f"shot {n + 1} of {len(shots)} looked at, frame {middle} of it"
            exhibits.append(exhibit(part, told, shot[middle], "grey", None, frames[1:]))
    return exhibits


def _made_by(compared: Sequence[Rival]) -> dict[str, Any]:
    made_by = installation("degradation", "models", "storage", *(f"tasks/{name}.py" for name in _MODULES))
    neural = any(has_weights(rival.name) for rival in compared)
    return {**made_by, "network_engines": network_engines() if neural else {}}


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # in KiB but on macOS
