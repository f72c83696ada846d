"""Keys that are known and were refused: noted in memory while a key is checked, written every few seconds, told to the record apart.

The caller learns nothing of it: to them every key that does not work is an unknown one. Of a key, a reason and an hour one
refusal is kept, for a day. Checking a key waits for nothing; what a killed process had not written is lost.
"""

from typing import Literal, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from flyball.infra.db.database import Connection, Database, execute, fetch_all

from .key_records import ActiveKey
from .key_store import ended_keys

Reason: TypeAlias = Literal["expired", "revoked", "elsewhere"]
_MOST = 1_000  # kept in memory between two writings: strangers fill it with what looks like keys
_WRITE = """
    insert into key_refusals (project, key, reason, hour, at_ns, address)
    select k.project, k.id, n.reason, n.at_ns / 3600000000000, n.at_ns, n.address
    from unnest(%s::text[], %s::text[], %s::bigint[], %s::text[]) as n (key, reason, at_ns, address)
    join keys k on k.id = n.key
    order by k.project, k.id, n.reason
    on conflict do nothing
"""
_WAITING = """
    select r.project, r.key, k.name, r.reason, r.hour, r.at_ns, r.address
    from key_refusals r join keys k on k.id = r.key where not r.recorded order by r.at_ns limit %s
"""
_TAKE = """
    update key_refusals set recorded = true
    where project = %s and key = %s and reason = %s and hour = %s and not recorded
"""


class _Note(NamedTuple):
    at_ns: int
    address: str


class Refused(NamedTuple):
    """A refusal of a key that waits to be told to the record."""

    project: str
    key: str
    name: str
    reason: Reason
    hour: int
    at_ns: int
    address: str


class KeyRefusals:
    """The refusals that one process has to write."""

    about = "refusals of keys"

    def __init__(self) -> None:
        self._known: dict[tuple[str, Reason], _Note] = {}
        self._unknown: dict[bytes, _Note] = {}

    def note(self, key: ActiveKey, reason: Reason, at_ns: int, address: str) -> None:
        """A key that is known was refused."""
        if len(self._known) < _MOST:
            self._known.setdefault((key.id, reason), _Note(at_ns, address))

    def note_hash(self, hash_: bytes, at_ns: int, address: str) -> None:
        """Something that looks like a key and is none that can be used: perhaps it was one."""
        if len(self._unknown) < _MOST:
            self._unknown.setdefault(hash_, _Note(at_ns, address))

    async def write(self, database: Database, now_ns: int) -> int:  # noqa: ARG002 -- as all notes are written
        """Write what was noted; how many. Whatever fails leaves it noted."""
        known, self._known = self._known, {}
        unknown, self._unknown = self._unknown, {}
        if not known and not unknown:
            return 0
        try:
            async with database.across_projects().connection() as connection:
                ended = await ended_keys(connection, list(unknown)) if unknown else {}
                found = known | {(key, "revoked"): unknown[hash_] for hash_, key in ended.items()}
                await _write(connection, found)
        except BaseException:  # -- cancelled or failed, nothing that was noted is lost
            self._known, self._unknown = known | self._known, unknown | self._unknown
            raise
        return len(found)


async def _write(connection: Connection, found: dict[tuple[str, Reason], _Note]) -> None:
    if found:
        await execute(
            connection,
            _WRITE,
            [key for key, _ in found],
            [reason for _, reason in found],
            [note.at_ns for note in found.values()],
            [note.address for note in found.values()],
        )


async def waiting(connection: Connection, most: int) -> list[Refused]:
    """What no record has been told of yet, oldest first."""
    return [Refused(**row) for row in await fetch_all(connection, _WAITING, most)]


async def take(connection: Connection, refused: Refused) -> bool:
    """Mark one as told; False where somebody else was first."""
    return await execute(connection, _TAKE, refused.project, refused.key, refused.reason, refused.hour) == 1


async def forget(connection: Connection, before_ns: int) -> int:
    """Forget what was told, and happened before then; how much."""
    return await execute(connection, "delete from key_refusals where recorded and at_ns < %s", before_ns)


_OF_DATABASES: WeakKeyDictionary[Database, KeyRefusals] = WeakKeyDictionary()


def refusals_of(database: Database) -> KeyRefusals:
    """The refusals that are noted for one database; the same for every context that shares its pool."""
    return _OF_DATABASES.setdefault(database.across_projects(), KeyRefusals())
