"""A request cut into its records without decoding them, and put together again without some. The same for all signals.

Knows the three floors of a request (`signals.py`) by their field numbers. Whatever else stands in a group stays where it was.
"""

from collections.abc import Iterator, Sequence
from itertools import count, groupby
from typing import NamedTuple

from .errors import OtlpTooLargeError
from .wire import LENGTH, Field, field_of, fields

_GROUP, _BELOW = 1, 2  # the field of a request that holds groups, and of a group that holds the next floor


class ScopeGroup(NamedTuple):
    """One scope: its group without its records, and where each record's bytes begin and end in the body."""

    header: bytes
    records: list[tuple[int, int]]


class ResourceGroup(NamedTuple):
    """One resource: its group without its scopes, and the scopes."""

    header: bytes
    scopes: list[ScopeGroup]


class Record(NamedTuple):
    """One record by itself: whose it is, by number and by the bytes of their groups, and its own bytes."""

    resource: int
    scope: int
    resource_header: bytes
    scope_header: bytes
    data: bytes


def records_of(body: bytes) -> list[Record]:
    """Every record of a request, in its order. Raises OtlpMalformedError where its framing is broken."""
    return [
        Record(number, inner, group.header, scope.header, body[begin:end])
        for number, group in enumerate(groups_of(body))
        for inner, scope in enumerate(group.scopes)
        for begin, end in scope.records
    ]


def request_of(records: Sequence[Record]) -> bytes:
    """A request of some records of one, in their order; the groups of each stand in it once."""
    groups = []
    for _, of_resource in groupby(records, key=lambda record: record.resource):
        scopes, first = [], None
        for _, of_scope in groupby(of_resource, key=lambda record: record.scope):
            inside = list(of_scope)
            first = inside[0]
            scopes.append((first.scope_header, [record.data for record in inside]))
        groups.append((first.resource_header if first else b"", scopes))
    return joined(groups)


def groups_of(body: bytes, *, most: int | None = None) -> Iterator[ResourceGroup]:
    """The groups of a request.

    Raises:
        OtlpMalformedError: its framing is broken.
        OtlpTooLargeError: its resources, scopes and records together are more than `most`.
    """
    seen = _Seen(most)
    for field in fields(body):
        if field.number == _GROUP and field.type == LENGTH:
            seen.one_more()
            yield _group(body, field, seen)


class _Seen:
    """How many resources, scopes and records were found: two bytes are one, and each costs a hundred in memory."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._numbers = count(1)

    def one_more(self) -> None:
        if self._most is not None and next(self._numbers) > self._most:
            raise too_many(self._most)


def too_many(most: int, what: str = "resources, scopes and records") -> OtlpTooLargeError:
    """What is said of a request with more of something than that."""
    return OtlpTooLargeError(f"the request holds more than {most:,} {what}", next_step="send fewer at once")


def joined(groups: list[tuple[bytes, list[tuple[bytes, list[bytes]]]]]) -> bytes:
    """A request of groups: the header and scopes of each resource, the header and records of each scope."""
    said = []
    for header, scopes in groups:
        inner = [header]
        inner += [
            field_of(_BELOW, b"".join((of_scope, *(field_of(_BELOW, record) for record in records))))
            for of_scope, records in scopes
        ]
        said.append(field_of(_GROUP, b"".join(inner)))
    return b"".join(said)


def _group(body: bytes, group: Field, seen: _Seen) -> ResourceGroup:
    header, scopes = [], []
    for field in fields(body, group.begin, group.end):
        if field.number == _BELOW and field.type == LENGTH:
            seen.one_more()
            scopes.append(_scope(body, field, seen))
        else:
            header.append(body[field.tag : field.end])
    return ResourceGroup(b"".join(header), scopes)


def _scope(body: bytes, scope: Field, seen: _Seen) -> ScopeGroup:
    header, records = [], []
    for field in fields(body, scope.begin, scope.end):
        if field.number == _BELOW and field.type == LENGTH:
            seen.one_more()
            records.append((field.begin, field.end))
        else:
            header.append(body[field.tag : field.end])
    return ScopeGroup(b"".join(header), records)
