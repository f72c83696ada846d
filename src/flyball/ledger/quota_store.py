"""All SQL of quotas and their counters. No clock, no ids, no authorisation.

A counter is what the ledger's entries add up to: it starts as their sum, each settlement adds to it, and it can be derived from
the entries alone at any time. Making a quota and settling keep out of each other's way by a lock, so that no entry is missed.
"""

from collections.abc import Collection, Sequence

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Drift, Quota

KEPT_NS = 62 * 86_400 * 1_000_000_000  # counters of windows that ended longer ago are given up; the ledger stays
_LOCK = 0x71756F746173  # "quotas"
_NAMES = Quota.__struct_fields__
_FIELDS = ", ".join(f'"{name}"' if name == "window" else name for name in _NAMES)
_EVERY = "select " + _FIELDS + " from quotas where removed_ns is null order by id"
_NEAR = (
    "select "
    + _FIELDS
    + " from quotas where removed_ns is null and organisation = any(%s) and scope = any(%s) and unit <> 'parallel'"
)
_FIND = "select " + _FIELDS + " from quotas where removed_ns is null and id = %s"
_INSERT = "insert into quotas (" + _FIELDS + ") values (" + ", ".join(["%s"] * len(_NAMES)) + ") on conflict do nothing"
_ENTRIES = """
    join ledger e on e.organisation = q.organisation and (q.project is null or e.project = q.project)
        and e.at_ns >= flyball_counts_from(q."window", q.created_ns) and q.unit <> 'parallel'
        and case q.scope_kind
            when 'key' then e.key_id = q.scope when 'member' then e.member = q.scope when 'function' then e.function = q.scope
            when 'model' then e.model = q.scope when 'tag' then q.scope = any(e.tags) else true
        end
"""
_DERIVED = (
    """
    select q.id as quota, flyball_window(q."window", e.at_ns) as window_ns, q.organisation, q.project,
        sum(case q.unit when 'nano_usd' then coalesce(e.nano_usd, 0) when 'requests' then e.requests else e.tokens end)::bigint
            as settled
    from q
    """
    + _ENTRIES
    + " group by 1, 2, 3, 4"
)
_COUNT = (
    """
    with q as materialized (select * from quotas where id = %s)
    insert into counters (quota, window_ns, organisation, project, settled)
    """
    + _DERIVED
)
_USED = (
    """
    with q as materialized (
        select %s::text as id, %s::text as organisation, %s::text as project, %s::text as unit, %s::text as scope_kind,
            %s::text as scope, %s::text as "window", %s::bigint as created_ns
    ), derived as (
    """
    + _DERIVED
    + """
    ) select coalesce(sum(settled), 0)::bigint as used from derived
    """
)
_DRIFTS = (
    """
    with q as materialized (
        select * from quotas where removed_ns is null and (project = %s or project is null and organisation = (
            select p.organisation from projects p where p.id = %s
        ))
    ), derived as (
    """
    + _DERIVED
    + """
    ), counted as (select c.* from counters c join q on q.id = c.quota)
    select quota, window_ns, coalesce(c.settled, 0) as counted, coalesce(d.settled, 0) as derived
    from derived d full join counted c using (quota, window_ns) join q on q.id = quota
    where coalesce(c.settled, 0) <> coalesce(d.settled, 0) and window_ns >= flyball_counts_from(q."window", %s)
    order by quota, window_ns
    """
)


async def let_settle(connection: Connection) -> None:
    """From here to the end of the transaction nobody makes a quota. Before quotas are read to settle by."""
    await execute(connection, "select pg_advisory_xact_lock_shared(%s)", _LOCK)


async def hold_settling(connection: Connection) -> None:
    """Wait until what is being settled is settled; from here to the end of the transaction nothing else is."""
    await execute(connection, "select pg_advisory_xact_lock(%s)", _LOCK)


async def now_ns(connection: Connection) -> int:
    """The time by which windows go: PostgreSQL's."""
    row = await fetch_one(connection, "select flyball_now_ns() as now_ns")
    assert row is not None  # noqa: S101 -- a function has a value
    return int(row["now_ns"])


