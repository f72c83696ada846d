"""safetensors: eight bytes of length, a JSON header, and tensors that fill the rest without a gap.

After https://github.com/huggingface/safetensors (README, "Format"). Stricter where the format is silent: no name twice, no byte that
belongs to no tensor, no line break in the header (a pickle of protocol 0 could begin in front of it and go on behind).
"""

import json
from collections import Counter
from math import prod
from typing import Any

from flyball.kit.nesting import nests_deeper

from .errors import DamagedFileError
from .records import Judged
from .source import Limits, Source

_OWN_LIMIT = 100_000_000  # the format's own cap on its header
_DEEPEST = 3
_MOST_TENSORS = 200_000
_LONGEST_NAME = 1024
_MOST_DIMENSIONS = 32
_LARGEST = 1 << 60
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


def is_safetensors(source: Source) -> bool:
    """Whether it begins as such a file does."""
    start = source.peek(0, 9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= _OWN_LIMIT


def judge_safetensors(source: Source, limits: Limits) -> Judged:
    """Prove that all of the file is understood. Raises DamagedFileError."""
    length = int.from_bytes(source.take(0, 8, "its length of the header"), "little")
    if length > min(limits.json_header_bytes, _OWN_LIMIT):
        raise source.damaged(
            f"its header has {length:,} bytes, more than the {min(limits.json_header_bytes, _OWN_LIMIT):,} that are taken"
        )
    tensors = _header(source, source.take(8, length, "its header"))
    sizes = [_range(source, name, tensor) for name, tensor in tensors.items()]
    end = 0
    for start, stop in sorted(sizes):
        if start != end:
            raise source.damaged(
                f"its tensors {'overlap' if start < end else 'leave a hole'} at byte {min(start, end):,}"
            )
        end = stop
    if 8 + length + end != source.size:
        raise source.damaged(f"its tensors end at byte {8 + length + end:,} and the file at {source.size:,}")
    return Judged(
        format="safetensors",
        bytes=source.size,
        tensors=len(tensors),
        parameters=sum(prod(tensor["shape"]) for tensor in tensors.values()),
        data_types=dict(Counter(tensor["dtype"] for tensor in tensors.values())),
    )


def _header(source: Source, raw: bytes) -> dict[str, Any]:
    if not raw.startswith(b"{") or b"\n" in raw or b"\r" in raw or nests_deeper(raw, _DEEPEST):
        raise source.damaged("its header is not one flat JSON object on one line")
    try:
        header = json.loads(raw.decode(), object_pairs_hook=lambda pairs: _once(source, pairs), parse_constant=_refuse)
    except DamagedFileError:
        raise
    except (
        ValueError,
        RecursionError,
    ) as error:  # what is no UTF-8, and numbers of thousands of digits, are ValueErrors too
        raise source.damaged(f"its header is no JSON ({error!s:.100})") from None
    if not isinstance(header, dict):
        raise source.damaged("its header is no object")
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise source.damaged("its metadata is not words by words")
    if len(header) > _MOST_TENSORS:
        raise source.damaged(f"it has {len(header):,} tensors, more than the {_MOST_TENSORS:,} that are taken")
    return header


def _once(source: Source, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise source.damaged("a name stands in its header twice")
    if not all(len(name) <= _LONGEST_NAME and name.isprintable() for name in found):
        raise source.damaged("a name in its header is too long or cannot be printed")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _range(source: Source, name: str, tensor: Any) -> tuple[int, int]:
    """From where to where a tensor lies. Raises DamagedFileError unless it is exactly as large as its type and shape."""
    if not isinstance(tensor, dict) or tensor.keys() != {"dtype", "shape", "data_offsets"}:
        raise source.damaged(f"the tensor {name!r:.80} is not a type, a shape and two offsets")
    kind, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
    if not isinstance(kind, str) or kind not in BITS:
        raise source.damaged(f"the tensor {name!r:.80} is of the type {kind!r:.40}, which nobody knows")
    if not _are_counts(shape) or len(shape) > _MOST_DIMENSIONS or not _are_counts(offsets) or len(offsets) != 2:
        raise source.damaged(f"the tensor {name!r:.80} has a shape or offsets that are no counts")
    start, stop = offsets
    bits = prod(shape) * BITS[kind]
    if not start <= stop <= source.size or bits > _LARGEST or bits % 8 or bits // 8 != stop - start:
        raise source.damaged(f"the tensor {name!r:.80} is not as large as its type and shape")
    return start, stop


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= _LARGEST for value in values)
