"""All SQL that shows quotas to people: pages of them with names, their leases, and what is spelled like a name that is not there.

A quota is a project's, or its organisation's: each query names both. No clock, no ids, no authorisation.
"""

from collections.abc import Sequence

from flyball.infra.db.database import Connection, Row, fetch_all, fetch_one

from .declared import Holder, KnownQuota
from .records import Quota, ScopeKind, Unit

_COLUMNS = ", ".join(f'q."{name}"' for name in Quota.__struct_fields__)
_MINE = "q.removed_ns is null and (q.project = %s or q.project is null and q.organisation = %s)"
NAME = """
    case q.scope_kind
        when 'key' then coalesce((
            select k.name from keys k where k.project = q.project and k.line = q.scope
            order by k.revoked_ns is null desc, k.created_ns desc limit 1
        ), '')
        when 'member' then coalesce((select m.name from members m where m.id = q.scope), '')
        else q.scope
    end
"""
_NAMED = f"select {_COLUMNS}, {NAME} as name from quotas q where {_MINE}"
_PAGE = f"""
    {_NAMED} and q.unit = any(%s) and (%s = '' or q.scope_kind = %s and q.scope = %s) and (%s = '' or q."window" = %s)
        and (%s::bigint is null or (q.created_ns, q.id) < (%s::bigint, %s))
    order by q.created_ns desc, q.id desc limit %s
"""
_ONE = f"{_NAMED} and q.id = %s and q.unit = any(%s)"
_SAME = """
    select id from quotas where removed_ns is null and organisation = %s and (project = %s or project is null and %s)
        and unit = %s and scope_kind = %s and scope = %s and "window" = %s for update
"""
_BESIDE = """
    select "window", amount from quotas where removed_ns is null and organisation = %s and (project = %s or project is null and %s)
        and unit = %s and scope_kind = %s and scope = %s and id <> %s order by created_ns limit 20
"""
_LEASES = """
    select id, worker, amount, window_ns, granted_ns, expires_ns, promised from leases
    where quota = %s and expires_ns > flyball_now_ns() order by amount desc, id limit 1000
"""
_CALLED = {
    "function": "select distinct function as name from ledger_day_models where project = %s and function <> '' limit 1000",
    "model": "select distinct model as name from ledger_day_models where project = %s and model <> '' limit 1000",
    "tag": "select distinct unnest(tags) as name from ledger_tag_days where project = %s limit 1000",
    "key": "select distinct name from keys where project = %s and revoked_ns is null limit 1000",
    "member": "select m.name from members m join memberships s on s.member = m.id where s.project = %s limit 1000",
}


async def page(
    connection: Connection,
    *,
    project: str,
    organisation: str,
    units: Sequence[Unit],
    scope: tuple[str, str] = ("", ""),
    window: str = "",
    before: tuple[int, str] | None = None,
    most: int,
) -> list[KnownQuota]:
    """Quotas that count calls of the project, newest first: of these units, of one scope (kind, id), of one window."""
    created_ns, quota_id = before or (None, None)
    rows = await fetch_all(
        connection,
        _PAGE,
        *(project, organisation, list(units), scope[0], *scope, window, window),
        *(created_ns, created_ns, quota_id, most),
    )
    return [_known(row) for row in rows]


async def one(
    connection: Connection, quota_id: str, *, project: str, organisation: str, units: Sequence[Unit], lock: bool = False
) -> KnownQuota | None:
    """The quota with this id, where it counts calls of the project; `lock`: it stays as it is until the transaction ends."""
    query = f"{_ONE} for update of q" if lock else _ONE
    row = await fetch_one(connection, query, project, organisation, quota_id, list(units))
    return _known(row) if row else None


async def same(connection: Connection, quota: Quota) -> str:
    """The id of the quota of the same scope, unit and window, locked; empty where there is none."""
    row = await fetch_one(connection, _SAME, *_place(quota), quota.window)
    return row["id"] if row else ""


async def beside(connection: Connection, quota: Quota) -> list[tuple[str, int]]:
    """Windows and amounts of the other quotas of the same scope and unit."""
    rows = await fetch_all(connection, _BESIDE, *_place(quota), quota.id)
    return [(row["window"], row["amount"]) for row in rows]


def _place(quota: Quota) -> tuple[object, ...]:
    wide = quota.project is None
    return quota.organisation, quota.project, wide, quota.unit, quota.scope_kind, quota.scope


async def count(connection: Connection, organisation: str) -> int:
    """How many quotas an organisation has, those of its projects included."""
    row = await fetch_one(
        connection, "select count(*) as quotas from quotas where organisation = %s and removed_ns is null", organisation
    )
    return int(row["quotas"]) if row else 0


async def count_counting(connection: Connection, project: str, organisation: str, units: Sequence[Unit]) -> int:
    """How many quotas of these units count the project's calls."""
    query = f"select count(*) as quotas from quotas q where {_MINE} and q.unit = any(%s)"
    row = await fetch_one(connection, query, project, organisation, list(units))
    return int(row["quotas"]) if row else 0


async def leases(connection: Connection, quota_id: str) -> list[Holder]:
    """Who holds what of a quota now, the most first."""
    return [Holder(**row) for row in await fetch_all(connection, _LEASES, quota_id)]


async def names(connection: Connection, project: str, kind: ScopeKind) -> list[str]:
    """Names of a kind that are known here: keys and members as they are, the others as the ledger has seen them called."""
    return [row["name"] for row in await fetch_all(connection, _CALLED[kind], project)] if kind in _CALLED else []


def _known(row: Row) -> KnownQuota:
    name = row.pop("name")
    return KnownQuota(quota=Quota(**{**row, "alerts": tuple(row["alerts"])}), name=name)
