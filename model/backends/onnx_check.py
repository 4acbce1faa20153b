"""A look into an ONNX file before any library loads it: tensors may not point to other files.

An ONNX model can keep its weights outside the file, under any path that it names. A model from somebody else could
so make whoever loads it read files of the machine. Weights that are handed over in memory are marked in the same way,
with `IN_MEMORY` for a path: such tensors pass where they are asked for, and nothing else does.

`onnx` itself is not needed to run a model, hence this walk over the protocol-buffer wire format
(https://protobuf.dev/programming-guides/encoding/), which decodes little but the nesting of messages. Field
numbers are those of `onnx.proto` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from collections.abc import Iterator

from ..errors import ModelError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# The messages that can hold tensors: field number -> message.
_MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
# TensorProto: where the data of a tensor lies, and whether it lies elsewhere at all.
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_NAME = 8
# What a tensor that is handed over may say of itself beside its name: dimensions, type of the numbers.
_DIMENSIONS, _TYPE = 1, 2
IN_MEMORY = "in memory"
# One entry of external_data: field 1 is a key, field 2 its value.
_MARK = b"".join(
    bytes([number << 3 | _BYTES, len(text)]) + text.encode()
    for number, text in ((1, "location"), (2, IN_MEMORY))
)
# The weights of a model: field 5 of its graph.
_WEIGHTS = ("graph", 1, 5)
# protobuf itself stops at a depth of 100.
_MAX_DEPTH = 100


class _Malformed(ValueError):
    pass


def refuse_external_data(content: bytes, name: str) -> None:
    """Raise ModelError if an ONNX model keeps tensors in other files, or is no protocol buffer.

    Args:
        content: of the file.
        name: of the file, for the message.
    """
    _look(content, name, None)


def tensors_in_memory(content: bytes, name: str) -> list[str]:
    """Return the names of the weights that an ONNX model expects to be handed over.

    Args:
        content: of the file.
        name: of the file, for the message.

    Raises:
        ModelError: it keeps tensors in other files, or is no protocol buffer.
    """
    found: dict[str, None] = {}
    _look(content, name, found)
    return list(found)


def _look(content: bytes, name: str, handed_over: dict[str, None] | None) -> None:
    try:
        _walk(memoryview(content), "model", name, 0, handed_over)
    except _Malformed as error:
        raise ModelError(f"{name} is no ONNX model ({error}); export the model again: isnad export") from None


def _walk(
    content: memoryview, message: str, name: str, depth: int, handed_over: dict[str, None] | None
) -> None:
    """Look through a message.

    Args:
        content: of the message.
        message: its kind.
        name: of the file.
        depth: of nesting.
        handed_over: gets the names of tensors that are `IN_MEMORY`; None if there may be none.
    """
    if depth > _MAX_DEPTH:
        raise _Malformed(f"messages nested deeper than {_MAX_DEPTH}")
    inner = _MESSAGES[message]
    for field, kind, value in _fields(content):
        # Anything but "data_location = DEFAULT": a reader may cut the number down to 32 bits.
        elsewhere = field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)
        if message == "tensor" and elsewhere:
            raise ModelError(
                f"{name} keeps tensors in other files (external data), which is not loaded; accepted: a model that "
                "isnad export has written, all in one file"
            )
        if kind == _BYTES and field in inner:
            assert isinstance(value, memoryview)
            # Weights of the model itself are handed over by name; a name in a branch or function is another one's.
            weight = (
                _handed_over(value) if handed_over is not None and (message, depth, field) == _WEIGHTS else ""
            )
            if handed_over is not None and weight:
                handed_over[weight] = None
            else:
                _walk(value, inner[field], name, depth + 1, handed_over)


def _handed_over(tensor: memoryview) -> str:
    """Return the name of a tensor that says nothing but name, size, type and `IN_MEMORY`; else ""."""
    said: dict[int, list[int | bytes]] = {}
    for field, _, value in _fields(tensor):
        said.setdefault(field, []).append(bytes(value) if isinstance(value, memoryview) else value)
    said.pop(_DIMENSIONS, None)
    names = said.pop(_NAME, [])
    kinds = said.pop(_TYPE, [])
    if len(names) != 1 or len(kinds) != 1 or said != {_EXTERNAL_DATA: [_MARK], _DATA_LOCATION: [1]}:
        return ""
    try:
        return names[0].decode() if isinstance(names[0], bytes) else ""
    except UnicodeDecodeError:
        return ""


def _fields(content: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield (field number, wire type, value) of a message; the value of fixed-size fields is not read."""
    at, end = 0, len(content)
    while at < end:
        tag, at = _varint(content, at)
        field, kind = tag >> 3, tag & 7
        if not 0 < field < 1 << 29:
            raise _Malformed(f"field number {field}")
        value: int | memoryview = 0
        if kind == _VARINT:
            value, at = _varint(content, at)
        elif kind == _BYTES:
            size, at = _varint(content, at)
            value = content[at : at + size]
            at += size
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise _Malformed(f"wire type {kind}")
        if at > end:
            raise _Malformed("a field reaches beyond its message")
        yield field, kind, value


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return a number of up to ten bytes and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise _Malformed("the file ends within a number")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed("a number of more than ten bytes")
