"""The restorer with weights: a network that looks both ways, streamed over a shot, laid in by mask.

No engine is imported until a shot is restored: a run's driver only asks for the card.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.classical.patch import Patch
from models.classical.survey import Shown
from models.errors import WeightsError
from models.flow import FlowEstimator, flow_estimator, flow_name
from models.neural.precision import check_answer
from models.neural.settings import NeuralSettings, Use
from models.restorer import Card, Colour, Footage, Repair
from models.weights import CONFIG, Bundle, load_network

Mask = NDArray[np.bool_]

if TYPE_CHECKING:
    from models.neural.compute import Compute
    from models.neural.sight import Sight
    from models.neural.way import Way

VERSION = "1"


class NeuralRestorer:
    """One bundle of weights at work."""

    def __init__(self, bundle: Bundle, use: Use = Use()) -> None:  # noqa: B008 - it is frozen
        """Raises WeightsError for settings of the bundle that cannot be, or where the flow's weights are
        missing."""
        self._bundle, self._use = bundle, use
        try:
            self._settings = NeuralSettings.of(dict(bundle.settings))
        except ValueError as error:
            raise WeightsError(f"{bundle.folder / CONFIG}: {error}") from error
        self._flow_name = flow_name(self._settings.flow, self._flow_weights)

    @property
    def card(self) -> Card:
        """What this restorer is; every setting is part of it."""
        # Of the flow's weights the digest counts, which its name holds, and not where they lie.
        parameters = {
            **self._bundle.parameters,
            **self._settings.flat(),
            "flow": self._flow_name,
            "flow_weights": "",
            **asdict(self._use),
        }
        return Card(self._bundle.architecture, VERSION, parameters, self._bundle.sha256)

    @property
    def device(self) -> str:
        """Where it runs and in what precision; loads the engine."""
        return self._compute.name

    def restore(self, footage: Footage) -> Iterator[Repair]:
        """One repair per frame, in order. Reads the footage twice; holds a window and its look-ahead.

        Raises WeightsError where the bundle's weights cannot be loaded.
        """
        from models.neural.composite import Compositor, findings

        way = self._way(footage.colour)
        compositor = Compositor(way, footage.colour, self._settings, self._use.whole)
        alone = footage.given is not None and footage.given.use == "replace"
        for sight, prepared, answer_KHW in self._answers(footage, way):
            found = findings(answer_KHW, sight.here.given_HW, alone, self._settings)
            patch = compositor.patch(sight, prepared, answer_KHW, found)
            for shown in sight.here.copies:
                own = _for_copy(patch, shown, sight.here.given_HW)
                repair = replace(own.on(shown.planes_CHW), left_HW=found.left_HW)
                if self._use.whole != "no":
                    whole_CHW = compositor.whole_frame(sight, prepared, answer_KHW, repair)
                    repair = replace(repair, whole_CHW=whole_CHW)
                yield repair

    def answers(self, footage: Footage) -> "Iterator[tuple[Sight, NDArray[np.float32]]]":
        """What the network says of each distinct frame before anything is made of it: answer_KHW, K as in
        `models.neural.way`. Raises as `restore`."""
        for sight, _, answer_KHW in self._answers(footage, self._way(footage.colour)):
            yield sight, answer_KHW

    def _answers(
        self, footage: Footage, way: "Way[Any, Any]"
    ) -> "Iterator[tuple[Sight, Any, NDArray[np.float32]]]":
        from models.neural.sight import padded_size, sights
        from models.neural.stream import Plan, Stream

        height, width = footage.height, footage.width
        plan = Plan.fitting(*padded_size(height, width), way.cost, self._use.budget_bytes)
        for sight, prepared, padded_KHW in Stream(way, plan).answers(sights(footage, self._flow())):
            answer_KHW = padded_KHW[:, :height, :width]
            check_answer(answer_KHW, sight.first_frame, self.device)
            yield sight, prepared, answer_KHW

    def _flow(self) -> FlowEstimator:
        device = self._compute.device.type
        return flow_estimator(self._settings.flow, weights=self._flow_weights, device=device)

    @property
    def _flow_weights(self) -> Path | None:
        """A path that is not absolute starts in the bundle."""
        named = self._settings.flow_weights
        return self._bundle.folder / named if named else None

    @cached_property
    def _compute(self) -> "Compute":
        from models.neural.compute import Compute

        return Compute.chosen(self._settings.precision)

    @cached_property
    def _network(self) -> Any:
        return self._compute.ready(load_network(self._bundle))

    def _way(self, colour: Colour) -> "Way[Any, Any]":
        from models.neural.reweave_way import ReweaveWay
        from models.neural.rtn_way import RTNWay

        if self._bundle.architecture == "rtn":
            return RTNWay(self._network, self._compute, colour, self._settings.opinions)
        return ReweaveWay(self._network, self._compute, colour, self._settings.opinions)


def _for_copy(patch: Patch, shown: Shown, given_HW: Mask | None) -> Patch:
    """The frame's patch without what was marked in other copies alone."""
    if given_HW is None:
        return patch
    here_HW = ~given_HW if shown.given_HW is None else shown.given_HW | ~given_HW
    if here_HW.all():
        return patch
    return patch.within(here_HW, Patch.empty(shown.planes_CHW))
