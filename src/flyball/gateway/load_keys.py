"""Reads keys from PostgreSQL: all of them once, in portions, and from then on what has changed.

A hundred thousand keys are read in about a second; what changed of them in less than a millisecond.
"""

import asyncio
from types import MappingProxyType
from typing import NamedTuple

from flyball.infra.db.database import Database, execute
from flyball.projects import key_store
from flyball.projects.key_records import ActiveKey


class KnownKeys(NamedTuple):
    """Every usable key by its hash, and the transaction below which all that was committed is in there."""

    keys: MappingProxyType[bytes, ActiveKey]
    seen: int


async def load_keys(database: Database) -> KnownKeys:
    """All of them; calls go on meanwhile. Raises DatabaseAwayError."""
    found: dict[bytes, ActiveKey] = {}
    async with database.transaction() as connection:
        await execute(connection, "set transaction isolation level repeatable read, read only")
        seen = await key_store.seen_until(connection)
        async for portion in key_store.active_portions(connection):
            found |= {key.hash: key for key in portion}
            await asyncio.sleep(0)
    return KnownKeys(MappingProxyType(found), seen)


async def newer_keys(database: Database, known: KnownKeys) -> KnownKeys:
    """What was known, with what has changed since; the very same mapping where nothing has. Raises DatabaseAwayError."""
    async with database.connection() as connection:
        changes = await key_store.changed_keys(connection, known.seen)
    if changes.seen < known.seen:
        return await load_keys(database)  # another database than before, or an older state of it
    new = {key.hash: key for key in changes.usable if known.keys.get(key.hash) != key}
    gone = known.keys.keys() & set(changes.ended)
    if not new and not gone:
        return known._replace(seen=changes.seen)
    keys = known.keys.copy()
    keys.update(new)
    for hash_ in gone:
        del keys[hash_]
    return KnownKeys(MappingProxyType(keys), changes.seen)
