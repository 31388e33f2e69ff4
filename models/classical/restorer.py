"""The restorer that needs no weights: finds dirt by what time says, and fills it from what time shows.

Shape suffixes: C planes, H rows, W columns, h, w the motion proxy, P picked pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import blotches, evidence, fill, recurrence, scratches, tone
from models.classical.blotches import BlotchSettings
from models.classical.recurrence import RecurrenceSettings
from models.classical.scratches import ScratchSettings
from models.classical.survey import grouped, repeats
from models.metrics import grown
from models.motion import MotionSettings
from models.restorer import Card, Defect, Footage, Planes, Repair, luma

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Stopwatch = Callable[[str, float], None]

VERSION = "1"

# A frame needs two neighbours each way to be filled from, and their suspects too, which look two further.
_REACH = 2
_AHEAD = 4


@dataclass(frozen=True)
class ClassicalSettings:
    """Everything that changes what the classical restorer does."""

    motion: MotionSettings = field(default_factory=MotionSettings)
    blotches: BlotchSettings = field(default_factory=BlotchSettings)
    recurrence: RecurrenceSettings = field(default_factory=RecurrenceSettings)
    scratches: ScratchSettings = field(default_factory=ScratchSettings)
    mend_dirt: bool = True
    """Whether dirt is looked for."""
    mend_scratches: bool = True
    """Whether vertical scratches are looked for."""
    sure: float = 0.5
    """Confidence from which a blob is repaired, 0 to 1; 0 repairs every suspect."""
    widen_px: int = 0
    """How far a repair reaches beyond the damage found, in pixels; 0 leaves soft rims."""
    feather_px: int = 1
    """Width of the blend at a repair's edge, inside the mask, in pixels; 0 is a hard edge."""
    grain: float = 1.0
    """How much of the film's grain is put back into repairs; 0 leaves them smooth, 1 matches the surroundings."""
    seed: int = 0
    """Seed of that grain."""

    def __post_init__(self) -> None:
        if min(self.widen_px, self.feather_px) < 0 or self.grain < 0:
            raise ValueError("widen_px, feather_px and grain must not be negative")


@dataclass
class _View:
    """One distinct frame and what has been learnt about it so far."""

    number: int
    copies: list[Planes]
    luma_HW: Float
    proxy_hw: NDArray[np.uint8]
    to_next: motion.Pair | None = None
    found: blotches.Blobs | None = None
    measured: evidence.Evidence | None = None
    rims_HW: Mask | None = None
    relief_HW: Float | None = None

    @property
    def planes_CHW(self) -> Planes:
        return self.copies[0]


class ClassicalRestorer:
    """Motion-compensated detection and repair, after Kokaram and others; see film.md, part 4."""

    def __init__(self, settings: ClassicalSettings | None = None) -> None:
        self._settings = settings or ClassicalSettings()

    @property
    def card(self) -> Card:
        """What this restorer is; every setting is part of it."""
        flat: dict[str, float | int | str | bool] = {}
        for key, value in asdict(self._settings).items():
            if isinstance(value, dict):
                flat.update({f"{key}.{inner}": setting for inner, setting in value.items()})
            else:
                flat[key] = value
        return Card(name="classical", version=VERSION, parameters=flat)

    def restore(self, footage: Footage) -> Iterator[Repair]:
        """One repair per frame, in order. Reads the footage twice; holds about nine frames."""
        again = repeats(footage)
        yield from _Pass(self._settings, footage).run(grouped(footage, again))


