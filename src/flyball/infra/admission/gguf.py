"""GGUF: a magic word, key and value pairs, descriptions of tensors, and the tensors, each on its boundary and none apart from the others.

After https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. A chat template among the values is text here and is never run.
"""

import struct
from collections import Counter
from typing import NamedTuple

from .records import Judged
from .source import Cursor, Limits, Source

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# As a pickle, `GGUF` is a floating-point number that ends within the count of tensors; below this count no opcode that reads on follows.
_MOST_TENSORS = 16_384
_MOST_PAIRS = 65_536
_LONGEST_KEY = 65_535
_LONGEST_NAME = 1024
_LONGEST_TEXT = 4 * 1024 * 1024
_MOST_DIMENSIONS = 4
_LARGEST = 1 << 60
_ALIGNMENT = "general.alignment"
_TEXT, _ARRAY, _BOOL, _U32 = 8, 9, 7, 4
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, _U32: 4, 5: 4, 6: 4, _BOOL: 1, 10: 8, 11: 8, 12: 8}  # of values, by their type


class Type(NamedTuple):
    """How a tensor's elements are packed: so many in a block of so many bytes."""

    name: str
    elements: int
    bytes: int


TYPES = {
    0: Type("F32", 1, 4), 1: Type("F16", 1, 2), 2: Type("Q4_0", 32, 18), 3: Type("Q4_1", 32, 20), 6: Type("Q5_0", 32, 22), 7: Type("Q5_1", 32, 24),
    8: Type("Q8_0", 32, 34), 10: Type("Q2_K", 256, 84), 11: Type("Q3_K", 256, 110), 12: Type("Q4_K", 256, 144), 13: Type("Q5_K", 256, 176),
    14: Type("Q6_K", 256, 210), 15: Type("Q8_K", 256, 292), 16: Type("IQ2_XXS", 256, 66), 17: Type("IQ2_XS", 256, 74), 18: Type("IQ3_XXS", 256, 98),
    19: Type("IQ1_S", 256, 50), 20: Type("IQ4_NL", 32, 18), 21: Type("IQ3_S", 256, 110), 22: Type("IQ2_S", 256, 82), 23: Type("IQ4_XS", 256, 136),
    24: Type("I8", 1, 1), 25: Type("I16", 1, 2), 26: Type("I32", 1, 4), 27: Type("I64", 1, 8), 28: Type("F64", 1, 8), 29: Type("IQ1_M", 256, 56),
    30: Type("BF16", 1, 2), 34: Type("TQ1_0", 256, 54), 35: Type("TQ2_0", 256, 66), 39: Type("MXFP4", 32, 17), 40: Type("NVFP4", 64, 36), 41: Type("Q1_0", 128, 18),
}  # fmt: skip


class _Tensor(NamedTuple):
    name: str
    type: Type
    elements: int
    offset: int
    bytes: int


def is_gguf(source: Source) -> bool:
    """Whether it begins as such a file does."""
    return source.peek(0, 4) == MAGIC


def judge_gguf(source: Source, limits: Limits) -> Judged:
    """Prove that all of the file is understood. Raises DamagedFileError."""
    cursor = Cursor(source, 4, limits.header_bytes)
    version = cursor.u32("its version")
    if version not in _VERSIONS:
        raise source.damaged(
            f"its version is {version:#x}; {' and '.join(map(str, _VERSIONS))}, little-endian, are taken"
        )
    tensors, pairs = cursor.u64("its count of tensors"), cursor.u64("its count of values")
    if tensors > _MOST_TENSORS or pairs > _MOST_PAIRS:
        raise source.damaged(
            f"it names {tensors:,} tensors and {pairs:,} values, more than the {_MOST_TENSORS:,} and {_MOST_PAIRS:,} that are taken"
        )
    keys, alignment = _pairs(cursor, pairs)
    found = [_tensor(cursor) for _ in range(tensors)]
    if len({tensor.name for tensor in found}) != len(found):
        raise source.damaged("a tensor's name stands in its header twice")
    _check_data(source, cursor.offset, found, alignment)
    template = any(key.startswith("tokenizer.chat_template") for key in keys)
    return Judged(
        format="gguf",
        bytes=source.size,
        tensors=len(found),
        parameters=sum(tensor.elements for tensor in found),
        data_types=dict(Counter(tensor.type.name for tensor in found)),
        notes=("it brings a chat template: a program for whoever renders it, which flyball does not",)
        if template
        else (),
    )


