"""Everything that changes what the classical restorer does."""

from dataclasses import asdict, dataclass, field

from models.classical.blotches import BlotchSettings
from models.classical.recurrence import RecurrenceSettings
from models.classical.scratches import ScratchSettings
from models.motion import MotionSettings


@dataclass(frozen=True)
class ClassicalSettings:
    """Detection and repair of dirt and scratches."""

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
    """How far a repair reaches beyond the dirt and its rims, in pixels; 0 replaces no more than what shows.
    """
    feather_px: int = 1
    """Width of the blend at a repair's edge, inside the mask, in pixels; 0 is a hard edge."""
    grain: float = 1.0
    """How much of the film's grain is put back into repairs; 0 leaves them smooth, 1 matches the
    surroundings."""
    seed: int = 0
    """Seed of that grain."""

    def __post_init__(self) -> None:
        if not 0 <= self.sure <= 1:
            raise ValueError("sure must lie in [0, 1]")
        if min(self.widen_px, self.feather_px) < 0 or self.grain < 0:
            raise ValueError("widen_px, feather_px and grain must not be negative")

    def flat(self) -> dict[str, float | int | str | bool]:
        """Every setting by its dotted name, for cards and digests."""
        values: dict[str, float | int | str | bool] = {}
        for key, value in asdict(self).items():
            if isinstance(value, dict):
                values.update({f"{key}.{inner}": setting for inner, setting in value.items()})
            else:
                values[key] = value
        return values
