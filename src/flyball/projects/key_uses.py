"""When each key was used last, and from where. Noted in memory while a key is checked; written every few seconds, apart.

Checking a key waits for nothing: no lock, no disk, no SQL. While PostgreSQL is away the newest use of each key is kept;
what a killed process had not written is lost, which costs a few seconds of precision.
"""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from flyball.infra.db.database import Connection, Database, execute

from .key_records import ActiveKey

_PORTION = 2_000
# The newest use wins, whoever writes last; one from the future, which a clock that ran ahead has left, does not stay.
_WRITE = """
    insert into key_uses (key, project, used_ns, address)
    select n.key, k.project, n.used_ns, n.address
    from unnest(%s::text[], %s::bigint[], %s::text[]) as n (key, used_ns, address) join keys k on k.id = n.key
    order by n.key
    on conflict (key) do update set used_ns = excluded.used_ns, address = excluded.address
    where excluded.used_ns > key_uses.used_ns or key_uses.used_ns > %s
"""


class Use(NamedTuple):
    """One use of a key."""

    at_ns: int
    address: str


class KeyUses:
    """The uses that one process has to write."""

    about = "when keys were used last"

    def __init__(self) -> None:
        self._uses: dict[str, Use] = {}

    def note(self, key: ActiveKey, at_ns: int, address: str) -> None:
        """A key was used."""
        self._uses[key.id] = Use(at_ns, address)

    async def write(self, database: Database, now_ns: int) -> int:
        """Write what was noted; how many keys. Whatever fails leaves it noted."""
        uses, self._uses = self._uses, {}
        try:
            async with database.across_projects().connection() as connection:
                await _write(connection, sorted(uses.items()), now_ns)
        except BaseException:  # -- cancelled or failed, nothing that was noted is lost
            self._uses = uses | self._uses  # what came meanwhile is newer
            raise
        return len(uses)


async def _write(connection: Connection, uses: list[tuple[str, Use]], now_ns: int) -> None:
    for start in range(0, len(uses), _PORTION):
        portion = uses[start : start + _PORTION]
        times = [use.at_ns for _, use in portion]
        addresses = [use.address for _, use in portion]
        await execute(connection, _WRITE, [key for key, _ in portion], times, addresses, now_ns)


_OF_DATABASES: WeakKeyDictionary[Database, KeyUses] = WeakKeyDictionary()


def uses_of(database: Database) -> KeyUses:
    """The uses that are noted for one database; the same for every context that shares its pool."""
    return _OF_DATABASES.setdefault(database.across_projects(), KeyUses())
