"""The one place that knows pixel formats.

A `Picture` holds a frame's planes as they were stored: integers at full depth, chroma at its own size.
Restorers see the same frame as float planes_CHW in [0, 1], all planes at full size (`floats`), and what they
made comes back through `merge`, which leaves every sample outside the mask as it was, bit for bit.

Shape suffixes: C planes, H rows, W columns.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from storage.errors import SourceError

Colour = Literal["grey", "yuv", "rgb"]
Plane = NDArray[np.uint8] | NDArray[np.uint16]

# Decoded formats that are the same samples in another order: what they are unpacked to, without loss.
_UNPACKED = {
    "monow": "gray",
    "monob": "gray",
    "rgb24": "gbrp",
    "bgr24": "gbrp",
    "0rgb": "gbrp",
    "rgb0": "gbrp",
    "0bgr": "gbrp",
    "bgr0": "gbrp",
    "rgba": "gbrap",
    "bgra": "gbrap",
    "argb": "gbrap",
    "abgr": "gbrap",
    "rgb48le": "gbrp16le",
    "rgb48be": "gbrp16le",
    "bgr48le": "gbrp16le",
    "bgr48be": "gbrp16le",
    "rgba64le": "gbrap16le",
    "rgba64be": "gbrap16le",
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "y210le": "yuv422p10le",
    "yuvj420p": "yuv420p",
    "yuvj422p": "yuv422p",
    "yuvj444p": "yuv444p",
    "yuvj440p": "yuv440p",
}
# What FFV1 takes where it does not take the planar format itself.
_ENCODED = {"gbrp": "bgr0", "gbrap": "bgra"}
_RGB_FROM_GBR = (2, 0, 1)
# Numbers of ITU-T H.273.
_BT709, _BT601 = 1, (4, 5, 6)
_SD_HEIGHT = 576


@dataclass(frozen=True)
class PixelLayout:
    """How a reel's samples are laid out, after unpacking."""

    name: str
    """FFmpeg's name of the planar format, e.g. `yuv422p10le`."""
    colour: Colour
    depth: int
    """Bits a sample, 8 to 16."""
    planes: int
    """Planes in all; an alpha plane, where there is one, comes last and is never changed."""
    colour_planes: int
    chroma_width: int
    """Luma columns to one chroma sample: 1, 2 or 4."""
    chroma_height: int

    @property
    def peak(self) -> int:
        return (1 << self.depth) - 1

    @property
    def encoded(self) -> str:
        """The pixel format that FFV1 stores these samples in."""
        return _ENCODED.get(self.name, self.name)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.depth == 8 else np.uint16

    def frame_bytes(self, width: int, height: int) -> int:
        """Bytes of one picture of this size."""
        samples = sum(r * c for r, c in (self.plane_size(n, width, height) for n in range(self.planes)))
        return samples * np.dtype(self.dtype).itemsize

    def plane_size(self, plane: int, width: int, height: int) -> tuple[int, int]:
        """(rows, columns) of a plane of a picture of this size."""
        if self.colour == "yuv" and plane in (1, 2):
            return -(-height // self.chroma_height), -(-width // self.chroma_width)
        return height, width


@dataclass(frozen=True)
class Picture:
    """One frame at full depth."""

    planes: tuple[Plane, ...]
    layout: PixelLayout

    @property
    def height(self) -> int:
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        return int(self.planes[0].shape[1])


@lru_cache
def layout_of(pix_fmt: str) -> PixelLayout:
    """The layout a decoded frame of this format is unpacked to.

    Raises SourceError where the format cannot be kept without loss.
    """
    name = _UNPACKED.get(pix_fmt, pix_fmt)
    if name.endswith("be"):
        name = name[:-2] + "le"
    try:
        form = av.VideoFormat(name, 16, 16)
        encodable = _ENCODED.get(name, name) in {f.name for f in av.Codec("ffv1", "w").video_formats or ()}
    except ValueError as error:
        raise SourceError(f"unknown pixel format {pix_fmt}") from error
    is_float = "f16" in name or "f32" in name
    components = form.components
    if not encodable or is_float or form.has_palette or not (form.is_planar or len(components) == 1):
        raise SourceError(
            f"pixel format {pix_fmt} is not supported: convert the film to grey, RGB or YUV of 8 to 16 bits"
        )
    colour: Colour = "rgb" if form.is_rgb else "grey" if len(components) <= 2 else "yuv"
    chroma = components[1] if colour == "yuv" else None
    return PixelLayout(
        name=name,
        colour=colour,
        depth=components[0].bits,
        planes=len(components),
        colour_planes=1 if colour == "grey" else 3,
        chroma_width=16 // chroma.width if chroma else 1,
        chroma_height=16 // chroma.height if chroma else 1,
    )


class Unpacker:
    """Turns decoded frames into pictures. Holds one converter: one a frame leaks memory under FFmpeg 8."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def picture(self, frame: av.VideoFrame) -> Picture:
        """The frame's own samples, copied out of FFmpeg's buffers.

        Raises SourceError where the pixel format cannot be kept without loss.
        """
        layout = layout_of(frame.format.name)
        if frame.format.name != layout.name and not frame.format.name.startswith("yuvj"):
            frame = self._reformatter.reformat(frame, format=layout.name, interpolation=Interpolation.POINT)
        planes = tuple(
            _view(frame, index, layout)[: size[0], : size[1]].copy()
            for index in range(layout.planes)
            for size in [layout.plane_size(index, frame.width, frame.height)]
        )
        return Picture(planes, layout)


def to_frame(picture: Picture) -> av.VideoFrame:
    """The picture as a frame FFV1 can encode; the same samples, whatever their order."""
    layout = picture.layout
    frame = av.VideoFrame(picture.width, picture.height, layout.encoded)
    if layout.encoded == layout.name:
        for index, plane in enumerate(picture.planes):
            _view(frame, index, layout)[: plane.shape[0], : plane.shape[1]] = plane
        return frame
    packed: Any = frame.planes[0]
    pixels = np.frombuffer(packed, np.uint8).reshape(picture.height, -1)[:, : 4 * picture.width]
    green, blue, red = picture.planes[:3]
    for offset, values in enumerate((blue, green, red)):
        pixels[:, offset::4] = values
    pixels[:, 3::4] = picture.planes[3] if layout.planes == 4 else 0
    return frame


def floats(picture: Picture) -> NDArray[np.float32]:
    """planes_CHW in [0, 1] (code value over the peak), chroma repeated to full size; RGB red first."""
    layout = picture.layout
    colour = picture.planes[: layout.colour_planes]
    if layout.colour == "rgb":
        colour = tuple(colour[i] for i in _RGB_FROM_GBR)
    full = [full_size(plane, picture.height, picture.width, layout) for plane in colour]
    return np.stack(full).astype(np.float32) / np.float32(layout.peak)


def merge(picture: Picture, planes_CHW: NDArray[np.float32], mask_HW: NDArray[np.bool_]) -> Picture:
    """`planes_CHW` inside the mask, the picture's own samples outside, bit for bit.

    A chroma sample belongs to the mask when any pixel that it covers does; its value is the mean of those.
    """
    layout = picture.layout
    if not mask_HW.any():
        return picture
    planes = list(picture.planes)
    order = np.argsort(_RGB_FROM_GBR) if layout.colour == "rgb" else range(layout.colour_planes)
    for index, source in zip(range(layout.colour_planes), order, strict=True):
        if planes[index].shape == mask_HW.shape:
            mask, values = mask_HW, planes_CHW[source][mask_HW]
        else:
            weight = _block_sum(mask_HW.view(np.uint8), layout)
            mask = weight > 0
            values = _block_sum(planes_CHW[source] * mask_HW, layout)[mask] / weight[mask]
        changed = planes[index].copy()
        codes = np.rint(np.clip(values, 0, 1) * layout.peak)
        changed[mask] = codes.astype(layout.dtype)
        planes[index] = changed
    return Picture(tuple(planes), layout)


def replace(picture: Picture, other: Picture, mask_HW: NDArray[np.bool_]) -> Picture:
    """The other picture's samples inside the mask, this one's outside."""
    if not mask_HW.any():
        return picture
    planes = []
    for mine, theirs in zip(picture.planes, other.planes, strict=True):
        mask = mask_HW if mine.shape == mask_HW.shape else shrink_mask(mask_HW, picture.layout)
        plane = mine.copy()
        np.copyto(plane, theirs, where=mask)
        planes.append(plane)
    return Picture(tuple(planes), picture.layout)


def blank(picture: Picture) -> Picture:
    """A picture of the same kind, all zero."""
    return Picture(tuple(np.zeros_like(plane) for plane in picture.planes), picture.layout)


def shrink_mask(mask_HW: NDArray[np.bool_], layout: PixelLayout) -> NDArray[np.bool_]:
    """The mask at the size of a chroma plane: True where any covered pixel is."""
    shrunk: NDArray[np.bool_] = _block_sum(mask_HW.view(np.uint8), layout) > 0
    return shrunk


def differs(one: Picture, two: Picture) -> NDArray[np.bool_]:
    """mask_HW of the pixels in which any plane differs; chroma counts for all the pixels it covers."""
    found = np.zeros(one.planes[0].shape, bool)
    for mine, theirs in zip(one.planes, two.planes, strict=True):
        found |= full_size(mine != theirs, one.height, one.width, one.layout)
    return found


def luma8(picture: Picture, width: int) -> NDArray[np.uint8]:
    """A small 8-bit look at the picture's lightness, `width` columns or fewer, for shot detection."""
    layout = picture.layout
    plane = picture.planes[0]
    scale = min(1.0, width / picture.width)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    if layout.colour == "rgb":
        green, blue, red = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in picture.planes[:3])
        small = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    else:
        small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    look: NDArray[np.uint8] = np.rint(small * np.float32(255 / layout.peak)).astype(np.uint8)
    return look


