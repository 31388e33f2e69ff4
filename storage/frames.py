"""Pictures of a reel by frame number, from any frame on, and proven to be the ones that were ingested.

Every picture is checked against the index's checksum. Where seeking leads astray (streams without timestamps,
open groups of pictures, damaged spots whose concealment depends on what came before) the reader starts again
from the reel's first frame, which always gives what ingest saw.
"""

from collections.abc import Iterator, Sequence

from storage.container import Decoder, open_film
from storage.dpx import DamagedFrame
from storage.errors import SourceError
from storage.filesystem import reading
from storage.fixity import frame_md5
from storage.pixels import Picture, Unpacker
from storage.reel import FrameRow, Reel
from storage.sequence import list_frames
from storage.still import decode_image

# Leading frames of an open group of pictures need the group before; one group of run-up costs little.
_RUN_UP_KEYFRAMES = 1


class _Astray(Exception):
    """Seeking did not lead to the frame that was asked for."""


def read_frames(reel: Reel, rows: Sequence[FrameRow], start: int, end: int) -> Iterator[Picture]:
    """The pictures of frames [start, end), in order; a lost frame shows its nearest good neighbour.

    Raises SourceError where the source no longer gives the pictures of its ingest.
    """
    shown = [row.shown for row in rows[start:end]]
    if not shown:
        return
    wanted = iter(shown)
    target = next(wanted)
    for frame, picture in _pictures(reel, rows, shown[0], shown[-1]):
        while frame == target:
            yield picture
            following = next(wanted, None)
            if following is None:
                return
            target = following
    raise SourceError(f"{reel.source}: frame {target} is no longer there; was the file changed after ingest?")


def _pictures(reel: Reel, rows: Sequence[FrameRow], first: int, last: int) -> Iterator[tuple[int, Picture]]:
    """(frame, picture) of every good frame from `first` to `last`, each one proven."""
    if reel.kind == "sequence":
        yield from _images(reel, rows, first, last)
        return
    at = first
    start = _run_up(rows, first)
    if start > 0:
        wanted = (row.frame for row in rows[first:] if row.shown == row.frame)
        try:
            for frame, picture in _decoded(reel, rows, start):
                if frame < first or rows[frame].shown != frame:
                    continue
                if frame != next(wanted) or frame_md5(picture.planes) != rows[frame].md5:
                    break
                yield frame, picture
                at = frame + 1
                if at > last:
                    return
        except _Astray:
            pass
    for frame, picture in _decoded(reel, rows, 0):
        if frame < at or rows[frame].shown != frame:
            continue
        if frame_md5(picture.planes) != rows[frame].md5:
            raise SourceError(
                f"{reel.source}: frame {frame} is not the one that was ingested; was the file changed?"
            )
        yield frame, picture
        if frame >= last:
            return


def _run_up(rows: Sequence[FrameRow], first: int) -> int:
    """The frame to seek to: a keyframe with one more before `first`; 0 to start at the beginning."""
    if rows[first].pts is None:
        return 0
    keyframes = 0
    for frame in range(first, 0, -1):
        keyframes += rows[frame].keyframe
        if keyframes > _RUN_UP_KEYFRAMES:
            return frame
    return 0


def _decoded(reel: Reel, rows: Sequence[FrameRow], start: int) -> Iterator[tuple[int, Picture]]:
    unpacker = Unpacker()
    good = [row for row in rows if row.damage != "lost"]
    with open_film(reel.source) as container:
        decoder = Decoder(container)
        if start == 0:
            for row, decoded in zip(good, decoder.frames(), strict=False):
                yield row.frame, unpacker.picture(decoded.frame)
            return
        by_pts = {row.pts: row.frame for row in good}
        pts = rows[start].pts
        assert pts is not None
        decoder.seek(pts)
        following = None
        for decoded in decoder.frames():
            frame = by_pts.get(decoded.pts)
            if frame is None or (following is None and frame > start):
                raise _Astray
            if following is not None and frame < following:
                raise _Astray
            following = frame + 1
            yield frame, unpacker.picture(decoded.frame)


def _images(reel: Reel, rows: Sequence[FrameRow], first: int, last: int) -> Iterator[tuple[int, Picture]]:
    unpacker = Unpacker()
    files = list_frames(reel.source)
    for frame in range(first, last + 1):
        path = files[frame] if frame < len(files) else None
        if rows[frame].damage == "lost" or path is None:
            continue
        with reading(str(path)):
            data = path.read_bytes()
        try:
            picture = unpacker.picture(decode_image(data, path.suffix))
        except DamagedFrame as error:
            raise SourceError(f"{path}: {error}; was the file changed?") from error
        if frame_md5(picture.planes) != rows[frame].md5:
            raise SourceError(f"{path}: is not the image that was ingested; was the file changed?")
        yield frame, picture
