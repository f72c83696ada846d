"""All SQL of the ledger's entries, and of what settling them moves. No clock, no ids, no authorisation.

Which quotas an entry counts for, `records` say; its sums by the hour are `sum_store`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from flyball.infra.db.database import Connection, Row, execute, fetch_all

from .records import Charge, Entry

_TYPES = {
    "id": "text",
    "project": "text",
    "organisation": "text",
    "at_ns": "bigint",
    "trace_id": "text",
    "key_id": "text",
    "member": "text",
    "function": "text",
    "variant": "text",
    "release": "text",
    "model": "text",
    "provider": "text",
    "upstream_model": "text",
    "tags": "jsonb",
    "state": "text",
    "input_tokens": "bigint",
    "cache_read_tokens": "bigint",
    "cache_write_tokens": "bigint",
    "cache_write_1h_tokens": "bigint",
    "audio_input_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "audio_output_tokens": "bigint",
    "web_searches": "bigint",
    "estimated": "boolean",
    "nano_usd": "bigint",
    "price_version": "text",
    "requests": "bigint",
    "charges": "jsonb",
}
_COLUMNS = ", ".join(_TYPES)
_LISTS = ("tags", "charges")
_VALUES = ", ".join("array(select jsonb_array_elements_text(tags))" if name == "tags" else name for name in _TYPES)
_APPEND = f"""
    insert into ledger ({_COLUMNS}, settled_ns) select {_VALUES}, coalesce(%b::bigint, flyball_now_ns())
    from unnest({", ".join(f"%b::{kind}[]" for kind in _TYPES.values())}) as given ({_COLUMNS})
    order by project, id on conflict do nothing returning project, id
"""
_NEWEST = (
    "select "
    + _COLUMNS
    + " from ledger where project = %s and (at_ns, id) < (%s, %s) order by at_ns desc, id desc limit %s"
)


async def append(connection: Connection, entries: Sequence[Entry], now_ns: int | None) -> list[Entry]:
    """Append the entries that are not there yet; those that were new. Each id at most once, please."""
    columns = [[_column(entry, name) for entry in entries] for name in _TYPES]
    rows = await fetch_all(connection, _APPEND, now_ns, *columns)
    fresh = {(row["project"], row["id"]) for row in rows}
    return [entry for entry in entries if (entry.project, entry.id) in fresh]


async def move(connection: Connection, leases: Mapping[str, int], counters: Mapping[tuple[str, int], int]) -> None:
    """Take what was used from leases, and add it to counters (quota, window)."""
    await execute(
        connection,
        "select flyball_move(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bigint[])",
        list(leases),
        list(leases.values()),
        [quota for quota, _ in counters],
        [window_ns for _, window_ns in counters],
        list(counters.values()),
    )


async def newest(
    connection: Connection, project: str, *, before: tuple[int, str] = (2**62, ""), most: int
) -> list[Entry]:
    """A project's entries, newest first; those before a place in that order."""
    rows = await fetch_all(connection, _NEWEST, project, *before, most)
    return [_entry(row) for row in rows]


def _column(entry: Entry, name: str) -> Any:
    value = getattr(entry, name)
    if name in _LISTS:
        return msgspec.json.encode(value).decode().replace("\\u0000", "\ufffd")
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value  # PostgreSQL keeps no NUL


def _entry(row: Row) -> Entry:
    charges = tuple(Charge(*charge) for charge in row["charges"])
    return Entry(**{**row, "tags": tuple(row["tags"]), "charges": charges})


def first_of_each(entries: Iterable[Entry]) -> list[Entry]:
    """Each id once: the first that bears it."""
    known: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        known.setdefault((entry.project, entry.id), entry)
    return list(known.values())