async def insert(connection: Connection, quota: Quota) -> bool:
    """Write a quota, and its counters from what is in the ledger already. False: there is one of this kind. Hold settling."""
    values = [list(value) if isinstance(value := getattr(quota, name), tuple) else value for name in _NAMES]
    done = await execute(connection, _INSERT, *values)
    if done:
        await execute(connection, _COUNT, quota.id)
    return bool(done)


async def used(connection: Connection, quota: Quota) -> int:
    """What a quota that is not there yet would count at once, in the window in which it would be made."""
    row = await fetch_one(
        connection,
        _USED,
        *(quota.id, quota.organisation, quota.project, quota.unit),
        *(quota.scope_kind, quota.scope, quota.window, quota.created_ns),
    )
    return int(row["used"]) if row else 0


async def update(connection: Connection, quota: Quota) -> bool:
    """Write what may change of a quota, if it still has the version before this one."""
    done = await execute(
        connection,
        """
        update quotas set amount = %s, stop = %s, when_away = %s, open_bound = %s, alerts = %s, version = %s,
            alerts_since_ns = case when (amount, alerts) is distinct from (%s::bigint, %s::integer[]) then flyball_now_ns() else alerts_since_ns end
        where id = %s and version = %s and removed_ns is null
        """,
        quota.amount,
        quota.stop,
        quota.when_away,
        quota.open_bound,
        list(quota.alerts),
        quota.version,
        quota.amount,
        list(quota.alerts),
        quota.id,
        quota.version - 1,
    )
    return bool(done)


async def remove(connection: Connection, id_: str, now_ns: int) -> bool:
    """A quota is no more, nor are its counters and leases."""
    done = await execute(
        connection, "update quotas set removed_ns = %s where id = %s and removed_ns is null", now_ns, id_
    )
    if done:
        await execute(
            connection,
            "delete from leases where id in (select id from leases where quota = %s order by id for update)",
            id_,
        )
        await execute(connection, "delete from counters where quota = %s", id_)
    return bool(done)


async def every(connection: Connection) -> list[Quota]:
    """Every quota that the connection sees."""
    return [_quota(row) for row in await fetch_all(connection, _EVERY)]


async def near(connection: Connection, organisations: Collection[str], scopes: Collection[str]) -> list[Quota]:
    """The quotas of organisations that count by the ledger and whose scope has one of these names; "" names the wholes."""
    return [_quota(row) for row in await fetch_all(connection, _NEAR, list(organisations), list(scopes))]


async def find(connection: Connection, id_: str) -> Quota | None:
    """The quota with this id."""
    row = await fetch_one(connection, _FIND, id_)
    return _quota(row) if row else None


async def drifts(connection: Connection, project: str, now_ns: int) -> list[Drift]:
    """Counters of a project's quotas, and of its organisation's, that differ from the ledger. Sees every project's entries."""
    rows = await fetch_all(connection, _DRIFTS, project, project, max(0, now_ns - KEPT_NS))
    return [Drift(**row) for row in rows]


async def correct(connection: Connection, drifts: Sequence[Drift]) -> None:
    """Set counters to what was derived. Hold settling."""
    await execute(
        connection,
        """
        insert into counters (quota, window_ns, organisation, project, settled)
        select q.id, right_.window_ns, q.organisation, q.project, right_.settled
        from unnest(%b::text[], %b::bigint[], %b::bigint[]) as right_ (quota, window_ns, settled) join quotas q on q.id = right_.quota
        order by 1, 2 on conflict (quota, window_ns) do update set settled = excluded.settled
        """,
        [drift.quota for drift in drifts],
        [drift.window_ns for drift in drifts],
        [drift.derived for drift in drifts],
    )


async def forget_old(connection: Connection, now_ns: int) -> int:
    """Give up counters of windows that ended long ago; how many."""
    return await execute(
        connection,
        """delete from counters c using quotas q where q.id = c.quota and c.window_ns < flyball_counts_from(q."window", %s)""",
        max(0, now_ns - KEPT_NS - 86_400 * 1_000_000_000),
    )


def _quota(row: Row) -> Quota:
    return Quota(**{**row, "alerts": tuple(row["alerts"])})
