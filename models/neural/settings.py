"""Everything that changes what a restorer with weights does, but the weights."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from models.flow import FLOWS, FlowName
from models.neural.precision import Precision

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Whole = Literal["no", "kept", "matched"]
"""Whether presentation takes the network's whole frame: no, with the source's own grain laid back over it, or
with new grain of the same strength."""
BUDGETS_BYTES = (1536 << 20, 1024 << 20, 512 << 20)
"""What a worker's network may take of memory, the frames it holds apart. Steps, and of all memory, not of
what is free: budgets shape outputs, if only in their last digits, and runs that go on must make the same."""


def budget_bytes(memory_bytes: int, workers: int) -> int:
    """The largest budget that as many workers can have on a machine of so much memory; never less than the
    least."""
    each = memory_bytes // max(1, workers) // 4  # the rest for frames, encoders, the engines and the system
    return next((budget for budget in BUDGETS_BYTES if budget <= each), BUDGETS_BYTES[-1])


_KINDS = {float: "number", int: "whole number", str: "text"}


@dataclass(frozen=True)
class Use:
    """How one run uses a network."""

    whole: Whole = "no"
    """What is taken outside the mask, in presentation."""
    budget_bytes: int = BUDGETS_BYTES[0]
    """Memory that a worker's network may take, its frames apart: windows and areas are sized by it."""


@dataclass(frozen=True)
class NeuralSettings:
    """When to believe the network, and how its pixels are laid in."""

    sure: float = 0.5
    """Probability of damage, 0 to 1, that a region must reach somewhere to be repaired."""
    edge: float = 0.3
    """Probability down to which a repaired region reaches around what is sure; at most `sure`."""
    least_px: int = 3
    """Regions of fewer pixels are left: grain."""
    widen_px: int = 1
    """How far a repair reaches beyond the region, in pixels; 0 replaces no more than was found."""
    feather_px: int = 1
    """Width of the blend at a repair's edge, inside the mask, in pixels; 0 is a hard edge."""
    doubt: float = 0.1
    """Veto: a region is left where past and future, of which the repair is made, disagree by more than this
    on average, in luma of 1; 1 never vetoes."""
    error: float = 0.1
    """Veto: a region is left where the network expects to be wrong by more than this on average; 1 never
    vetoes."""
    largest_share: float = 0.2
    """Veto: a frame with more of its pixels in doubtless regions than this is left whole; 1 never vetoes. A
    cut that was missed or an explosion looks like this, dirt does not."""
    opinions: int = 1
    """2: doubts also what the way forward and the way back, each alone, or a mirrored picture would restore
    otherwise; takes three times as long."""
    grain: float = 1.0
    """How much of the film's grain is put back where mixing neighbours took it away; 0 leaves it out."""
    seed: int = 0
    """Seed of that grain."""
    flow: FlowName = "dis"
    """What finds motion: `dis` needs no weights, `raft-small` and `raft-large` do."""
    flow_weights: str = ""
    """File with RAFT's weights; empty: torchvision's own, if it was downloaded before."""
    precision: Precision = "auto"
    """What the network computes in: `auto` is fp16 on a GPU, bf16 on a CPU that has it, else fp32."""

    def __post_init__(self) -> None:
        if not 0 <= self.edge <= self.sure <= 1:
            raise ValueError("edge and sure must lie in [0, 1], edge not above sure")
        if min(self.least_px, self.widen_px, self.feather_px, self.seed) < 0 or self.grain < 0:
            raise ValueError("least_px, widen_px, feather_px, grain and seed must not be negative")
        if not min(self.doubt, self.error, self.largest_share) > 0:
            raise ValueError("doubt, error and largest_share must be above 0")
        if self.opinions not in (1, 2):
            raise ValueError("opinions must be 1 or 2")
        if self.precision not in ("auto", "fp32", "bf16", "fp16"):
            raise ValueError(f"precision {self.precision!r} is not auto, fp32, bf16 or fp16")
        if self.flow not in FLOWS:
            raise ValueError(f"flow {self.flow!r} is not one of {', '.join(FLOWS)}")

    @classmethod
    def of(cls, told: dict[str, Any]) -> "NeuralSettings":
        """The settings that a bundle names, the others as they are. ValueError for one there is not."""
        check_settings(cls, told)
        return cls(**told)

    def flat(self) -> dict[str, float | int | str | bool]:
        """Every setting by its name, for cards and digests."""
        return asdict(self)


def check_settings(kind: "type[DataclassInstance]", told: dict[str, Any]) -> None:
    """ValueError where a bundle names a setting that this kind has not, or gives one of another type."""
    known = {field.name: type(field.default) for field in fields(kind)}
    if strange := told.keys() - known.keys():
        raise ValueError(f"no setting is called {', '.join(sorted(strange))}")
    for name, value in told.items():
        fits = (known[name], int) if known[name] is float else (known[name],)
        if isinstance(value, bool) or not isinstance(value, fits):
            raise ValueError(f"{name} is {value!r}; it must be a {_KINDS[known[name]]}")