class _Pass:
    """One walk through one shot: a sliding window of views, filled in as far ahead as each step needs."""

    def __init__(self, settings: ClassicalSettings, footage: Footage) -> None:
        self._settings = settings
        self._colour = footage.colour
        self._views: dict[int, _View] = {}
        self._sights: dict[int, scratches.Sight] = {}
        self._estimator = motion.MotionEstimator()
        self._grains: list[graining.Grain] = []
        self._maker = graining.GrainMaker(settings.seed)

    def run(self, groups: Iterator[list[Planes]]) -> Iterator[Repair]:
        arrived, last, at = 0, None, 0
        frame = 0
        while last is None or at <= last:
            while last is None and arrived <= at + _AHEAD:
                copies = next(groups, None)
                if copies is None:
                    last = arrived - 1
                    break
                self._arrive(arrived, copies)
                arrived += 1
            if last is not None and at > last:
                return
            view = self._views[at]
            patch = self._mend(at, frame)
            for planes_CHW in view.copies:
                yield patch.on(planes_CHW)
            frame += len(view.copies)
            at += 1
            self._views.pop(at - _REACH - 2, None)
            self._sights.pop(at - _AHEAD - 1, None)

    def _arrive(self, number: int, copies: list[Planes]) -> None:
        light_HW = luma(copies[0], self._colour)
        view = _View(number, copies, light_HW, motion.proxy(light_HW, self._settings.motion))
        self._views[number] = view
        before = self._views.get(number - 1)
        if before is not None:
            before.to_next = self._estimator.between(before.proxy_hw, view.proxy_hw)
            across_hw = before.to_next.forward_hw2[..., 0] * (light_HW.shape[1] / view.proxy_hw.shape[1])
            self._sights[number - 1].drift_hw = cv2.resize(across_hw, (32, 16), interpolation=cv2.INTER_AREA)
        seen = scratches.lines(light_HW, self._settings.scratches) if self._settings.mend_scratches else []
        self._sights[number] = scratches.Sight(seen, np.zeros((16, 32), np.float32))

    # -- motion -------------------------------------------------------------------------------------------------------

    def _flow(self, at: int, step: int) -> tuple[Float, Float]:
        """Flow on the proxy's grid from view `at` to view `at + step` (1 or 2 either way), and its round-trip error."""
        toward = 1 if step > 0 else -1
        first = self._adjacent(at, toward)
        if abs(step) == 1:
            return first
        second = self._adjacent(at + toward, toward)
        flow_hw2 = motion.compose(first[0], second[0])
        return flow_hw2, first[1] + motion.warp(second[1], first[0])

    def _adjacent(self, at: int, toward: int) -> tuple[Float, Float]:
        pair = self._views[at if toward > 0 else at - 1].to_next
        assert pair is not None, "a view's motion is found as soon as the next one arrives"
        if toward > 0:
            return pair.forward_hw2, pair.forward_error_hw
        return pair.backward_hw2, pair.backward_error_hw

    def _large(self, image: Float) -> Float:
        height, width = next(iter(self._views.values())).luma_HW.shape
        if image.ndim == 3:
            return motion.enlarge_flow(image, height, width)
        if image.shape == (height, width):
            return image
        return motion.enlarge(image, height, width)

    # -- detection ----------------------------------------------------------------------------------------------------

    def _suspects(self, at: int) -> blotches.Blobs:
        """What stands out in a view; looked for once."""
        view = self._views[at]
        if view.found is None:
            view.found, view.measured = self._look(view)
        return view.found

    def _sure(self, at: int) -> Float:
        """How sure each suspect of a view is dirt."""
        blobs = self._suspects(at)
        found = self._views[at].measured
        if found is None:
            return np.zeros(0, np.float32)
        near = [self._suspects(view) for view in (at - 1, at + 1) if view in self._views]
        company_N = evidence.company(blobs, near)
        moving_N = self._moving(at, found.shapes)
        return evidence.confidence(found, company_N, moving_N, len(near) == 2, blobs.labels_HW.size)

    def _moving(self, at: int, shapes: recurrence.Shapes) -> Mask:
        """Which suspects of a view are one thing flying through three frames: this one the first, middle or last."""
        moving_N = np.zeros(shapes.area_N.size, bool)
        settings = self._settings.recurrence
        range_px = settings.range_share * max(self._views[at].luma_HW.shape)
        for near, far in ((-1, 1), (1, 2), (-1, -2)):
            if at + near not in self._views or at + far not in self._views:
                continue
            self._suspects(at + near), self._suspects(at + far)
            second, third = self._views[at + near].measured, self._views[at + far].measured
            if second is not None and third is not None:
                moving_N |= recurrence.on_track(
                    shapes, second.shapes, third.shapes, near == -far, range_px, settings.chance
                )
        return moving_N

    def _look(self, view: _View) -> tuple[blotches.Blobs, evidence.Evidence | None]:
        nothing = blotches.no_blobs(*view.luma_HW.shape), None
        steps = self._witness_steps(view.number)
        settings = self._settings.blotches
        if not steps or not self._settings.mend_dirt:
            return nothing
        seen = self._witnesses(view, steps, None)
        rough = blotches.find(seen, settings)
        if rough.count == 0:
            return nothing
        # Dirt has pulled at the flow that should see past it: look again with motion mended under every suspect.
        seen = self._witnesses(view, steps, grown(rough.mask_HW, 3))
        blobs = blotches.find(seen, settings)
        if blobs.count == 0:
            return nothing
        nearest = [step for step in steps if abs(step) == 1]
        others = [self._relief(view.number + step) for step in nearest]
        found = evidence.gather(
            blobs, seen, self._relief(view.number), others, settings, self._settings.recurrence
        )
        view.rims_HW = blotches.rims(blobs, seen, settings)
        return blobs, found

    def _witness_steps(self, at: int) -> tuple[int, ...]:
        for steps in ((-1, 1), (1, 2), (-1, -2)):
            if all(at + step in self._views for step in steps):
                return steps
        return ()

    def _relief(self, at: int) -> Float:
        view = self._views[at]
        if view.relief_HW is None:
            view.relief_HW = recurrence.relief(view.luma_HW, self._settings.blotches.soften_px)
        return view.relief_HW

    def _soft(self, luma_HW: Float) -> Float:
        sigma = self._settings.blotches.soften_px
        soft_HW: Float = cv2.GaussianBlur(luma_HW, (0, 0), sigma) if sigma > 0 else luma_HW
        return soft_HW

    def _witnesses(self, view: _View, steps: tuple[int, ...], hidden_HW: Mask | None) -> blotches.Witnesses:
        now_HW = self._soft(view.luma_HW)
        brought, lost_HW = [], np.zeros(now_HW.shape, bool)
        for step in steps:
            flow_hw2, error_hw = self._flow(view.number, step)
            flow_HW2 = self._large(flow_hw2)
            if hidden_HW is not None:
                flow_HW2 = motion.smooth_over(flow_HW2, hidden_HW, max(hidden_HW.shape) // 16)
            there_HW = motion.warp(self._views[view.number + step].luma_HW, flow_HW2, cv2.INTER_CUBIC)
            brought.append(tone.matched(self._soft(there_HW), now_HW))
            # Two pixels of round trip: DIS keeps within one on textured ground at 640 px.
            lost_HW |= self._large(error_hw) > 2.0 * abs(step)
        expected_HW = 0.5 * (brought[0] + brought[1])
        if hidden_HW is None:
            self._learn_grain(now_HW, expected_HW, ~lost_HW)
        # A difference from two neighbours' mean holds 1.5 times one frame's variance.
        sigma_HW = np.maximum(1.22 * self._grains[0].sigma_at(expected_HW), 1.0 / 255)
        noise_HW = blotches.local_noise(now_HW - expected_HW, expected_HW, sigma_HW, self._settings.blotches)
        return blotches.Witnesses(now_HW, brought[0], brought[1], noise_HW, steps == (-1, 1))

    def _learn_grain(self, now_HW: Float, expected_HW: Float, quiet_HW: Mask) -> None:
        grain = graining.measure(now_HW, expected_HW, expected_HW, quiet_HW)
        if grain is None:
            grain = graining.Grain(np.zeros(graining.BINS, np.float32), 0.0)
        # One part in five: a reel's grain changes slowly, and a frame's measure is steady to a few per cent.
        self._grains = [self._grains[0].toward(grain, 0.2) if self._grains else grain]

    # -- repair -------------------------------------------------------------------------------------------------------

    def _mend(self, at: int, frame: int) -> "_Patch":
        patch = self._without_scratches(at)
        dirt, sure_N = self._dirt(at)
        if dirt.count:
            self._clean(at, frame, dirt, sure_N, patch)
        return patch

    def _without_scratches(self, at: int) -> "_Patch":
        """The frame with its scratches subtracted."""
        view = self._views[at]
        patch = _Patch.empty(view.planes_CHW)
        numbers = sorted(self._sights)
        sights_T = [self._sights[number] for number in numbers]
        height, width = view.luma_HW.shape
        for line in scratches.scratches(sights_T, numbers.index(at), height, width, self._settings.scratches):
            mask_HW, added_CP = scratches.profile(patch.values_CHW, line, self._settings.scratches)
            patch.values_CHW[:, mask_HW] = np.clip(patch.values_CHW[:, mask_HW] - added_CP, 0, 1)
            patch.opacity_HW[mask_HW] = 1.0
            # The picture under a scratch is inferred, not seen.
            patch.confidence_HW[mask_HW] = 0.6
            patch.kind_HW[mask_HW] = Defect.SCRATCH
        return patch

    def _dirt(self, at: int) -> tuple[blotches.Blobs, Float]:
        found, sure_N = self._suspects(at), self._sure(at)
        keep_N = sure_N >= self._settings.sure
        return found.chosen(keep_N), sure_N[keep_N]

    def _clean(self, at: int, frame: int, dirt: blotches.Blobs, sure_N: Float, patch: "_Patch") -> None:
        """Fills the dirt's pixels, into the patch."""
        view, settings = self._views[at], self._settings
        mask_HW = self._mask(view, dirt)
        rows_P, columns_P = np.nonzero(mask_HW)
        by_label = np.concatenate([[0], sure_N]).astype(np.float32)
        sure_HW = _spread(by_label[dirt.labels_HW], settings.widen_px + settings.blotches.rim_px)
        hidden_HW = grown(self._suspects(at).mask_HW | mask_HW, 1)
        filled, kept_P = fill.from_time(
            view.planes_CHW, rows_P, columns_P, hidden_HW, self._sources(at, hidden_HW)
        )
        grains = self._grains * view.planes_CHW.shape[0]
        patch.values_CHW[:, mask_HW] = fill.regrained(
            filled, kept_P, rows_P, columns_P, grains, self._maker, frame, settings.grain
        )
        patch.opacity_HW[mask_HW] = fill.feather(mask_HW, settings.feather_px)[mask_HW]
        patch.confidence_HW[mask_HW] = np.clip(sure_HW[mask_HW] * filled.trust_P, 0.01, 1)
        patch.kind_HW[mask_HW] = Defect.DIRT

    def _mask(self, view: _View, dirt: blotches.Blobs) -> Mask:
        """Dirt, what of its rims still shows, and the margin asked for."""
        mask_HW = dirt.mask_HW
        if view.rims_HW is not None:
            mask_HW = mask_HW | (view.rims_HW & grown(mask_HW, self._settings.blotches.rim_px))
        return grown(mask_HW, self._settings.widen_px)

    def _sources(self, at: int, hidden_HW: Mask) -> list[fill.Source]:
        sources = []
        for step in (-1, 1, -2, 2):
            if at + step not in self._views:
                continue
            flow = self._flow(at, step)
            flow_HW2 = motion.smooth_over(self._large(flow[0]), hidden_HW, max(hidden_HW.shape) // 16)
            neighbour = self._views[at + step]
            sources.append(
                fill.Source(
                    neighbour.planes_CHW,
                    flow_HW2,
                    self._large(flow[1]),
                    self._suspects(at + step).mask_HW,
                    abs(step),
                )
            )
        return sources


def _spread(values_HW: Float, px: int) -> Float:
    wider: Float = cv2.dilate(values_HW, np.ones((2 * px + 1, 2 * px + 1), np.uint8))
    return wider


@dataclass(frozen=True)
class _Patch:
    """What is laid over a frame and its repeats."""

    values_CHW: Planes
    opacity_HW: Float
    confidence_HW: Float
    kind_HW: NDArray[np.uint8]

    @staticmethod
    def empty(planes_CHW: Planes) -> "_Patch":
        """Nothing to lay over these planes yet."""
        shape = planes_CHW.shape[1:]
        return _Patch(
            planes_CHW.copy(), np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
        )

    def on(self, planes_CHW: Planes) -> Repair:
        """The frame under this patch; bit for bit itself where the patch is clear."""
        mask_HW = self.opacity_HW > 0
        if not mask_HW.any():
            return Repair(planes_CHW, mask_HW, self.confidence_HW, self.kind_HW)
        under_CP = planes_CHW[:, mask_HW]
        out_CHW = planes_CHW.copy()
        out_CHW[:, mask_HW] = under_CP + self.opacity_HW[mask_HW] * (self.values_CHW[:, mask_HW] - under_CP)
        return Repair(out_CHW, mask_HW, self.confidence_HW, self.kind_HW)