def _pairs(cursor: Cursor, count: int) -> tuple[set[str], int]:
    """The keys, and on which boundary tensors lie."""
    keys: set[str] = set()
    alignment = 32
    for _ in range(count):
        key = _text(cursor, _LONGEST_KEY, "a key")
        if key in keys or not key:
            raise cursor.source.damaged(f"the key {key!r:.80} stands in its header twice, or is empty")
        keys.add(key)
        kind = cursor.u32("a value's type")
        if key == _ALIGNMENT:
            alignment = cursor.u32("its alignment") if kind == _U32 else 0
            if not 8 <= alignment <= 4096 or alignment & (alignment - 1):
                raise cursor.source.damaged("its alignment is no power of two from 8 to 4096")
        else:
            _pass_value(cursor, kind)
    return keys, alignment


def _pass_value(cursor: Cursor, kind: int) -> None:
    if kind == _ARRAY:
        kind, count = cursor.u32("an array's type"), cursor.u64("an array's length")
        if kind == _TEXT:
            for _ in range(count):  # each takes eight bytes at least, so the header's limit ends it
                _text(cursor, _LONGEST_TEXT, "a text in an array")
            return
        if kind not in _WIDTHS:
            raise cursor.source.damaged(f"an array of the type {kind} is not taken")
        if count > cursor.source.size:
            raise cursor.source.damaged("an array is longer than the file")
        cursor.skip(_WIDTHS[kind] * count, "an array")
    elif kind == _TEXT:
        _text(cursor, _LONGEST_TEXT, "a text")
    elif kind in _WIDTHS:
        value = cursor.bytes(_WIDTHS[kind], "a value")
        if kind == _BOOL and value not in (b"\0", b"\1"):
            raise cursor.source.damaged("a value is neither true nor false")
    else:
        raise cursor.source.damaged(f"a value is of the type {kind}, which nobody knows")


def _text(cursor: Cursor, longest: int, what: str) -> str:
    length = cursor.u64(f"the length of {what}")
    if length > longest:
        raise cursor.source.damaged(f"{what} has {length:,} bytes, more than the {longest:,} that are taken")
    raw = cursor.bytes(length, what)
    try:
        # Vocabularies hold the bytes of half a character; keys and names do not.
        return raw.decode(errors="strict" if longest < _LONGEST_TEXT else "replace")
    except UnicodeDecodeError:
        raise cursor.source.damaged(f"{what} is no UTF-8") from None


def _tensor(cursor: Cursor) -> _Tensor:
    name = _text(cursor, _LONGEST_NAME, "a tensor's name")
    if not name or not name.isprintable():
        raise cursor.source.damaged("a tensor's name is empty or cannot be printed")
    dimensions = cursor.u32("a count of dimensions")
    if dimensions > _MOST_DIMENSIONS:
        raise cursor.source.damaged(
            f"the tensor {name!r:.80} has {dimensions:,} dimensions, more than {_MOST_DIMENSIONS}"
        )
    shape = struct.unpack(f"<{dimensions}Q", cursor.bytes(8 * dimensions, "a shape"))
    kind, offset = TYPES.get(cursor.u32("a tensor's type")), cursor.u64("a tensor's offset")
    if kind is None:
        raise cursor.source.damaged(f"the tensor {name!r:.80} is of a type that nobody knows")
    elements = 1
    for length in shape:
        elements *= length
        if elements > _LARGEST:
            raise cursor.source.damaged(f"the tensor {name!r:.80} is larger than any file")
    if (shape[0] if shape else 1) % kind.elements:
        raise cursor.source.damaged(f"the tensor {name!r:.80} has rows that are no whole blocks of {kind.name}")
    return _Tensor(name, kind, elements, offset, elements // kind.elements * kind.bytes)


def _check_data(source: Source, header: int, tensors: list[_Tensor], alignment: int) -> None:
    """Each tensor begins on the boundary behind the one before; what lies between is zeros; the last one ends the file."""
    end = header
    start = _up(header, alignment)
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.bytes)):
        at = start + tensor.offset
        if at != _up(end, alignment):
            raise source.damaged(f"the tensor {tensor.name!r:.80} overlaps another one or leaves a hole")
        if source.take(end, at - end, "the space before a tensor").strip(b"\0"):
            raise source.damaged(f"something is hidden before the tensor {tensor.name!r:.80}")
        end = at + tensor.bytes
        if end > source.size:
            raise source.damaged(f"it ends in the middle of the tensor {tensor.name!r:.80}")
    if source.size > _up(end, alignment) or source.peek(end, alignment).strip(b"\0"):
        raise source.damaged(f"its tensors end at byte {end:,} and the file at {source.size:,}")


def _up(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
