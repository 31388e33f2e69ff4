"""Makes clean frames old, and says exactly where it did.

Shape suffixes: C planes (1 grey, or 3 RGB), H rows, W columns. Pictures are float32 in [0, 1].
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from degradation.drawings import OWN
from degradation.exact import rounded, stream
from degradation.family import Change, Mask, Moment, Planes, Process, Setting, Size
from degradation.lookalikes import LOOKALIKES, Lookalike, with_lookalike
from degradation.overlay import laid
from degradation.recipe import AnyFamily, Recipe
from degradation.sheets import Sheets

Kind = Literal["damaged", "clean", "lookalike"]

LAYERS = ("contaminants", "scratches", "emulsion", "mould", "splices", "templates")
"""Families that a mask tells of, in the order of their bits in a stored mask."""
SPARE_FRAMES = 8
"""A clip of so many frames more than are wanted of it outlasts the frames that a recipe loses."""


@dataclass(frozen=True)
class Aged:
    """One frame made old."""

    damaged_CHW: Planes
    undamaged_CHW: Planes
    """The same old film without what the mask tells of: its grain, its flicker, its place in the gate."""
    target_CHW: Planes
    """The clean frame in the film's own tone and place: what cannot be known is not asked for."""
    layers: dict[str, Mask] = field(default_factory=dict)
    """For each family that a mask tells of and that was at work here, the pixels (H, W) that it changed."""
    events: tuple[str, ...] = ()
    """What happened to the frame as a whole."""

    @property
    def mask_HW(self) -> Mask:
        """Where anything was laid on the film."""
        mask_HW = np.zeros(self.damaged_CHW.shape[1:], bool)
        for layer_HW in self.layers.values():
            mask_HW |= layer_HW
        return mask_HW


@dataclass(frozen=True)
class Drawn:
    """What a seed decides for a clip before any frame is seen."""

    kind: Kind
    lookalike: Lookalike | None
    scenery: tuple[Lookalike, ...]
    """All that is drawn into the scene, from back to front: things that pass, the look-alike, the border."""
    severity: float
    families: tuple[AnyFamily, ...]
    """Those at work, scaled."""


def drawn(recipe: Recipe, seed: int) -> Drawn:
    """The kind of clip that this seed makes of the recipe."""
    rng = stream(seed, "clip")
    lot, which, badness = rng.random(3)
    kind: Kind = "damaged"
    if lot < recipe.clean + recipe.lookalike:
        kind = "clean" if lot < recipe.clean else "lookalike"
    severity = rounded(recipe.mildest * (recipe.worst / recipe.mildest) ** badness)
    families = tuple(
        family.scaled(severity)
        for family in recipe.families
        if stream(seed, f"has {family.family}").random() < family.probability
        and (kind == "damaged" or family.family not in LAYERS)
    )
    lookalike = LOOKALIKES[int(which * len(LOOKALIKES))] if kind == "lookalike" else None
    scenery: list[Lookalike] = [lookalike] if lookalike else []
    if lookalike != "passers" and stream(seed, "has passing").random() < recipe.passing:
        scenery.insert(0, "passers")
    if lookalike != "border" and stream(seed, "has border").random() < recipe.bordered:
        scenery.append("border")
    return Drawn(kind, lookalike, tuple(scenery), severity, families)


def age(frames: Iterable[Planes], recipe: Recipe, seed: int, templates: Sheets = OWN) -> Iterator[Aged]:
    """One shot made old, frame by frame; at most as many frames as are given.

    `templates` are the sheets of dirt that a recipe with templates names by their digest.

    Each family draws from its own stream of numbers, so that a recipe without one of them gives the same film
    without that damage.

    Raises ValueError for a frame that is not float32 planes_CHW, or whose size changes, and for templates
    other than the recipe names.
    """
    recipe.check(templates)
    source = _checked(frames)
    first = next(source, None)
    if first is None:
        return
    clip = drawn(recipe, seed)
    source = _again(first, source)
    for each in clip.scenery:
        source = with_lookalike(source, each, seed)
    channels, height, width = first.shape
    setting = Setting(Size(height, width, channels), seed, templates)
    processes = [(family.family, family.begin(setting)) for family in clip.families]
    yield from _aged(source, processes)


def _aged(source: Iterator[Planes], processes: Sequence[tuple[str, Process]]) -> Iterator[Aged]:
    before: Aged | None = None
    waiting: dict[str, Moment] = {}
    while True:
        moments = [
            (name, waiting.pop(name) if name in waiting else process.next()) for name, process in processes
        ]
        if before is not None and any(moment.repeated for _, moment in moments):
            waiting = {name: moment for name, moment in moments if not moment.repeated}
            yield replace(before, events=tuple(moment.event for _, moment in moments if moment.repeated))
            continue
        events = tuple(moment.event for _, moment in moments if moment.event)
        for _ in range(sum(moment.lost_frames for _, moment in moments)):
            next(source, None)
        planes_CHW = next(source, None)
        if planes_CHW is None:
            return
        before = _frame(planes_CHW, moments, events)
        yield before


def _frame(planes_CHW: Planes, moments: list[tuple[str, Moment]], events: tuple[str, ...]) -> Aged:
    target = undamaged = damaged = planes_CHW
    layers: dict[str, Mask] = {}
    for name, moment in moments:
        shared = target is undamaged
        if moment.on_target is not None:
            undamaged, damaged, layers = _after(moment.on_target, undamaged, damaged, layers)
            target = undamaged if shared else moment.on_target(target)
        if moment.on_target_alone is not None:
            target = moment.on_target_alone(target)
        if moment.on_film is not None:
            undamaged, damaged, layers = _after(moment.on_film, undamaged, damaged, layers)
        if moment.overlays:
            damaged, changed_HW = laid(damaged, moment.overlays)
            layers[name] = changed_HW | layers[name] if name in layers else changed_HW
    return Aged(damaged, undamaged, target, layers, events)


def _after(
    change: Change, undamaged: Planes, damaged: Planes, layers: dict[str, Mask]
) -> tuple[Planes, Planes, dict[str, Mask]]:
    """What befalls the film befalls it damaged or not; where nothing is damaged yet, it is done once."""
    spread = {layer: change.spread(mask_HW) for layer, mask_HW in layers.items()}
    if damaged is undamaged:
        changed = change(undamaged)
        return changed, changed, spread
    return (*change.of_both(undamaged, damaged), spread)


def _checked(frames: Iterable[Planes]) -> Iterator[Planes]:
    shape: tuple[int, ...] | None = None
    for number, planes_CHW in enumerate(frames):
        if planes_CHW.ndim != 3 or planes_CHW.dtype != np.float32:
            raise ValueError(
                f"frame {number}: expected float32 (C, H, W), got {planes_CHW.dtype} {planes_CHW.shape}"
            )
        if shape is not None and planes_CHW.shape != shape:
            raise ValueError(f"frame {number}: size changed from {shape} to {planes_CHW.shape}")
        shape = planes_CHW.shape
        yield planes_CHW


def _again(first: Planes, rest: Iterator[Planes]) -> Iterator[Planes]:
    yield first
    yield from rest
