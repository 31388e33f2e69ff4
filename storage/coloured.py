"""What a coloured film is: the reel's luma as it is, chroma beside it, and labels that say so.

YUV 4:4:4 of at least 10 bit: 8-bit luma v becomes v << 2, deeper luma stays as it is. RGB film, which has no
luma of its own, gets that of BT.709, rounded once. Shape suffixes: H rows, W columns; 2 is (Cb, Cr).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from storage.pixels import Picture, PixelLayout, Plane, display_matrix, full_size, layout_of
from storage.reel import Reel, VideoFacts

Float = NDArray[np.float32]

LABEL = "COLOURISED"
"""The tag of a coloured film; its value says by what."""
GUESSED = "COLOURS_GUESSED_BY"
"""The tag of a film that has colours of an automatic guess; its value names the models."""
StillsOrigin = Literal["painted", "partly", "guessed"]
"""Who coloured the stills: persons, machines too, or machines alone."""
_LEAST_DEPTH = 10
_UNTAGGED = 2
# Numbers of ITU-T H.273: BT.709, and SMPTE 170M, which stands for BT.601 too.
_BT709, _BT601, _BT2020 = 1, 6, 9
_KNOWN_MATRICES = (1, 4, 5, 6, _BT2020)
# BT.709's and those so near them that they are taken for the same: BT.601's two and SMPTE 240M's.
_NEAR_BT709 = (_BT709, 5, 6, 7)
# Weights of green, blue, red in the luma of BT.709, in 65536ths; their sum is exact, so that grey stays grey.
_GBR_709 = (46871, 4732, 13933)


def coloured_layout(layout: PixelLayout) -> PixelLayout:
    """The samples of a coloured film made of such film."""
    return layout_of(f"yuv444p{max(_LEAST_DEPTH, layout.depth)}le")


def coloured_video(video: VideoFacts) -> VideoFacts:
    """The facts of the coloured pictures: nothing is left untagged.

    BT.2020's matrix and primaries go together: where one is tagged and the other is not, both are.
    """
    matrix, primaries = _colours_of(video)
    return replace(
        video,
        pix_fmt=coloured_layout(video.layout).name,
        range_tag=2 if video.full_range else 1,
        matrix=matrix,
        primaries=primaries,
        transfer=_BT709 if video.transfer == _UNTAGGED else video.transfer,
    )


def why_unpaintable(video: VideoFacts) -> str:
    """What of a film's tags makes painted colour come out as another; nothing where all is well."""
    known = "colour is painted by BT.601, BT.709 or BT.2020 alone; convert the film"
    if video.layout.colour == "yuv" and video.matrix not in (_UNTAGGED, *_KNOWN_MATRICES):
        return f"its matrix is number {video.matrix} of ITU-T H.273, and {known}"
    matrix, primaries = _colours_of(video)
    if primaries == _BT2020 if matrix == _BT2020 else primaries in _NEAR_BT709:
        return ""
    return f"its primaries are number {primaries} of ITU-T H.273 and its matrix {matrix}, and {known}"


def labels_of(
    reel: Reel, by: str, origin: StillsOrigin = "painted", guessers: Sequence[str] = ()
) -> dict[str, str]:
    """Tags that say of a film that it is coloured, and that a machine guessed its colours where one did.

    by: what carried the colour. guessers: the models that coloured stills, for `guessed` and `partly`.
    """
    told = {key.lower(): value for key, value in reel.metadata.items()}
    models, title = " and ".join(guessers), told.get("title") or PurePosixPath(reel.name).stem
    colours, how = {
        "painted": ("they were painted in stills and", "colourised"),
        "partly": (
            f"they were painted in some stills, guessed by a machine ({models}) in others, and",
            "colourised, in part automatically",
        ),
        "guessed": (
            f"a machine ({models}) guessed them in stills and they were",
            "colourised automatically",
        ),
    }[origin]
    comment = (
        f"Colourised: the colours are not the film's own, {colours} carried through the film by {by}; the "
        "luma is the restored film's."
    )
    labels = {
        "title": f"{title} ({how})",
        "comment": f"{comment} {told['comment']}" if "comment" in told else comment,
        LABEL: by,
    }
    return labels | {GUESSED: models} if guessers else labels


def coloured_reel(reel: Reel, labels: Mapping[str, str]) -> Reel:
    """The reel as its coloured film tells of it. labels: tags that replace those of their names."""
    replaced = {key.lower() for key in labels}
    kept = {key: value for key, value in reel.metadata.items() if key.lower() not in replaced}
    return replace(reel, video=coloured_video(reel.video), metadata={**kept, **labels})


