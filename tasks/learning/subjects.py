"""What training differs by from one kind of network to another."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from models.colour.redye import Redye
from models.neural.reweave import Reweave
from models.training.colour.learner import RedyeLearner
from models.training.learner import Learner, ReweaveLearner
from models.weights import Architecture
from tasks.learning.materials import Materials
from tasks.learning.request import TrainingRequest
from tasks.learning.walks import Walks, prepare_walks, walks_folder
from tasks.learning.windows import Source

if TYPE_CHECKING:
    from models.weights import Network


class Subject(Protocol):
    """A kind of network, and what it is taught by."""

    @property
    def architecture(self) -> Architecture: ...

    def begun(self, name: str, device: str) -> "tuple[Network, Learner[Any]]":
        """A network of a named configuration, with random weights, and its learner."""

    def prepare(self, request: TrainingRequest, folder: Path, progress: Callable[[int], None]) -> None:
        """Makes what takes long and serves every epoch, where it was not made before."""

    def material(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        """What is learnt from. Raises StorageError, RequestError, ValueError."""

    def frozen(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        """What the network is judged by, from other films."""


class Restoring:
    """Reweave, by clips made old."""

    architecture: Architecture = "reweave"

    def begun(self, name: str, device: str) -> "tuple[Network, Learner[Any]]":
        network = Reweave.from_config(name).to(device)
        return network, ReweaveLearner(network)

    def prepare(self, request: TrainingRequest, folder: Path, progress: Callable[[int], None]) -> None:
        return

    def material(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        return Materials(request.corpus, request.windows())

    def frozen(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        windows = replace(request.windows(), split="val", mode="stored", flips=False)
        return Materials(request.corpus, windows)


class Colouring:
    """Redye, by clean clips of colour film, walked through from stills."""

    architecture: Architecture = "redye"

    def begun(self, name: str, device: str) -> "tuple[Network, Learner[Any]]":
        network = Redye.from_config(name).to(device)
        return network, RedyeLearner(network)

    def prepare(self, request: TrainingRequest, folder: Path, progress: Callable[[int], None]) -> None:
        prepare_walks(request, folder, progress)

    def material(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        return Walks(request.corpus, request.windows(), walks_folder(request, folder))

    def frozen(self, request: TrainingRequest, folder: Path) -> Source[Any]:
        windows = replace(request.windows(), split="val", flips=False)
        return Walks(request.corpus, windows, walks_folder(request, folder))


def subject_of(request: TrainingRequest) -> Subject:
    """That of the network which is asked for."""
    return Colouring() if request.colours else Restoring()
