"""All SQL of the ledger's entries, and of what settling them moves. No clock, no ids, no authorisation.

Which quotas an entry counts for, `records` say; its sums by the hour are `sum_store`'s.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import psycopg

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

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
# What an entry leaves out, since it is as usual. Tags that are left out are none, and what else is, is null.
_USUAL = {
    field.name: "'[]'" if field.default == () else f"'{field.default}'"
    for field in msgspec.structs.fields(Entry)
    if field.default not in (msgspec.NODEFAULT, None) and field.name != "tags"
}
_VALUES = ", ".join(
    "array(select jsonb_array_elements_text(tags))" if name == "tags"
    else f"coalesce({name}, {_USUAL[name]})" if name in _USUAL
    else name
    for name in _TYPES
)  # fmt: skip
_APPEND = f"""
    with fresh as (
        insert into ledger ({_COLUMNS}, settled_ns) select {_VALUES}, coalesce(%b::bigint, flyball_now_ns())
        from json_to_recordset(%s::json) as given ({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
        order by project, id on conflict do nothing returning project, id
    )
    select count(*) as fresh, case when count(*) < %s then json_agg(json_build_array(project, id)) end as keys,
        (select coalesce(json_object_agg(id, organisation), '{{}}') from projects where id = any(%s)) as homes
    from fresh
"""
_NEWEST = (
    "select "
    + _COLUMNS
    + " from ledger where project = %s and (at_ns, id) < (%s, %s) order by at_ns desc, id desc limit %s"
)


async def append(connection: Connection, entries: Sequence[Entry], now_ns: int | None) -> list[Entry]:
    """Append the entries that are not there yet; those that were new. Each id at most once, please.

    Raises psycopg.IntegrityError where one is of no project, or not of its project's organisation: no key of the table says so.
    """
    projects = list({entry.project for entry in entries})
    row = await fetch_one(connection, _APPEND, now_ns, as_json(entries), len(entries), projects)
    assert row is not None  # noqa: S101 -- a count is a row
    fresh = list(entries)
    if row["fresh"] < len(entries):
        keys = {tuple(key) for key in row["keys"] or ()}
        fresh = [entry for entry in entries if (entry.project, entry.id) in keys]
    for project, organisation in {(entry.project, entry.organisation) for entry in fresh}:
        if row["homes"].get(project) != organisation:
            raise psycopg.IntegrityError(f"no project {project!r:.100} of an organisation {organisation!r:.100}")
    return fresh


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


def as_json(rows: Sequence[Entry] | Sequence[Mapping[str, Any]]) -> str:
    """Rows as one value instead of a list for each column: half the time that it takes to send them."""
    encoded = msgspec.json.encode(rows)
    if b"\\u0000" in encoded:  # PostgreSQL keeps no NUL
        encoded = msgspec.json.encode(_without_nul(msgspec.to_builtins(rows)))
    return encoded.decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {name: _without_nul(one) for name, one in value.items()}
    return [_without_nul(one) for one in value] if isinstance(value, list | tuple) else value


def _entry(row: Row) -> Entry:
    charges = tuple(Charge(*charge) for charge in row["charges"])
    return Entry(**{**row, "tags": tuple(row["tags"]), "charges": charges})


def first_of_each(entries: Iterable[Entry]) -> list[Entry]:
    """Each id once: the first that bears it."""
    known: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        known.setdefault((entry.project, entry.id), entry)
    return list(known.values())
