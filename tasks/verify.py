"""A delivery checked again, from its files alone: the bag's checksums, then the laws."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from storage.bag import check_bag
from storage.colour_delivery import COLOUR, COLOUR_FILES, COLOUR_SUMMARY
from storage.delivery import FILES, MASTER, REEL
from storage.errors import VaultError
from storage.filesystem import is_local, local_path
from storage.reel import Reel, reel_from_json
from storage.sequence import list_frames
from storage.survey import digest_source
from tasks.colouring.laws import check_against_master, check_colour_laws
from tasks.deliver import PAYLOAD
from tasks.laws import BROKEN, broken, check_laws


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
    root = local_path(place)
    if (root / "bagit.txt").exists():
        return [root]
    found = sorted(path.parent for path in root.glob("reels/*/deliver/*/bagit.txt"))
    if not found:
        raise VaultError(f"{place}: neither a delivery nor a vault with deliveries")
    return found


def verify_delivery(delivery: Path) -> Verdict:
    """Every problem found, in one line each."""
    folder = delivery / PAYLOAD
    in_colour = any((folder / name).is_file() for name in (COLOUR, COLOUR_SUMMARY))
    problems: list[str] = []
    checked = False
    try:
        problems += check_bag(delivery)
        problems += [
            f"missing: {PAYLOAD}/{name}: no delivery is whole without it"
            for name in (COLOUR_FILES if in_colour else FILES)
            if not (folder / name).is_file()
        ]
        problems += check_colour_laws(folder) if in_colour else check_laws(folder)
        problems += _against_master(delivery) if in_colour else []
        checked = _check_source(folder, problems)
    except BROKEN as error:
        problems.append(broken(error))
    return Verdict(str(delivery), tuple(problems), checked)


def _against_master(delivery: Path) -> list[str]:
    """What sets a coloured film's luma apart from the restored film it was made of, where that stands by.

    The record is not trusted: what it names is a delivery's name and nothing else.
    """
    name = json.loads((delivery / PAYLOAD / COLOUR_SUMMARY).read_bytes())["restored"]
    if not re.fullmatch("[0-9a-f]{16}", str(name)):
        return [f"{COLOUR_SUMMARY}: {name!r} is no delivery's name"]
    master = delivery.parent / name / PAYLOAD / MASTER
    return check_against_master(delivery / PAYLOAD, master) if master.is_file() else []


def _check_source(folder: Path, problems: list[str]) -> bool:
    """Adds what is wrong with the source; returns whether it was at hand.

    The record is not trusted: what it names is read only where it is files, and of the right size.
    """
    try:
        reel = reel_from_json((folder / REEL).read_bytes())
        size_bytes = _size_bytes(reel) if is_local(reel.source) else None
        if size_bytes is None:
            return False
        if size_bytes != reel.size_bytes or digest_source(reel.source)[0] != reel.sha256:
            problems.append(f"{reel.source}: the source is no longer what was ingested")
    except BROKEN:
        return False
    return True


def _size_bytes(reel: Reel) -> int | None:
    """Of the source's files; None where there are none."""
    if reel.kind == "film":
        path = local_path(reel.source)
        return path.stat().st_size if path.is_file() else None
    files = [path for path in list_frames(reel.source) if isinstance(path, Path)]
    return sum(path.stat().st_size for path in files)
