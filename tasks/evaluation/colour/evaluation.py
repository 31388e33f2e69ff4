"""Colourisers side by side on one frozen set: how near they come to the true colour, how steady, how fast.

Shape suffixes: H rows, W columns; 3 is (red, green, blue).
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.colour.colouriser import Coloured, Colouriser
from models.colour.lab import Float, Matrix, chroma_for, lab_of_ycc, rgb_of_ycc
from models.metrics.colour import ColourFidelity, chroma_flicker, colour_fidelity
from tasks.evaluation.colour.request import ColourEvaluationRequest
from tasks.evaluation.colour.score import ColourScore, ColourTally
from tasks.evaluation.colour.set import ColourSet, KnownColour, known_colours
from tasks.evaluation.cost import watched
from tasks.evaluation.gallery import Exhibit, Shown, shown
from tasks.evaluation.rival import RivalFacts
from tasks.recipe import installation, network_engines

WHOLE = "all"
"""The slice of all tests of all clips."""
_MATRIX: Matrix = "bt709"
_EVERY = 3
"""Frames from one that is compared with the truth to the next: neighbours are much alike."""
_SHOWN = 1
"""Clips of each film that the page shows."""
_MODULES = tuple(f"tasks/evaluation/{name}.py" for name in ("cost", "gallery", "set"))


@dataclass(frozen=True)
class ColourEvaluation:
    """Plain all through. The same request, code and weights give the same but for times and memory."""

    request: ColourEvaluationRequest
    manifest_sha256: str
    """Of the corpus."""
    set_sha256: str
    """Over the pixels of all clips: evaluations of which it is the same compare."""
    made_by: Mapping[str, Any]
    """Digest of the code, and the versions of what it runs on."""
    colourisers: tuple[RivalFacts, ...]
    slices: tuple[str, ...]
    """In the order in which to tell them: all, the tests, and `film <name>, <test>`."""
    scores: Mapping[str, Mapping[str, ColourScore]]
    """By a colouriser's title and a slice."""
    gallery: tuple[Exhibit, ...]
    """The true colour first."""


def evaluate_colour(
    colourisers: Mapping[str, Colouriser],
    request: ColourEvaluationRequest,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ColourEvaluation:
    """Colours every clip in every test with every colouriser, by their titles.

    progress: how many clips are done, of how many. Raises StorageError for the corpus, WeightsError, and
    ArithmeticError where a network's answer holds no numbers.
    """
    material = ColourSet(request)
    sums: dict[str, dict[str, ColourTally]] = defaultdict(lambda: defaultdict(ColourTally))
    pixels, gallery, seen = hashlib.sha256(), list[Exhibit](), defaultdict[str, int](int)
    facts = tuple(_facts(title, colouriser) for title, colouriser in colourisers.items())
    for n, clip in enumerate(material.clips):
        progress(n, len(material))
        rgb_T3HW = material.read(clip)
        pixels.update(rgb_T3HW.tobytes())
        seen[clip.film] += 1
        for known in known_colours(rgb_T3HW):
            part = f"film {clip.film}, {known.test.name}"
            pictures = [("true colour", known.rgb(_middle(known)))]
            for title, colouriser in colourisers.items():
                tally, rgb_3HW = _tried(colouriser, known)
                for name in (WHOLE, known.test.name, part):
                    sums[title][name] += tally
                pictures.append((title, rgb_3HW))
            if seen[clip.film] <= _SHOWN:
                told = f"clip {clip.row['clip']}, frame {_middle(known)}"
                gallery.append(Exhibit(part, told, tuple(_shown(*picture) for picture in pictures)))
    progress(len(material), len(material))
    made_by = {
        **installation("models", "storage", "tasks/evaluation/colour", *_MODULES),
        "network_engines": network_engines()
        if any(each.card.weights_sha256 for each in colourisers.values())
        else {},
    }
    slices = _slices(sums[next(iter(colourisers))])
    return ColourEvaluation(
        request,
        material.corpus.record["manifest_sha256"],
        pixels.hexdigest(),
        made_by,
        facts,
        slices,
        {title: {part: sums[title][part].told() for part in slices} for title in colourisers},
        tuple(gallery),
    )


def _tried(colouriser: Colouriser, known: KnownColour) -> tuple[ColourTally, Float]:
    """One clip's tally, and how the frame that is shown came out."""
    test, footage = known.test, known.footage
    results, spent = watched(colouriser.colour(footage, [known.still]), footage)
    if len(results) != test.frames:
        raise ValueError(f"{colouriser.card.name}: {len(results)} frames of {test.frames}")
    fidelity = ColourFidelity()
    # The still's own frame is given back as it was painted, by all alike.
    scored = [frame for frame in range(0, test.scored, _EVERY) if frame != test.still]
    for frame in scored:
        luma_HW = known.luma(frame)
        chroma_2HW = _chroma(results[frame], luma_HW)
        fidelity += colour_fidelity(lab_of_ycc(luma_HW, chroma_2HW, _MATRIX), known.lab(frame))
    flicker = chroma_flicker((each.ab_2HW for each in results[: test.scored]), known.motion)
    luma_HW = known.luma(_middle(known))
    rgb_3HW = rgb_of_ycc(luma_HW, _chroma(results[_middle(known)], luma_HW), _MATRIX)
    return ColourTally(1, fidelity, flicker, known.flicker, spent), rgb_3HW


def _middle(known: KnownColour) -> int:
    """The frame that is shown: of the first half, so that no still is shown as a result."""
    return known.test.scored // 4


def _chroma(coloured: Coloured, luma_HW: Float) -> Float:
    if not np.isfinite(coloured.ab_2HW).all():
        raise ArithmeticError("a colouriser's answer holds values that are no numbers")
    return chroma_for(luma_HW, coloured.ab_2HW, _MATRIX)


def _shown(label: str, rgb_3HW: Float) -> Shown:
    return shown(label, np.rint(np.clip(rgb_3HW[::-1], 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))


def _slices(sums: Mapping[str, ColourTally]) -> tuple[str, ...]:
    """All, then tests, then films, as they were met."""
    return tuple(sorted(sums, key=lambda name: (name != WHOLE, name.startswith("film "))))


def _facts(title: str, colouriser: Colouriser) -> RivalFacts:
    """Loads its engine, which is not counted among its seconds."""
    card = colouriser.card
    return RivalFacts(
        title, card.name, card.version, dict(card.parameters), card.weights_sha256, colouriser.device
    )
