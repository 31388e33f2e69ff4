"""Which pixels of a view are dirt: witnesses, blobs, evidence and time brought together.

Shape suffixes: H rows, W columns, N blobs.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models import grain as graining
from models import motion
from models.classical import blotches, evidence, recurrence, tone
from models.classical.settings import ClassicalSettings
from models.classical.window import Window
from models.metrics import grown

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Suspicion:
    """What stands out in one view, by that view and its neighbours' pixels."""

    blobs: blotches.Blobs
    evidence: evidence.Evidence | None
    """None where nothing stands out."""
    rims_HW: Mask
    """The blobs and what of their soft rims shows."""


@dataclass(frozen=True)
class Dirt:
    """What is to be replaced in one view."""

    mask_HW: Mask
    confidence_HW: Float
    """In [0, 1]; 0 outside the mask."""


class Detector:
    """Looks at each view of a window once, and judges it when those around it have been looked at."""

    def __init__(self, window: Window, settings: ClassicalSettings) -> None:
        self._window = window
        self._settings = settings
        self._suspicions: dict[int, Suspicion] = {}
        self._reliefs: dict[int, Float] = {}
        self._noise: graining.Grain | None = None

    def forget(self, number: int) -> None:
        """Drops what is known of a view."""
        self._suspicions.pop(number, None)
        self._reliefs.pop(number, None)

    def suspects(self, number: int) -> Suspicion:
        """What stands out in a view; its neighbours must have arrived, where there are any."""
        if number not in self._suspicions:
            self._suspicions[number] = self._look(number)
        return self._suspicions[number]

    def dirt(self, number: int) -> Dirt | None:
        """What in a view is dirt; None where nothing is. Two views further each way must have arrived."""
        suspicion = self.suspects(number)
        if suspicion.evidence is None:
            return None
        sure_N = self.sureness(number)
        keep_N = sure_N >= self._settings.sure
        if not keep_N.any():
            return None
        chosen = suspicion.blobs.chosen(keep_N)
        reach = self._settings.blotches.rim_px
        mask_HW = chosen.mask_HW | (suspicion.rims_HW & grown(chosen.mask_HW, reach))
        mask_HW = grown(mask_HW, self._settings.widen_px)
        by_label = np.concatenate([[0], sure_N[keep_N]]).astype(np.float32)
        side = 2 * (reach + self._settings.widen_px) + 1
        confidence_HW = cv2.dilate(by_label[chosen.labels_HW], np.ones((side, side), np.uint8))
        return Dirt(mask_HW, confidence_HW * mask_HW)

    def sureness(self, number: int) -> Float:
        """How sure it is that suspects are dirt, in [0, 1]. Two views further each way must have arrived."""
        blobs, found = self.suspects(number).blobs, self.suspects(number).evidence
        if found is None:
            return np.zeros(0, np.float32)
        near = [self.suspects(other).blobs for other in (number - 1, number + 1) if other in self._window]
        company_N = evidence.company(blobs, near)
        moving_N = self._moving(number, found.shapes, max(blobs.labels_HW.shape))
        return evidence.confidence(found, company_N, moving_N, len(near) == 2, *blobs.labels_HW.shape)

    def _moving(self, number: int, shapes: recurrence.Shapes, longest_px: int) -> Mask:
        """Which suspects are one thing flying through three views: this one the first, the middle or the
        last."""
        moving_N = np.zeros(shapes.area_N.size, bool)
        settings = self._settings.recurrence
        for near, far in ((-1, 1), (1, 2), (-1, -2)):
            if number + near not in self._window or number + far not in self._window:
                continue
            second, third = self.suspects(number + near).evidence, self.suspects(number + far).evidence
            if second is not None and third is not None:
                moving_N |= recurrence.on_track(
                    shapes,
                    second.shapes,
                    third.shapes,
                    between=near == -far,
                    range_px=settings.range_share * longest_px,
                    chance=settings.chance,
                )
        return moving_N

    def _look(self, number: int) -> Suspicion:
        settings = self._settings.blotches
        height, width = self._window[number].luma_HW.shape
        nothing = Suspicion(blotches.no_blobs(height, width), None, np.zeros((height, width), bool))
        steps = self._witness_steps(number)
        if not steps:
            return nothing
        seen = self._witnesses(number, steps, None)
        rough = blotches.find(seen, settings)
        if rough.count == 0:
            return nothing
        # Dirt has pulled at the flow that should see past it: look again with motion mended under every
        # suspect.
        seen = self._witnesses(number, steps, grown(rough.mask_HW, 3))
        blobs = blotches.find(seen, settings)
        if blobs.count == 0:
            return nothing
        nearest = [self._relief(number + step) for step in steps if abs(step) == 1]
        found = evidence.gather(
            blobs, seen, self._relief(number), nearest, settings, self._settings.recurrence
        )
        return Suspicion(blobs, found, blotches.rims(blobs, seen, settings))

    def _witness_steps(self, number: int) -> tuple[int, ...]:
        """The frames before and after, or at a shot's end two on one side; none in a shot of one or two."""
        for steps in ((-1, 1), (1, 2), (-1, -2)):
            if all(number + step in self._window for step in steps):
                return steps
        return ()

    def _witnesses(self, number: int, steps: tuple[int, ...], hidden_HW: Mask | None) -> blotches.Witnesses:
        """The view and its two witnesses; motion under `hidden` is taken from around it."""
        now_HW = self._soft(self._window[number].luma_HW)
        given = [self._window[number].given_HW]
        brought, lost_HW = [], np.zeros(now_HW.shape, bool)
        for step in steps:
            flow_HW2, error_HW = self._window.flow(number, step)
            if hidden_HW is not None:
                flow_HW2 = motion.smooth_over(flow_HW2, hidden_HW, max(hidden_HW.shape) // 16)
            there_HW = motion.warp(self._window[number + step].luma_HW, flow_HW2, cv2.INTER_CUBIC)
            brought.append(tone.matched(self._soft(there_HW), now_HW))
            # Two pixels of round trip: DIS keeps within one on textured ground at 640 px.
            lost_HW |= error_HW > 2.0 * abs(step)
            their_HW = self._window[number + step].given_HW
            if their_HW is not None:
                given.append(motion.warp(their_HW.astype(np.float32), flow_HW2) > 0)
        expected_HW = 0.5 * (brought[0] + brought[1])
        if hidden_HW is None:
            self._learn_noise(now_HW, expected_HW, ~lost_HW)
        noise_HW = blotches.local_noise(
            now_HW - expected_HW, expected_HW, self._usual_noise(expected_HW), self._settings.blotches
        )
        for known_HW in given:
            if known_HW is not None:  # what was marked bears no witness: nothing stands out there
                noise_HW[grown(known_HW, 2)] = 1.0
        return blotches.Witnesses(now_HW, brought[0], brought[1], noise_HW, steps == (-1, 1))

    def _usual_noise(self, expected_HW: Float) -> Float:
        """What grain alone makes of a difference from two neighbours' mean: 1.5 times its variance."""
        if self._noise is None:
            return np.full(expected_HW.shape, 1.0 / 255, np.float32)
        usual_HW: Float = np.maximum(1.22 * self._noise.sigma_at(expected_HW), np.float32(1.0 / 255))
        return usual_HW

    def _learn_noise(self, now_HW: Float, expected_HW: Float, quiet_HW: Mask) -> None:
        newer = graining.measure(now_HW, expected_HW, expected_HW, quiet_HW)
        if newer is not None:
            self._noise = graining.blended(self._noise, newer)

    def _relief(self, number: int) -> Float:
        if number not in self._reliefs:
            soften_px = self._settings.blotches.soften_px
            self._reliefs[number] = recurrence.relief(self._window[number].luma_HW, soften_px)
        return self._reliefs[number]

    def _soft(self, luma_HW: Float) -> Float:
        sigma = self._settings.blotches.soften_px
        soft_HW: Float = cv2.GaussianBlur(luma_HW, (0, 0), sigma) if sigma > 0 else luma_HW
        return soft_HW
