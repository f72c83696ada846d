"""Spans and log records with their attributes still in bytes: most of them say what those before have said, and are read once.

The messages are OTLP's own but for the type of one field, so that they read the same requests. Knows protobuf; knows not what is told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from .signals import SIGNALS, Messages, Signal
from .values import held_by

_SHORT_BYTES = 128  # an attribute up to this is remembered: longer ones are texts, which nobody says twice
_MOST_KNOWN = 10_000
_MOST_NEW = 0.3  # of what is told: reading one alone costs three times what it costs among others
_JUDGED = 1_000  # attributes: so many have to be told before it is
_RESTS = 16  # requests
_UNCHANGING = frozenset({str, int, float, bool, bytes, type(None)})  # what may be told of many at once


class Attributes:
    """Reads attributes. What it remembers is bounded; where little is said again, remembering it is given up for a while."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, Any]] = {}
        self._told = self._new = 0  # since this was judged
        self._resting = 0  # turns

    def turn(self) -> bool:
        """Whether those of the next request had better come in bytes."""
        if self._resting:
            self._resting -= 1
        elif self._told >= _JUDGED:
            self._resting = _RESTS if self._new > _MOST_NEW * self._told else 0
            self._told = self._new = 0
        return not self._resting

    def read(self, pairs: Sequence[bytes]) -> dict[str, Any]:
        """What KeyValues hold, by key. Raises DecodeError where one is none."""
        known = self._known
        self._told += len(pairs)
        # What is long is not even looked for: its hash costs more than all else.
        return dict([(known.get(pair) if len(pair) <= _SHORT_BYTES else None) or self._read(pair) for pair in pairs])

    def _read(self, pair: bytes) -> tuple[str, Any]:
        message = KeyValue.FromString(pair)
        told = message.key, held_by(message.value)
        self._new += 1
        if len(pair) <= _SHORT_BYTES and type(told[1]) in _UNCHANGING:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[pair] = told
        return told


def _cut(signal: Signal) -> Messages:
    """A signal's messages whose records' attributes are bytes."""
    whole, pool = SIGNALS[signal], DescriptorPool()
    record = whole.record.DESCRIPTOR
    for file in _with_dependencies(whole.request.DESCRIPTOR.file):
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        for message in proto.message_type:
            if file is record.file and message.name == record.name:
                field = next(field for field in message.field if field.name == "attributes")
                field.type = FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
        pool.Add(proto)
    found = (
        GetMessageClass(pool.FindMessageTypeByName(each.DESCRIPTOR.full_name))
        for each in (whole.request, whole.of_resource, whole.of_scope, whole.record)
    )
    request, of_resource, of_scope, record = found
    return whole._replace(request=request, of_resource=of_resource, of_scope=of_scope, record=record)


def _with_dependencies(file: Any) -> list[Any]:
    """A file and those that it needs, each once, after those that it needs itself."""
    found: dict[str, Any] = {}
    for needed in file.dependencies:
        found |= {each.name: each for each in _with_dependencies(needed)}
    return list((found | {file.name: file}).values())


CUT: Mapping[Signal, Messages] = {"traces": _cut("traces"), "logs": _cut("logs")}
