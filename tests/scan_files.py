"""Scans made here: noise of every code value as DPX, PNG and TIFF, and what a decoded frame holds."""

import struct
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT = 50, 34  # 50 is no multiple of 3 or 4: rows end within a word
TELEVISION = [(1920, "I", 0x01020312), (1940, "f", 18.0)]
"""Header fields of a timecode and a rate: what `dpx` takes."""


def pixels(channels=1, depth=10, seed=0, size=(HEIGHT, WIDTH)):
    """Noise of every code value, (H, W) or (H, W, C)."""
    shape = size if channels == 1 else (*size, channels)
    return np.random.default_rng(seed).integers(0, 1 << depth, shape).astype(np.uint32)


def dpx(image, depth=10, order=">", packing=1, fields=()):
    """A DPX file by ST 268-1, written here so that reader and writer do not share a mistake.

    fields: (offset, struct format, value) put over the header, whose other bytes are undefined (all ones).
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    rows = []
    for row in image.reshape(image.shape[0], -1):
        if depth == 8:
            data = row.astype("u1").tobytes()
        elif depth == 16:
            data = row.astype(f"{order}u2").tobytes()
        elif depth == 12 and packing:
            data = (row << 4 if packing == 1 else row).astype(f"{order}u2").tobytes()
        elif depth == 10:
            triples = np.pad(row, (0, -len(row) % 3)).reshape(-1, 3)
            first_high = triples if channels > 1 else triples[:, ::-1]  # a single channel fills from below
            words = first_high[:, 0] << 20 | first_high[:, 1] << 10 | first_high[:, 2]
            data = (words << (2 if packing == 1 else 0)).astype(f"{order}u4").tobytes()
        else:
            bits = sum(int(value) << (depth * n) for n, value in enumerate(row))
            words = np.frombuffer(bits.to_bytes(-(-len(row) * depth // 32) * 4, "little"), "<u4")
            data = words.astype(f"{order}u4").tobytes()
        rows.append(data + bytes(-len(data) % 4))
    picture = b"".join(rows)
    head = bytearray(b"\xff" * 2048)
    head[:4] = b"SDPX" if order == ">" else b"XPDS"
    descriptor = {1: 6, 3: 50, 4: 51}[channels]
    plain = [
        (4, "I", 2048),
        (16, "I", 2048 + len(picture)),
        (768, "HH", (0, 1)),
        (772, "II", (image.shape[1], image.shape[0])),
        (780, "I", 0),
        (800, "BBBB", (descriptor, 3, 1, depth)),
        (804, "HH", (packing, 0)),
        (808, "III", (2048, 0, 0)),
    ]
    for offset, form, value in [*plain, *fields]:
        struct.pack_into(order + form, head, offset, *(value if isinstance(value, tuple) else (value,)))
    return bytes(head) + picture


def encoded(codec, pix_fmt, image, **options):
    """The image by FFmpeg's own encoder; `image` packed, in the format's byte order."""
    frame = av.VideoFrame(image.shape[1], image.shape[0], pix_fmt)
    plane = frame.planes[0]
    rows = np.ascontiguousarray(image).view("u1").reshape(image.shape[0], -1)
    np.frombuffer(plane, "u1").reshape(plane.height, plane.line_size)[:, : rows.shape[1]] = rows
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pix_fmt
    context.time_base, context.options = Fraction(1, 24), options
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def samples(frame):
    """(H, W) or (H, W, C) of a decoded frame, red first."""
    names = [component.bits for component in frame.format.components]
    dtype = "u1" if names[0] == 8 else (">u2" if frame.format.is_big_endian else "<u2")
    per_pixel = len(names) if len(frame.planes) == 1 else 1
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, "u1").reshape(plane.height, plane.line_size)
        wide = np.ascontiguousarray(rows[:, : plane.width * per_pixel * np.dtype(dtype).itemsize]).view(dtype)
        planes.append(wide.reshape(plane.height, plane.width, per_pixel))
    if len(planes) > 1:  # planar RGB is kept G, B, R
        planes = [planes[2], planes[0], planes[1], *planes[3:]]
    return np.concatenate(planes, axis=2).squeeze()