def display_matrix(matrix: int, height: int) -> Colorspace:
    """The matrix to look at a film with: its own where it is BT.601 or 709, else by the picture's size."""
    if matrix in (_BT709, *_BT601):
        return Colorspace.ITU709 if matrix == _BT709 else Colorspace.ITU601
    return Colorspace.ITU709 if height > _SD_HEIGHT else Colorspace.ITU601


def display(
    frame: av.VideoFrame, reformatter: VideoReformatter, matrix: int, full_range: bool
) -> NDArray[np.uint8]:
    """The frame as 8-bit RGB (H, W, 3) for the eye, by the reel's own matrix and range, never by FFmpeg's
    guess.
    """
    if not frame.format.is_rgb:
        frame = reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=display_matrix(matrix, frame.height),
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def _view(frame: av.VideoFrame, index: int, layout: PixelLayout) -> Plane:
    """A writable look at one plane, padding columns included."""
    plane: Any = frame.planes[index]
    flat: NDArray[Any] = np.frombuffer(plane, layout.dtype)
    return flat.reshape(-1, plane.line_size // flat.itemsize)


def full_size(plane: NDArray[Any], height: int, width: int, layout: PixelLayout) -> NDArray[Any]:
    """A plane at the picture's size, chroma repeated."""
    if plane.shape == (height, width):
        return plane
    return plane.repeat(layout.chroma_height, 0).repeat(layout.chroma_width, 1)[:height, :width]


def _block_sum(plane: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """The sum of the pixels that each chroma sample covers, in the plane's own type.

    Slice by slice: a sum over blocks of two by two takes NumPy eight times as long.
    """
    rows, columns = layout.chroma_height, layout.chroma_width
    height, width = plane.shape
    if height % rows or width % columns:
        plane = np.pad(plane, ((0, -height % rows), (0, -width % columns)))
    across = plane[:, ::columns].copy()
    for column in range(1, columns):
        across += plane[:, column::columns]
    total = across[::rows].copy()
    for row in range(1, rows):
        total += across[row::rows]
    return total
