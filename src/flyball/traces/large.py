"""What is too large for a row of `spans`: it becomes a blob under its content hash, of whatever size, and the row says which.

The column `large` is JSON: the name of a raw column with the hash of its whole text, and, under `attributes`, the hashes of
single values, in whose place null stands. Knows texts and hashes; knows not where blobs lie.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from .attributes import attributes_from_json, attributes_json

LARGEST_TEXT = 256 * 1024  # characters of a raw column's text that stay in the row
_LARGEST_VALUE = 64 * 1024  # of one attribute, where the text of all is too large
COLUMNS = ("attributes", "events", "links", "resource", "otel_scope", "status_message", "trace_state")

_Keep: TypeAlias = Callable[[bytes], str]
_Find: TypeAlias = Callable[[str], bytes]


def set_apart(row: Mapping[str, str], attributes: dict[str, Any], keep: _Keep) -> dict[str, str]:
    """The columns that change, `large` among them. `keep` takes bytes and returns their hash."""
    changed: dict[str, str] = {}
    hashes: dict[str, Any] = {}
    if len(row["attributes"]) > LARGEST_TEXT:
        changed["attributes"], hashes["attributes"] = _attributes_apart(attributes, keep)
    for name in COLUMNS:
        text = changed.get(name, row[name])
        if len(text) > LARGEST_TEXT:
            changed[name], hashes[name] = "", keep(text.encode("utf-8", "surrogatepass"))
    return changed | {"large": msgspec.json.encode(hashes).decode()}


def put_back(row: Mapping[str, Any], find: _Find) -> dict[str, Any]:
    """The row with the texts of its raw columns as they were. `find` raises what it raises where a blob is gone."""
    if not row.get("large"):
        return dict(row)
    whole = dict(row)
    for name, told in msgspec.json.decode(row["large"], type=dict[str, Any]).items():
        if isinstance(told, str):
            whole[name] = find(told).decode("utf-8", "surrogatepass")
        else:
            kept = attributes_from_json(whole[name])
            values = {key: attributes_from_json(find(hash_).decode())["v"] for key, hash_ in told.items()}
            whole[name] = attributes_json(kept | values)
    return whole


def hashes_of(text: str) -> set[str]:
    """The hashes that a row's column `large` names."""
    if not text:
        return set()
    told = msgspec.json.decode(text, type=dict[str, Any])
    return {hash_ for each in told.values() for hash_ in ([each] if isinstance(each, str) else each.values())}


def _attributes_apart(attributes: dict[str, Any], keep: _Keep) -> tuple[str, dict[str, str]]:
    small: dict[str, Any] = {}
    hashes: dict[str, str] = {}
    for key, value in attributes.items():
        text = attributes_json({"v": value})
        if len(text) > _LARGEST_VALUE:
            small[key], hashes[key] = None, keep(text.encode())
        else:
            small[key] = value
    return attributes_json(small), hashes
