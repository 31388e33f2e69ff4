"""The way back: the source's pictures from a delivery, proven by their checksums."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from av.error import FFmpegError

from storage.delivery import FRAMES, MASTER, REEL, read_delivery
from storage.errors import VaultError
from storage.filesystem import first_line
from storage.fixity import frame_md5
from storage.master import Ffv1Writer, as_delivered, join
from storage.pixels import Picture
from storage.reel import FrameRow, reel_from_json
from storage.tables import FRAMES as FRAMES_TABLE
from storage.tables import from_parquet
from storage.timeline import TimelineReel, read_cut_list
from tasks.deliver import PAYLOAD
from tasks.request import RequestError


@dataclass(frozen=True)
class Reverted:
    """What was given back."""

    film: str
    frames: int
    reverted_frames: int

    def sentence(self) -> str:
        done = f"{self.reverted_frames} of {self.frames} frames"
        return f"{self.film}: {done} as the source has them, checksums equal"


def revert_delivery(delivery: str, output: str, shots: str | None = None) -> Reverted:
    """Writes the delivery's film with the replaced pixels put back, in all shots or in some.

    Raises VaultError where the delivery is damaged or its pixels are not the source's, RequestError.
    """
    folder = Path(delivery, PAYLOAD)
    target = Path(output)
    if not (folder / REEL).exists():
        raise VaultError(f"{delivery}: not a delivery")
    if not (folder / MASTER).exists():
        raise VaultError(
            f"{delivery}: holds no master; a colour delivery replaces nothing, name the restored one"
        )
    if target.suffix.lower() != ".mkv":
        raise RequestError(f"--output {output}: the film is Matroska; name a file ending in .mkv")
    if target.exists():
        raise RequestError(f"--output {output}: is there already; name a new file")
    reel = reel_from_json((folder / REEL).read_bytes())
    rows = [FrameRow(**row) for row in from_parquet((folder / FRAMES).read_bytes(), FRAMES_TABLE)]
    chosen = _chosen_frames(
        folder, TimelineReel(reel.name, reel.frame_count, reel.video.rate, reel.timecode), shots
    )
    pictures = target.with_suffix(".pictures.mkv")
    partial = target.with_suffix(".partial.mkv")
    try:
        with Ffv1Writer(pictures, reel.video) as writer:
            for picture in _pictures(folder, rows, chosen):
                writer.write(picture)
        join(partial, [pictures], *as_delivered(reel, rows, folder / MASTER))
        partial.replace(target)
    except FFmpegError as error:
        raise VaultError(f"{output}: cannot be written ({first_line(error)})") from error
    finally:
        for path in (pictures, partial):
            with suppress(OSError):
                path.unlink()
    return Reverted(str(target), len(rows), len(chosen))


def _pictures(folder: Path, rows: list[FrameRow], chosen: set[int]) -> Iterator[Picture]:
    for delivered in read_delivery(folder):
        if delivered.frame not in chosen:
            yield delivered.master
        elif frame_md5(delivered.source.planes) == rows[delivered.frame].md5:
            yield delivered.source
        else:
            raise VaultError(
                f"{folder}: frame {delivered.frame} does not give the source's picture back; run verify"
            )


def _chosen_frames(folder: Path, facts: TimelineReel, shots: str | None) -> set[int]:
    spans = read_cut_list(folder / "shots.csv", facts)
    if shots is None:
        return set(range(facts.frames))
    try:
        numbers = set()
        for part in shots.split(","):
            first, _, last = part.partition("-")
            numbers |= set(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise RequestError(f"--shots {shots}: write shot numbers like 1,4-6") from error
    if not numbers <= set(range(1, len(spans) + 1)):
        raise RequestError(f"--shots {shots}: the delivery has shots 1 to {len(spans)}")
    return {frame for n in numbers for frame in range(spans[n - 1].start, spans[n - 1].end)}
