"""Content that a span only refers to: where it says that the messages lie, and the span with what was found there.

OpenTelemetry's completion hook uploads messages to an object store and writes down the addresses, `gen_ai.input.messages_ref`
or, as its documentation says, `….ref`. Knows attributes and bytes; who may fetch what from where is `fetching.py`'s.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .told import Told

_CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
)
_REFERENCES = {name + suffix: name for name in _CONTENT for suffix in (".ref", "_ref")}
_LONGEST = 4_096  # characters of an address


def referred(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The attributes that lie elsewhere, by their names, with their addresses."""
    if _REFERENCES.keys().isdisjoint(attributes):
        return {}
    return {
        name: uri
        for reference, name in _REFERENCES.items()
        if isinstance(uri := attributes.get(reference), str) and 0 < len(uri) <= _LONGEST and name not in attributes
    }


def resolved(told: Told, fetched: Mapping[str, bytes]) -> Told:
    """The span as if it had brought what it refers to; addresses of which nothing was fetched stay what they are."""
    found = {
        name: _content(fetched[uri]) for name, uri in referred(told.attributes).items() if fetched.get(uri) is not None
    }
    return msgspec.structs.replace(told, attributes={**told.attributes, **found}) if found else told


def _content(data: bytes) -> Any:
    """A list as JSON, or line by line; anything else as text."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    except (msgspec.DecodeError, RecursionError):
        return data.decode("utf-8", "replace")
