"""All SQL of thresholds that were passed. No clock (the bank's own, unless a test gives one), no ids, no authorisation."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all

from .declared_store import NAME
from .records import Unit

_DAY = 86_400 * 1_000_000_000
KEPT_NS = 400 * _DAY  # longer than any window but `total`: a threshold that is forgotten could be passed again

# Each window that runs, and each that ended lately, is judged by itself: what settles late is told late, and not of another window.
# A rolling one has no end, so that it is told of once in its length.
_NEWLY = """
    with moment as materialized (select coalesce(%s::bigint, flyball_now_ns()) as ns),
    watched as materialized (
        select q.*, m.ns, flyball_counts_from(q."window", greatest(0, m.ns - %s::bigint)) as from_ns,
            (select min(threshold) from unnest(q.alerts) as t (threshold)) as least
        from quotas q, moment m where q.removed_ns is null and q.alerts <> '{}' and q.unit <> 'parallel'
    ),
    used as (
        select q.*, c.window_ns, c.settled from watched q join counters c on c.quota = q.id and c.window_ns >= q.from_ns
        where q."window" not like 'rolling:%%' and c.settled > 0 and c.settled::numeric * 100 >= q.amount::numeric * q.least
            and (q."window" = 'total' or flyball_window_ends(q."window", c.window_ns) > q.alerts_since_ns)
        union all
        select q.*, flyball_window(q."window", q.ns), s.settled from watched q, flyball_standing(q.id, q."window", q.ns) s
        where q."window" like 'rolling:%%'
    ),
    passed as (
        insert into alerts (quota, window_ns, threshold, amount, organisation, project, settled, fired_ns)
        select u.id, u.window_ns, t.threshold, u.amount, u.organisation, u.project, u.settled, u.ns
        from used u, unnest(u.alerts) as t (threshold)
        where u.settled > 0 and u.settled::numeric * 100 >= u.amount::numeric * t.threshold and not exists (
            select 1 from alerts a where a.quota = u.id and a.threshold = t.threshold and a.amount = u.amount
                and (a.window_ns = u.window_ns or u."window" like 'rolling:%%' and a.fired_ns > u.ns - flyball_length_ns(u."window"))
        )
        order by 1, 2, 3, 4 on conflict do nothing
        returning quota, window_ns, threshold, amount, settled, fired_ns
    )
"""
_PASSED = f"""
    {_NEWLY} select p.*, q.organisation, q.project, q.unit, q."window", q.stop, q.scope_kind, {NAME} as name
    from passed p join quotas q on q.id = p.quota order by p.fired_ns, p.quota, p.window_ns, p.threshold
"""
_OF_QUOTA = """
    select window_ns, threshold, amount, settled, fired_ns from alerts where quota = %s
    order by fired_ns desc, threshold desc limit %s
"""


class Passed(NamedTuple):
    """A threshold that was passed, and of what. `name` is what people call the key or member."""

    quota: str
    window_ns: int
    threshold: int
    amount: int
    settled: int
    fired_ns: int
    organisation: str
    project: str | None
    unit: Unit
    window: str
    stop: str
    scope_kind: str
    name: str


class Fired(NamedTuple):
    """A threshold of one quota that was passed."""

    window_ns: int
    threshold: int
    amount: int
    settled: int
    fired_ns: int


async def write_passed(connection: Connection, *, back_ns: int, now_ns: int | None = None) -> list[Passed]:
    """Write every threshold that is passed and was not written before, in windows of the last `back_ns`; those. Sees every project."""
    return [Passed(**row) for row in await fetch_all(connection, _PASSED, now_ns, back_ns)]


async def fired(connection: Connection, quota_id: str, most: int) -> list[Fired]:
    """The newest thresholds of a quota that were passed."""
    return [Fired(**row) for row in await fetch_all(connection, _OF_QUOTA, quota_id, most)]


async def forget_old(connection: Connection, now_ns: int) -> int:
    """Give up what was passed long ago in windows that ended; how many."""
    return await execute(
        connection,
        """delete from alerts a using quotas q where q.id = a.quota and a.fired_ns < %s and (q."window" <> 'total' or q.removed_ns is not null)""",
        now_ns - KEPT_NS,
    )


def about(quota_id: str, passed: Passed | Fired) -> str:
    """What a notification of it is about: the key of its row."""
    return f"{quota_id}/{passed.window_ns}/{passed.threshold}/{passed.amount}"
