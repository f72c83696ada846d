"""The bank that PostgreSQL keeps for every worker of every machine: each verb but `settle` is one statement, for many takes as well.

What each verb means is said in `bank`; how it stays exact while everybody takes at once, in the migration `create_ledger`.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence

from flyball.infra.db.database import Database, Row, fetch_all

from .bank import LEASE_NS, SURPLUS, WANTED_NS
from .records import Entry, Lease, Standing, Take
from .settling import settle

_TAKE = "select * from flyball_take(%b, %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint, %b, %b, %b)"


class PostgresBank:
    """A `Bank` over a pool of connections.

    Args:
        database: a pool; what it is bound to does not matter, quotas of all projects are kept.
        timeout_seconds: how long PostgreSQL may work on a verb; then it is as if it were away (DatabaseAwayError). Who cannot
            wait for a PostgreSQL that does not answer at all puts a verb into a task and turns away from it.
        lease_ns: how long leases live.
    """

    def __init__(
        self,
        database: Database,
        *,
        timeout_seconds: float = 5.0,
        lease_ns: int = LEASE_NS,
    ) -> None:
        self._database = database.across_projects().answering_within(timeout_seconds)
        self._lease_ns = lease_ns

    async def take(self, worker: str, takes: Sequence[Take], now_ns: int | None = None) -> dict[str, Lease | Standing]:
        """See `Bank.take`."""
        rows = await self._ask(
            _TAKE,
            worker,
            [f"lease_{secrets.token_hex(12)}" for _ in takes],
            [take.quota for take in takes],
            [take.least for take in takes],
            [take.need for take in takes],
            [take.most for take in takes],
            now_ns,
            self._lease_ns,
            WANTED_NS,
            SURPLUS,
        )
        return {row["quota"]: _lease(row, worker) if row["lease"] else _standing(row) for row in rows}

    async def renew(self, worker: str, leases: Collection[str], now_ns: int | None = None) -> dict[str, Lease]:
        """See `Bank.renew`."""
        rows = await self._ask(
            "select * from flyball_renew(%b, %b::text[], %b::bigint, %b)", worker, list(leases), now_ns, self._lease_ns
        )
        return {row["lease"]: _lease(row, worker) for row in rows}

    async def give_back(self, worker: str, back: Mapping[str, int], now_ns: int | None = None) -> None:
        """See `Bank.give_back`."""
        await self._ask(
            "select flyball_give_back(%b, %b::text[], %b::bigint[], %b::bigint)",
            worker,
            list(back),
            list(back.values()),
            now_ns,
        )

    async def settle(self, entries: Sequence[Entry], now_ns: int | None = None) -> None:
        """See `Bank.settle`."""
        async with self._database.connection() as connection, connection.pipeline(), connection.transaction():
            await settle(connection, entries, now_ns)

    async def reap(self, now_ns: int | None = None) -> int:
        """See `Bank.reap`."""
        (row,) = await self._ask("select flyball_reap(%b::bigint, %b) as reaped", now_ns, self._lease_ns)
        return int(row["reaped"])

    async def standings(self, quotas: Sequence[str], now_ns: int | None = None) -> dict[str, Standing]:
        """See `Bank.standings`."""
        rows = await self._ask(
            "select *, 0 as recalling from flyball_standings(%b::text[], %b::bigint)", list(quotas), now_ns
        )
        return {row["quota"]: _standing(row) for row in rows}

    async def _ask(self, query: str, *parameters: object) -> list[Row]:
        """Ask one statement: one round trip, and one more where the connection was bound otherwise before."""
        async with self._database.connection() as connection:
            return await fetch_all(connection, query, *parameters)


def _lease(row: Row, worker: str) -> Lease:
    return Lease(
        id=row["lease"],
        quota=row["quota"],
        window_ns=row["window_ns"],
        worker=worker,
        amount=row["amount"],
        granted_ns=row["granted_ns"],
        expires_ns=row["expires_ns"],
        wanted=row["wanted"],
    )


def _standing(row: Row) -> Standing:
    return Standing(
        quota=row["quota"],
        limit=row["limit"],
        settled=row["settled"],
        leased=row["leased"],
        window_ns=row["window_ns"],
        frees_ns=row["frees_ns"],
        recalling=row["recalling"],
    )
