"""Erasing from what was set aside: records that nobody could read are searched for whom they name, value by value.

Knows records as messages and bytes; knows not why they are erased. Of records that were set aside together the others stay.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from google.protobuf.message import DecodeError, Message

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row

from . import aside_store as store
from .otlp.compression import pack, unpack
from .otlp.signals import SIGNALS
from .otlp.splitting import Record, records_of, request_of


class Sought(NamedTuple):
    """Records of these traces, and, unless it is empty, those in which this stands as a value."""

    traces: frozenset[str]
    named: str


async def traces_of(ctx: Context, sought: Sought) -> set[str]:
    """The traces of the project to which sought records belong, where those say."""
    found: set[str] = set()
    async with ctx.db.connection() as connection:
        async for row in _rows(connection, ctx.project):
            found |= await asyncio.to_thread(_traces_in, row, sought)
    return found


async def erase(ctx: Context, sought: Sought) -> int:
    """Erase the sought records of the project; how many."""
    erased = 0
    async with ctx.db.connection() as connection:
        async for row in _rows(connection, ctx.project):
            gone, left = await asyncio.to_thread(_sorted, row, sought)
            erased += gone
            if gone and left:
                body = request_of(left)
                await store.replace(connection, row, body=pack(body), size=len(body), records=len(left))
            elif gone:
                await store.delete(connection, ctx.project, [row["id"]])
    return erased


async def _rows(connection: Connection, project: str) -> Any:
    after = 0
    while (row := await store.next_after(connection, project, after)) is not None:
        yield row
        after = row["id"]


def _traces_in(row: Row, sought: Sought) -> set[str]:
    if row["kind"] not in SIGNALS:
        return {row["trace_id"]} if row["trace_id"] and _row_goes(row, sought) else set()
    records = _records(row)
    return {
        trace for record in records or () if _goes(row["kind"], record, sought) and (trace := _trace_of(row, record))
    }


def _sorted(row: Row, sought: Sought) -> tuple[int, list[Record]]:
    """How many records of a row go, and those that are left; all or none where it cannot be cut into records."""
    records = _records(row) if row["kind"] in SIGNALS else None
    if records is None:
        return (row["records"], []) if _row_goes(row, sought) else (0, [])
    left = [record for record in records if not _goes(row["kind"], record, sought)]
    return len(records) - len(left), left


def _records(row: Row) -> list[Record] | None:
    try:
        return records_of(_body(row)) or None
    except Exception:  # noqa: BLE001 -- it was set aside because something about it is not as it should be
        return None


def _body(row: Row) -> bytes:
    body = bytes(row["body"])
    try:
        return unpack(body, row["size"]) if row["kind"] in SIGNALS else body
    except (OSError, ValueError):
        return body


def _row_goes(row: Row, sought: Sought) -> bool:
    if row["trace_id"] in sought.traces:
        return True
    if row["kind"] in SIGNALS:
        return _stands_in(_body(row), sought)
    return bool(sought.named) and msgspec.json.encode(sought.named) in _body(row)


def _goes(kind: str, record: Record, sought: Sought) -> bool:
    messages = SIGNALS[kind]  # type: ignore[index] # looked up before
    try:
        message = messages.record.FromString(record.data)
        around = (
            messages.of_resource.FromString(record.resource_header),
            messages.of_scope.FromString(record.scope_header),
        )
    except DecodeError:
        return _stands_in(record.data, sought)
    trace = getattr(message, "trace_id", b"").hex()
    if trace in sought.traces:
        return True
    quoted = msgspec.json.encode(sought.named).decode()
    return bool(sought.named) and any(
        text == sought.named or quoted in text for each in (message, *around) for text in _texts(each)
    )


def _trace_of(row: Row, record: Record) -> str:
    try:
        return getattr(SIGNALS[row["kind"]].record.FromString(record.data), "trace_id", b"").hex()
    except DecodeError:
        return ""


def _stands_in(data: bytes, sought: Sought) -> bool:
    """Whether bytes that nobody can read hold an id or a name, as text or, of ids, as bytes."""
    words = [sought.named.encode()] if sought.named else []
    words += [word for trace in sought.traces for word in (trace.encode(), bytes.fromhex(trace))]
    return any(word in data for word in words)


def _texts(message: Message) -> Iterator[str]:
    """Every text in a message, however deep."""
    waiting: list[Message] = [message]
    while waiting:
        for field, value in waiting.pop().ListFields():
            values: Sequence[Any] = value if field.is_repeated else (value,)
            if field.message_type is not None:
                waiting.extend(values)
            elif field.cpp_type == field.CPPTYPE_STRING and field.type != field.TYPE_BYTES:
                yield from values
