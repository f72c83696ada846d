"""All SQL that shows entries of the ledger to people, with the names of keys and members. No clock, no ids, no authorisation."""

from flyball.infra.db.database import Connection, Row, fetch_all, fetch_one

from .declared import EntryFilter, LedgerRow

_SHOWN = """
    select e.id, e.at_ns, e.settled_ns, e.trace_id, e.key_id, e.member as member_id, e.function, e.variant, e.release, e.model,
        e.provider, e.upstream_model, e.tags, e.state, e.input_tokens, e.cache_read_tokens, e.cache_write_tokens,
        e.cache_write_1h_tokens, e.audio_input_tokens, e.output_tokens, e.reasoning_tokens, e.audio_output_tokens,
        e.web_searches, e.tokens, e.estimated, e.nano_usd, e.price_version, e.requests
"""
_NAMES = """
    , (select k.name from keys k where k.project = %s and k.line = e.key_id order by k.created_ns desc limit 1) as key_name
    , (select m.name from members m where m.id = e.member) as member_name
"""
_PLAIN = f"{_SHOWN} from (select * from ledger where project = %s order by at_ns desc, id desc limit %s) e"
_ONE = f"{_SHOWN} {_NAMES} from ledger e where e.project = %s and e.id = %s"
_COUNT = "select coalesce(sum(entries), 0)::bigint as entries from ledger_day_models where project = %s"
_CHARGES = """
    select charge ->> 0 as quota, sum((charge ->> 2)::bigint)::bigint as amount
    from ledger e, jsonb_array_elements(e.charges) charge where e.project = %s and e.id = %s group by 1 order by 1 limit 100
"""
_BY = {
    "key_id": "key_id = %s",
    "member": "member = %s",
    "function": "function = %s",
    "model": "model = %s",
    "tag": "%s = any(tags)",
    "state": "state = %s",
    "trace_id": "trace_id = %s",
    "since_ns": "at_ns >= %s",
    "until_ns": "at_ns < %s",
}


async def newest(
    connection: Connection, project: str, which: EntryFilter, *, before: tuple[int, str] | None, most: int
) -> list[LedgerRow]:
    """A project's entries, newest first; those before a place in that order. The page is cut before names are looked up."""
    asked = {condition: value for name, condition in _BY.items() if (value := getattr(which, name))}
    narrowed = "".join(f" and {condition}" for condition in asked)
    page = f"select * from ledger where project = %s {narrowed} and (at_ns, id) < (%s, %s) order by at_ns desc, id desc limit %s"
    query = f"{_SHOWN} {_NAMES} from ({page}) e order by e.at_ns desc, e.id desc"
    rows = await fetch_all(
        connection,
        query,
        *(project, project, *asked.values(), *(before or (2**62, "")), most),
    )
    return [LedgerRow(**row | {"tags": tuple(row["tags"])}) for row in rows]


async def count(connection: Connection, project: str) -> int:
    """How many entries a project has, from their sums."""
    row = await fetch_one(connection, _COUNT, project)
    return int(row["entries"]) if row else 0


async def one(connection: Connection, project: str, entry_id: str) -> LedgerRow | None:
    """The entry with this id."""
    row = await fetch_one(connection, _ONE, project, project, entry_id)
    return LedgerRow(**row | {"tags": tuple(row["tags"])}) if row else None


async def charges(connection: Connection, project: str, entry_id: str) -> dict[str, int]:
    """How much an entry used of which quota."""
    return {row["quota"]: row["amount"] for row in await fetch_all(connection, _CHARGES, project, entry_id)}


async def plain_rows(connection: Connection, project: str, most: int) -> list[Row]:
    """A project's newest entries as they are, for questions in SQL."""
    return await fetch_all(connection, _PLAIN, project, most)
