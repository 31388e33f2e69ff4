"""Ingest: what a source is, under which name it lies in the vault, and where each of its frames stands."""

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from threading import Lock

from storage.digest import digest_of
from storage.errors import SourceError, VaultError
from storage.filesystem import name_of
from storage.reel import FrameRow, Reel, reel_from_json, reel_to_json
from storage.survey import Progress, digest_source, survey
from storage.tables import FRAMES, from_parquet, to_parquet
from storage.vault import Vault
from tasks.looks import LOOKS, LooksWriter
from tasks.recipe import installation

_LOCKS: dict[str, Lock] = {}
"""One for each film, by its digest: two copies of it are one reel."""


@dataclass(frozen=True)
class IngestedReel:
    """A reel that stands in the vault, with its frame index."""

    reel: Reel
    rows: tuple[FrameRow, ...]

    @property
    def key(self) -> str:
        return reel_key(self.reel.reel_id)

    @property
    def looks(self) -> str:
        """The key of the small copy that detection looks at."""
        return f"{_looks_key(self.key, self.reel.surveyed_by)}/{LOOKS}"

    @property
    def megapixels(self) -> float:
        """Of one frame."""
        return self.reel.video.width * self.reel.video.height / 1e6


def reel_key(reel_id: str) -> str:
    return f"reels/{reel_id}"


def ingest(vault: Vault, source: str, rate: Fraction | None, progress: Progress) -> IngestedReel:
    """Surveys the source, or finds that the vault knows it already by its content, from the same code.

    Raises SourceError: not a film.
    """
    digest, _ = digest_source(source)
    with _LOCKS.setdefault(digest, Lock()):
        known = _known(vault, digest[:16])
        asked = rate or (known.reel.rate_asked if known else None)
        is_current = known and known.reel.surveyed_by == _surveyed_by() and vault.exists(known.looks)
        if known and is_current and asked in (None, known.reel.video.rate):
            return _moved(vault, known, source)
        return _survey(vault, source, digest, asked, progress)


def _known(vault: Vault, reel_id: str) -> IngestedReel | None:
    """None also where the records are broken, which a survey mends."""
    with suppress(VaultError):
        return load(vault, reel_id)
    return None


def _survey(
    vault: Vault, source: str, digest: str, rate: Fraction | None, progress: Progress
) -> IngestedReel:
    key = reel_key(digest[:16])
    with vault.publishing(_looks_key(key, _surveyed_by()), LOOKS) as folder:
        with LooksWriter(folder / LOOKS) as looks:
            reel, rows = survey(source, rate, progress, looks.write)
        if reel.sha256 != digest:
            raise SourceError(f"{source}: changed while it was read; wait until it is complete")
    reel = replace(reel, surveyed_by=_surveyed_by())
    ingested = IngestedReel(reel, tuple(rows))
    store(vault, key, ingested)
    return ingested


def _looks_key(key: str, surveyed_by: str) -> str:
    return f"{key}/looks/{surveyed_by}"


def _surveyed_by() -> str:
    return digest_of(installation("storage", "tasks/looks.py"))


def load(vault: Vault, reel_id: str) -> IngestedReel:
    """Raises VaultError where the vault holds no such reel."""
    return load_from(vault, reel_key(reel_id))


def store(vault: Vault, key: str, film: IngestedReel) -> None:
    """Writes a film's facts and frame index under a key. Raises VaultError."""
    vault.write(f"{key}/frames.parquet", to_parquet((asdict(row) for row in film.rows), FRAMES))
    vault.write(f"{key}/reel.json", reel_to_json(film.reel))


def load_from(vault: Vault, key: str) -> IngestedReel:
    """What `store` wrote. Raises VaultError where there is no such record, or a broken one."""
    reel = reel_from_json(vault.read(f"{key}/reel.json"))
    rows = from_parquet(vault.read(f"{key}/frames.parquet"), FRAMES)
    return IngestedReel(reel, tuple(FrameRow(**row) for row in rows))


def check_untouched(reel: Reel) -> None:
    """Raises SourceError where the source is no longer, byte for byte, what was ingested (law 1)."""
    digest, _ = digest_source(reel.source)
    if digest != reel.sha256:
        raise SourceError(f"{reel.source}: was changed since its ingest; nothing is delivered from it")


def _moved(vault: Vault, found: IngestedReel, source: str) -> IngestedReel:
    """The same film from another place: work goes on from where it lies now."""
    if found.reel.source == source:
        return found
    reel = replace(found.reel, source=source, name=name_of(source))
    vault.write(f"{found.key}/reel.json", reel_to_json(reel))
    return IngestedReel(reel, found.rows)