def luma_codes(picture: Picture) -> Plane:
    """The luma_HW of a picture in the coloured film's depth, exactly: what the law holds colour.mkv to."""
    layout = picture.layout
    wanted = coloured_layout(layout)
    up = wanted.depth - layout.depth
    if layout.colour != "rgb":
        return _as_plane(picture.planes[0].astype(np.int64) << up, wanted)
    total = np.full(picture.planes[0].shape, 1 << 15, np.int64)
    for colour, weight in zip(picture.planes, _GBR_709, strict=False):
        total += colour.astype(np.int64) * (weight << up)
    return _as_plane(total >> 16, wanted)


def luma_signal(luma_HW: Plane, video: VideoFacts) -> Float:
    """Y' of a coloured film's luma codes: 0 black, 1 white by the film's own range, or beyond.

    video: the coloured film's.
    """
    low, span = _luma_range(video)
    return (luma_HW.astype(np.float32) - low) / np.float32(span)


def painted(luma_HW: Plane, chroma_2HW: Float, video: VideoFacts) -> Picture:
    """The picture of these luma codes and this chroma.

    chroma_2HW: Cb and Cr, centred on 0, -0.5 to 0.5. video: the coloured film's.
    """
    layout = video.layout
    span = layout.peak if video.full_range else 224 << (layout.depth - 8)
    codes = np.rint(chroma_2HW * np.float32(span)) + middle(layout)
    cb, cr = np.clip(codes, 0, layout.peak).astype(layout.dtype)
    return Picture((luma_HW, cb, cr), layout)


def uncoloured(luma_HW: Plane, video: VideoFacts) -> Picture:
    """The picture of these luma codes without colour."""
    grey = np.full_like(luma_HW, middle(video.layout))
    return Picture((luma_HW, grey, grey), video.layout)


def own_chroma(picture: Picture, full_range: bool) -> Float:
    """chroma_2HW of a film that has colour of its own, as `painted` takes it; of RGB by BT.709."""
    layout = picture.layout
    if layout.colour == "grey":
        return np.zeros((2, picture.height, picture.width), np.float32)
    if layout.colour == "yuv":
        span = layout.peak if full_range else 224 << (layout.depth - 8)
        planes = [full_size(p, picture.height, picture.width, layout) for p in picture.planes[1:3]]
        codes = np.stack(planes).astype(np.float32)
        return (codes - np.float32(middle(layout))) / np.float32(span)
    green, blue, red = (plane.astype(np.float32) / layout.peak for plane in picture.planes[:3])
    luma = 0.7152 * green + 0.0722 * blue + 0.2126 * red
    signal: Float = np.stack([(blue - luma) / 1.8556, (red - luma) / 1.5748]).astype(np.float32)
    return signal


def middle(layout: PixelLayout) -> int:
    """The chroma code that is no colour."""
    return 1 << (layout.depth - 1)


def _colours_of(video: VideoFacts) -> tuple[int, int]:
    """Matrix and primaries of the coloured film."""
    colour, primaries = video.layout.colour, video.primaries
    if colour == "grey" and primaries not in (*_NEAR_BT709, _BT2020):
        primaries = _UNTAGGED  # no grey tells primaries apart
    if colour == "rgb":
        matrix = _BT709
    elif colour == "yuv" and video.matrix in _KNOWN_MATRICES:
        matrix = video.matrix
    elif primaries == _BT2020:
        matrix = _BT2020
    else:
        matrix = _BT709 if display_matrix(_UNTAGGED, video.height) == Colorspace.ITU709 else _BT601
    if primaries == _UNTAGGED:
        primaries = _BT2020 if matrix == _BT2020 else _BT709
    return matrix, primaries


def _as_plane(codes: NDArray[np.int64], layout: PixelLayout) -> Plane:
    return codes.astype(np.uint8) if layout.depth == 8 else codes.astype(np.uint16)


def _luma_range(video: VideoFacts) -> tuple[int, int]:
    if video.full_range:
        return 0, video.layout.peak
    scale = 1 << (video.layout.depth - 8)
    return 16 * scale, 219 * scale


def shown_grey(picture: Picture, video: VideoFacts) -> NDArray[Any]:
    """The picture as a grey still for painting: its luma over the full range, 8 bit where the film has 8.

    video: the film's own.
    """
    coloured = coloured_video(video)
    signal = luma_signal(luma_codes(picture), coloured)
    peak, dtype = (255, np.uint8) if video.layout.depth == 8 else (65535, np.uint16)
    still: NDArray[Any] = np.rint(np.clip(signal, 0, 1) * peak).astype(dtype)
    return still
