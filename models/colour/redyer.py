"""The colouriser with weights: colour carried as `propagate` carries it, chosen among by a network.

No engine is imported until a shot is coloured: a run's driver only asks for the card.

Shape suffixes: H rows, W columns of the picture; h, w of the working picture; K answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from models.colour.carry import State
from models.colour.colouriser import Coloured, Reference
from models.colour.propagate import finished
from models.colour.steady import Steady
from models.colour.walk import Walk
from models.errors import WeightsError
from models.flow import flow_estimator
from models.neural.precision import Precision, check_answer
from models.neural.settings import check_settings
from models.restorer import Card, Footage, luma
from models.weights import CONFIG, Bundle, load_network

if TYPE_CHECKING:
    from models.colour.redye_way import Sight
    from models.neural.compute import Compute

VERSION = "1"

# Frames answered together. Seven more are held in any case; with 8 the way back is gone twice over, and at
# 640x480 a frame takes about 36 MB.
_WINDOW_FRAMES = 8


@dataclass(frozen=True)
class RedyeSettings:
    """How the network is used."""

    work_px: int = 640
    """Longest side of the picture that colour is carried on, in pixels; as `propagate`'s. At least 64."""
    grey_below: float = 0.4
    """Confidence under which colour fades to grey; 0 fades none. Higher than `propagate`'s: this network says
    what error it expects, at 0.4 one of 13 in ab, which is about what grey has."""
    precision: Precision = "auto"
    """What the network computes in: `auto` is fp16 on a GPU, bf16 on a CPU that has it, else fp32."""

    def __post_init__(self) -> None:
        if self.work_px < 64 or not 0 <= self.grey_below <= 1:
            raise ValueError("work_px must be 64 or more and grey_below in [0, 1]")
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise ValueError(f"precision {self.precision!r} is not auto, fp32, bf16 or fp16")

    @classmethod
    def of(cls, told: dict[str, Any]) -> "RedyeSettings":
        """The settings that a bundle names, the others as they are. ValueError for one there is not."""
        check_settings(cls, told)
        return cls(**told)


class Redyer:
    """One bundle of Redye's weights at work."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises WeightsError for a bundle of another architecture, or settings that cannot be."""
        if bundle.architecture != "redye":
            raise WeightsError(
                f"{bundle.folder}: holds {bundle.architecture}, which restores; name one of redye to colour"
            )
        self._bundle = bundle
        try:
            self._settings = RedyeSettings.of(dict(bundle.settings))
        except ValueError as error:
            raise WeightsError(f"{bundle.folder / CONFIG}: {error}") from error
        self._estimator = flow_estimator("dis", self._settings.work_px)

    @property
    def card(self) -> Card:
        """What this colouriser is; every setting is part of it."""
        parameters = {**self._bundle.parameters, **asdict(self._settings), "flow": self._estimator.name}
        return Card("redye", VERSION, parameters, self._bundle.sha256)

    @property
    def device(self) -> str:
        """Where it runs and in what precision; loads the engine."""
        return self._compute.name

    @property
    def reached_from(self) -> float:
        """As `grey_below`."""
        return self._settings.grey_below

    def colour(self, footage: Footage, references: Sequence[Reference]) -> Iterator[Coloured]:
        """One for each frame, in order. Reads the footage twice; holds a window and its look-ahead, and small
        stills.

        Meanwhile 7 bytes for each working pixel of every frame stand in temporary files. Raises ValueError
        where there is no reference, or one of another size or of a frame outside the footage; WeightsError
        where the bundle's weights cannot be loaded; SpillError.
        """
        walk = Walk(footage, references, self._settings.work_px, self._estimator)
        frames, steady = iter(footage), Steady()
        for sight, known in self._known(walk):
            planes_CHW = next(frames)
            luma_HW = luma(planes_CHW, footage.colour)
            known = steady.keep(known, sight.met, sight.own is not None)
            one = finished(known, sight.luma_hw, luma_HW, self._settings.grey_below)
            yield one
            for _ in range(sight.copies - 1):
                next(frames)
                yield one

    def _known(self, walk: Walk) -> "Iterator[tuple[Sight, State]]":
        """What is known of each distinct frame of the shot in the end, at working size."""
        from models.colour.redye_way import RedyeWay, sights
        from models.neural.sight import SIDE, padded_size
        from models.neural.stream import Plan, Stream
        from models.neural.tiles import areas

        height, width = walk.stills[0].view.luma_hw.shape
        tall, wide = padded_size(height, width)
        plan = Plan(_WINDOW_FRAMES, areas(tall, wide, SIDE, tall * wide))
        way = RedyeWay(self._network, self._compute, walk.stills)
        for sight, _, answer_KHW in Stream(way, plan).answers(sights(walk.steps())):
            check_answer(answer_KHW, sight.frame, self.device)
            cut_3hw = answer_KHW[:, :height, :width]
            yield sight, sight.own or State(cut_3hw[:2], cut_3hw[2])

    @cached_property
    def _compute(self) -> "Compute":
        from models.neural.compute import Compute

        return Compute.chosen(self._settings.precision)

    @cached_property
    def _network(self) -> Any:
        return self._compute.ready(load_network(self._bundle))
