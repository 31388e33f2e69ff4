"""The pass over an image sequence at ingest: its facts, its frame index, its fixity."""

import hashlib
from collections.abc import Callable
from fractions import Fraction

import av

from storage.errors import SourceError, UnreachableSource
from storage.filesystem import name_of, reading
from storage.fixity import frame_md5, sha256_file
from storage.index import Seen, build_index
from storage.pixels import Picture, Unpacker, layout_of
from storage.probe import FALLBACK_RATE, UNTAGGED
from storage.reel import FrameRow, Reel, VideoFacts
from storage.sequence import ImageSequence, find_sequence
from storage.still import decode_image

_KEPT_ERRORS = 100


def survey_sequence(
    source: str,
    rate: Fraction | None,
    progress: Callable[[int], None],
    look: Callable[[Picture], None],
) -> tuple[Reel, list[FrameRow]]:
    """`survey` for image sequences."""
    sequence = find_sequence(source)
    header = sequence.header
    assumptions = list(sequence.notes)
    if header.rate and rate and header.rate != rate:
        raise SourceError(
            f"{source}: headers say {header.rate} frames a second and --rate says {rate}; which is right?"
        )
    film_rate = rate or header.rate
    if film_rate is None:
        film_rate = FALLBACK_RATE
        assumptions.append(f"frame rate {film_rate}: the files name none; give --rate")
    reasons = dict(sequence.damaged)
    unpacker, seen, errors, first = Unpacker(), [], [], None
    for ordinal, path in enumerate(sequence.frames):
        if path is None or ordinal in reasons:
            errors.append(f"frame {ordinal}: {reasons.get(ordinal, 'the file is missing')}")
        else:
            try:
                frame = decode_image(path.read_bytes(), path.suffix)
            except UnreachableSource:
                raise
            except (SourceError, OSError) as error:
                errors.append(f"frame {ordinal} ({path.name}): {error}")
            else:
                first = first or frame
                picture = unpacker.picture(frame)
                look(picture)
                seen.append(Seen(ordinal, True, frame_md5(picture.planes), False))
        progress(ordinal + 1)
    if first is None:
        raise SourceError(
            f"{source}: not one image could be decoded ({errors[0] if errors else 'none found'})"
        )
    digest, size_bytes = digest_sequence(sequence)  # after reading: what changed meanwhile is found out
    every = list(range(len(sequence.frames)))
    rows = build_index(seen, every, False, Fraction(1), None)
    reel = Reel(
        reel_id=digest[:16],
        source=source,
        name=name_of(source),
        kind="sequence",
        container=sequence.files[0].suffix.lstrip(".").lower(),
        sha256=digest,
        size_bytes=size_bytes,
        video=image_facts(sequence, first, film_rate),
        frame_count=len(rows),
        time_base=1 / film_rate,
        start_pts=0,
        variable_rate=False,
        timecode=header.timecode,
        metadata={"transfer": header.transfer} if header.transfer else {},
        assumptions=tuple(assumptions),
        damaged_frames=sum(bool(row.damage) for row in rows),
        decoder_errors=tuple(errors[:_KEPT_ERRORS]),
        rate_asked=rate,
    )
    return reel, rows


def image_facts(sequence: ImageSequence, first: av.VideoFrame, rate: Fraction) -> VideoFacts:
    return VideoFacts(
        codec=sequence.files[0].suffix.lstrip(".").lower(),
        pix_fmt=first.format.name,
        width=first.width,
        height=first.height,
        rate=rate,
        sample_aspect=sequence.header.sample_aspect or Fraction(1),
        rotation=0,
        field_order="progressive",
        full_range=True,
        range_tag=0,
        matrix=int(first.colorspace) if layout_of(first.format.name).colour == "yuv" else UNTAGGED,
        primaries=int(first.color_primaries),
        transfer=int(first.color_trc),
    )


def digest_sequence(sequence: ImageSequence) -> tuple[str, int]:
    """Over the ordered (ordinal, digest) pairs, so that moving or renaming the folder changes nothing."""
    total, size_bytes = hashlib.sha256(), 0
    for ordinal, path in enumerate(sequence.frames):
        if path is not None:
            with reading(str(path)), path.open("rb") as file:
                total.update(f"{ordinal} {sha256_file(file)}\n".encode())
                size_bytes += file.tell()
    return total.hexdigest(), size_bytes
