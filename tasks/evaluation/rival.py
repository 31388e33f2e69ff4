"""The restorers of an evaluation, each with what it cost."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from models.catalogue import load_restorer, resolved, title
from models.errors import UnknownRestorer, WeightsError
from models.restorer import Footage, Repair, Restorer
from tasks.evaluation.cost import Spent, watched
from tasks.request import RequestError

INPUT = "none"
"""The restorer that leaves the film as it is."""
_WARM_UP_FRAMES = 2


@dataclass(frozen=True)
class Cost:
    """What a restorer took. None: it restored nothing."""

    frames: int
    starting_s: float
    """To load it and restore its first two frames, left out of what follows."""
    seconds_per_frame: float | None
    seconds_per_megapixel: float | None
    memory_bytes: int
    """As `Spent` has it."""


@dataclass(frozen=True)
class RivalFacts:
    """What a restorer or a colouriser is."""

    title: str
    """By which its scores go."""
    name: str
    """`classical`, `none`, or the bundle's directory; a colouriser's is that of its card."""
    version: str
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    weights_sha256: str | None = None
    device: str = "cpu"
    """Where it ran, and in what precision."""


class Rival:
    """One restorer at work."""

    def __init__(self, name: str, title: str, restorer: Restorer) -> None:
        self.title = title
        self.name, self._restorer = name, restorer
        self._starting_s: float | None = None
        self._spent = Spent()

    def restored(self, footage: Footage) -> list[Repair]:
        """All of a clip's repairs. Raises WeightsError where weights cannot be loaded."""
        if self._starting_s is None:
            start = time.perf_counter()
            list(islice(self._restorer.restore(footage), _WARM_UP_FRAMES))
            self._starting_s = time.perf_counter() - start
        repairs, spent = watched(self._restorer.restore(footage), footage)
        if len(repairs) != footage.frame_count:
            raise ValueError(f"{self.title}: {len(repairs)} repairs of {footage.frame_count} frames")
        self._spent += spent
        return repairs

    def facts(self) -> RivalFacts:
        card = self._restorer.card
        return RivalFacts(
            self.title,
            self.name,
            card.version,
            dict(card.parameters),
            card.weights_sha256,
            self._restorer.device,
        )

    def cost(self) -> Cost:
        spent = self._spent
        return Cost(
            spent.frames,
            self._starting_s or 0.0,
            spent.seconds / spent.frames if spent.frames else None,
            spent.seconds / spent.megapixels if spent.megapixels else None,
            spent.memory_bytes,
        )


def rivals(names: Sequence[str], titles: Mapping[str, str]) -> list[Rival]:
    """The restorers in order, the one that leaves the film as it is before all others.

    titles: for people, by the names as they are given; what has none is told as elsewhere. Raises
    RequestError: there is no such restorer, or two have one title.
    """
    found: dict[str, Rival] = {}
    seen: set[str] = set()
    for named in dict.fromkeys((INPUT, *names)):
        try:
            name = resolved(named)
            told = titles.get(named) or titles.get(name) or title(name)
            restorer = load_restorer(name)
        except (UnknownRestorer, WeightsError) as error:
            raise RequestError(f"restorer {error}") from error
        if name in seen:
            raise RequestError(f"restorer {named}: named twice")
        if told in found:
            raise RequestError(f"restorer {named}: another one is called {told} too; give it a title")
        found[told] = Rival(name, told, restorer)
        seen.add(name)
    return list(found.values())
