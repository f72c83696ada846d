"""Quotas and projects, written as their verbs do."""

from flyball.infra.db.database import execute
from flyball.ledger import quota_store


async def make_projects(database, organisation_of):
    """Projects with these ids, in organisations that are made as well."""
    async with database.transaction() as connection:
        for name in sorted({*organisation_of.values()} - {"default"}):
            await execute(
                connection,
                "insert into organisations (id, name, name_key, created_ns) values (%s, %s, %s, 1)",
                *[name] * 3,
            )
        for name, organisation in organisation_of.items():
            await execute(
                connection,
                "insert into projects (id, name, name_key, organisation, created_ns) values (%s, %s, %s, %s, 1)",
                *[name] * 3,
                organisation,
            )


async def declare(database, quota):
    """Make a quota, or change its amount."""
    async with database.transaction() as connection:
        await quota_store.hold_settling(connection)
        assert await quota_store.insert(connection, quota) or await quota_store.update(connection, quota)


async def remove(database, quota_id, now_ns):
    """A quota is no more."""
    async with database.transaction() as connection:
        assert await quota_store.remove(connection, quota_id, now_ns)
