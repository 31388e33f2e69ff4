"""A small ONNX file, written byte by byte: its format is protobuf, and no package is needed to write it."""

import struct
from collections.abc import Sequence

_FLOAT = 1


def affine(scales: Sequence[float], offsets: Sequence[float], size: tuple[int, int] | None = None) -> bytes:
    """A model from (1, 1, H, W) to (1, C, H, W): channel c is input * scales[c] + offsets[c].

    size: the one (H, W) that it takes; any if None.
    """
    constants = [_tensor("scale", scales), _tensor("offset", offsets)]
    nodes = [
        _node("Mul", ("luma", "scale"), "scaled"),
        _node("Add", ("scaled", "offset"), "picture"),
    ]
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, b"affine")
    graph += b"".join(_bytes(5, constant) for constant in constants)
    graph += _bytes(11, _value("luma", 1, size)) + _bytes(12, _value("picture", len(scales), size))
    return _number(1, 8) + _bytes(8, _bytes(1, b"") + _number(2, 13)) + _bytes(7, graph)


def _tensor(name: str, values: Sequence[float]) -> bytes:
    shape = b"".join(_number(1, side) for side in (1, len(values), 1, 1))
    data = struct.pack(f"<{len(values)}f", *values)
    return shape + _number(2, _FLOAT) + _bytes(8, name.encode()) + _bytes(9, data)


def _node(kind: str, inputs: Sequence[str], output: str) -> bytes:
    given = b"".join(_bytes(1, name.encode()) for name in inputs)
    return given + _bytes(2, output.encode()) + _bytes(4, kind.encode())


def _value(name: str, channels: int, size: tuple[int, int] | None) -> bytes:
    sides = [_number(1, side) for side in size] if size else [_bytes(2, b"H"), _bytes(2, b"W")]
    shape = b"".join(_bytes(1, side) for side in (_number(1, 1), _number(1, channels), *sides))
    tensor = _number(1, _FLOAT) + _bytes(2, shape)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
