"""Tensors inside an ONNX file as outputs of it, without the package `onnx`, which the light install has not.

An ONNX file is one message of protocol buffers. Read are the few fields that say how nodes hang together; written is
one more field at the end: a message that comes twice is merged, and its repeated fields go on, so a second graph with
nothing but an output adds that output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from samepose.errors import FormatError

_GRAPH, _NODES, _OUTPUTS = 7, 1, 12  # of ModelProto; of GraphProto
_NODE_INPUTS, _NODE_OUTPUTS, _OPERATOR = 1, 2, 4  # of NodeProto
_FLOAT = b"\x12\x04\x0a\x02\x08\x01"  # ValueInfoProto.type: a tensor of floats of any shape
_LENGTHS = {1: 8, 5: 4}  # of values of fixed size by wire type


class Node(NamedTuple):
    """An operation: its kind, and the names of what it takes and gives."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def nodes(file: bytes) -> list[Node]:
    """The operations of an ONNX file, in the order in which they are run.

    Raises:
        FormatError: it is no ONNX file.
    """
    try:
        return [_node(node) for graph in _values(memoryview(file), _GRAPH) for node in _values(graph, _NODES)]
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise FormatError("not an ONNX file") from error


def with_output(file: bytes, tensor: str) -> bytes:
    """The same file with one more output, the float tensor of that name, the last of its outputs."""
    value = _field(1, tensor.encode()) + _FLOAT
    return file + _field(_GRAPH, _field(_OUTPUTS, value))


def _node(message: memoryview) -> Node:
    found: dict[int, list[str]] = {_NODE_INPUTS: [], _NODE_OUTPUTS: [], _OPERATOR: []}
    for number, value in _fields(message):
        if number in found:
            found[number].append(bytes(value).decode())
    return Node("".join(found[_OPERATOR]), tuple(found[_NODE_INPUTS]), tuple(found[_NODE_OUTPUTS]))


def _values(message: memoryview, number: int) -> Iterator[memoryview]:
    return (value for found, value in _fields(message) if found == number)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and bytes of each field; ValueError or IndexError where the message is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 2:
            length, at = _varint(message, at)
        elif key & 7 == 0:
            length = _varint(message, at)[1] - at
        elif key & 7 in _LENGTHS:
            length = _LENGTHS[key & 7]
        else:
            raise ValueError(f"wire type {key & 7}")
        if at + length > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _field(number: int, value: bytes) -> bytes:
    return _encoded(number << 3 | 2) + _encoded(len(value)) + value


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
