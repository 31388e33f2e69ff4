"""A delivery checked again, from its files alone: the bag's checksums, then the laws."""

from dataclasses import dataclass
from pathlib import Path

from storage.bag import check_bag
from storage.delivery import FILES, REEL
from storage.errors import StorageError, VaultError
from storage.filesystem import is_local
from storage.reel import reel_from_json
from storage.survey import digest_source
from tasks.deliver import PAYLOAD
from tasks.laws import check_laws


@dataclass(frozen=True)
class Verdict:
    """What `verify` found."""

    delivery: str
    problems: tuple[str, ...]
    source_checked: bool
    """Whether the source was at hand, and so could be compared too."""

    def sentence(self) -> str:
        if self.problems:
            return "\n".join(
                [f"{self.delivery}: {len(self.problems)} problems", *(f"  {p}" for p in self.problems)]
            )
        source = "the source is as it was" if self.source_checked else "the source is not at hand"
        return f"{self.delivery}: keeps the laws; {source}"


def find_deliveries(place: str) -> list[Path]:
    """The delivery there, or all the deliveries of a vault there. Raises VaultError where there is none."""
    if not is_local(place):
        raise VaultError(f"{place}: copy the delivery to this machine to verify it")
    root = Path(place)
    if (root / "bagit.txt").exists():
        return [root]
    found = sorted(path.parent for path in root.glob("reels/*/deliver/*/bagit.txt"))
    if not found:
        raise VaultError(f"{place}: neither a delivery nor a vault with deliveries")
    return found


def verify_delivery(delivery: Path) -> Verdict:
    """Every problem found, in one line each."""
    problems = check_bag(delivery)
    folder = delivery / PAYLOAD
    problems += [
        f"missing: {PAYLOAD}/{name}: no delivery is whole without it"
        for name in FILES
        if not (folder / name).is_file()
    ]
    problems += check_laws(folder)
    checked = False
    try:
        reel = reel_from_json((folder / REEL).read_bytes())
        digest, _ = digest_source(reel.source)
        checked = True
        if digest != reel.sha256:
            problems.append(f"{reel.source}: the source is no longer what was ingested")
    except (StorageError, OSError, ValueError):
        checked = False
    return Verdict(str(delivery), tuple(problems), checked)
