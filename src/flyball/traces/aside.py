"""The verbs of what was set aside: look at records that cannot be moved into their tables, and try them again.

Knows what is kept of each; knows neither why it cannot be moved nor how it is found.
"""

from typing import Any

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import aside_store as store
from .errors import AsideNotFoundError
from .otlp.compression import unpack
from .otlp.json_writing import json_object
from .otlp.signals import SIGNALS

_LARGEST = 2**63 - 1


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """Records that were set aside together: what kind, whence and when, and the error that says why.

    `kind` is span or score where they came one by one, else the signal of OTLP. `stored`: their rows are in their table,
    and what else they say is not kept. `id` grows.
    """

    id: int
    kind: str
    key_id: str
    trace_id: str
    received_ns: int
    aside_ns: int
    records: int
    size: int
    stored: bool
    error: str
    message: str


class AsideShown(msgspec.Struct, frozen=True, kw_only=True):
    """The same with what they hold: OTLP's JSON, or the record's; None where nobody can read it."""

    aside: Aside
    holds: Any


class Retried(msgspec.Struct, frozen=True, kw_only=True):
    """How many records were put back, to be moved within seconds, or set aside again."""

    records: int


async def list_aside(ctx: Context, *, cursor: str = "", limit: int | None = None) -> Page[Aside]:
    """What was set aside in the project, in the order in which it was."""
    (after,) = decode_cursor(cursor, int) if cursor else (0,)
    after = min(max(0, after), _LARGEST)
    most = page_size(limit)
    async with ctx.db.connection() as connection:
        rows = await store.shown(connection, ctx.project, after=after, most=most + 1)
    items = tuple(msgspec.convert(row, Aside) for row in rows[:most])
    return Page(items=items, next=encode_cursor(items[-1].id) if len(rows) > most else None)


async def show_aside(ctx: Context, id_: int) -> AsideShown:
    """One of them with what it holds. Raises AsideNotFoundError."""
    _refuse_none(id_)
    async with ctx.db.connection() as connection:
        row = await store.get(connection, ctx.project, id_)
    if row is None:
        raise _missing(id_)
    return AsideShown(aside=msgspec.convert(row, Aside), holds=_holds(row))


async def retry_aside(ctx: Context, id_: int | None) -> Retried:
    """Put one, or all, back into the inbox that they came by. Who asks is recorded.

    Log records and points whose rows are in their table stay: they would be there twice.

    Raises:
        AsideNotFoundError: there is no such one, or it has to stay.
    """
    if id_ is not None:
        _refuse_none(id_)
    async with ctx.db.transaction() as connection:
        records = await store.put_back(connection, ctx.project, id_)
        if id_ is not None and not records:
            raise _missing(id_)
        await audit.record(
            connection,
            ctx,
            action="traces.retry",
            object_kind="project",
            object_id=ctx.project,
            after={"aside": id_, "records": records},
        )
    return Retried(records=records)


def _holds(row: dict[str, Any]) -> Any:
    try:
        if row["kind"] in SIGNALS:
            body = unpack(bytes(row["body"]), row["size"])
            return json_object(SIGNALS[row["kind"]].request.FromString(body))
        return msgspec.json.decode(bytes(row["body"]))
    except Exception:  # noqa: BLE001 -- it was set aside because something about it is not as it should be
        return None


def _refuse_none(id_: int) -> None:
    if not 0 < id_ <= _LARGEST:
        raise _missing(id_)


def _missing(id_: int) -> AsideNotFoundError:
    return AsideNotFoundError(
        f"nothing with the id {id_} is set aside, or it cannot be tried again",
        next_step="see `flyball traces aside` for what is",
    )
