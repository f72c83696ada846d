"""OTLP's AnyValue and what it is in Python, both ways: str, bool, int, float, bytes, list, dict, and None for one without content.

Of attributes under one key the last is told. Knows values; knows nothing of where they stand.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList


def plain(value: Any) -> Any:
    """What an AnyValue holds."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    held = getattr(value, which)
    if which == "array_value":
        return [plain(each) for each in held.values]
    if which == "kvlist_value":
        return plain_attributes(held.values)
    return held


def held_by(value: Any) -> Any:
    """What an attribute's AnyValue holds: nearly always a text that is not empty, which is the cheapest question."""
    return value.string_value or plain(value)


def plain_attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    """What KeyValues hold, by key."""
    return {pair.key: held_by(pair.value) for pair in pairs}


def told_value(held: Any) -> AnyValue:
    """A value as AnyValue; what OTLP has no form for is told as its text."""
    tell = _TELL.get(type(held))
    if tell is None or (type(held) is int and not -(2**63) <= held < 2**63):
        return AnyValue(string_value=str(held))
    return tell(held)


def told_attributes(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes as KeyValues, in their order."""
    return [KeyValue(key=str(key), value=told_value(held)) for key, held in attributes.items()]


def _told_list(held: Sequence[Any]) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=[told_value(each) for each in held]))


_TELL: dict[type, Callable[[Any], AnyValue]] = {
    type(None): lambda _: AnyValue(),
    bool: lambda held: AnyValue(bool_value=held),
    str: lambda held: AnyValue(string_value=held),
    int: lambda held: AnyValue(int_value=held),
    float: lambda held: AnyValue(double_value=held),
    bytes: lambda held: AnyValue(bytes_value=held),
    list: _told_list,
    tuple: _told_list,
    dict: lambda held: AnyValue(kvlist_value=KeyValueList(values=told_attributes(held))),
}
