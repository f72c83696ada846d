"""SIGKILL in the middle of a migration, again and again: the schema is an old one or the new one, never between."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from test_audit_migration import append_as_before, folder_of

from flyball.audit.verifying import verify
from flyball.infra.db.database import Database, execute, fetch_all
from flyball.infra.db.migrate import list_migrations, migrate, missing
from flyball.kit.secrets import Secret, token_hash
from flyball.projects import keys, members

MIGRATING = Path(__file__).with_name("migrating_process.py")
BEFORE = "0012"  # the first migration that changes what a release has written
OLD = "an_old_flyball"


@pytest.fixture
async def old(postgres, tmp_path):
    """A server's address, where the database OLD is as the release before left it: members, a key, 30 audit events."""
    address = postgres.url
    admin(address, "create database {}", OLD)
    database = Database(address.replace("/postgres?", f"/{OLD}?"), most=2)
    await database.open()
    await migrate(database, folder_of(tmp_path / "m", up_to=BEFORE))
    async with database.owner_connection() as connection:
        for name, role in (("administrator", "administrator"), ("Dev", "developer"), ("vera", "viewer")):
            await execute(
                connection,
                "insert into members (id, project, name, role, created_ns) values (%s, 'default', %s, %s, 1)",
                f"mem_{name}",
                name,
                role,
            )
        await execute(
            connection,
            "insert into keys (id, project, name, prefix, hash, role, permissions, created_by, created_ns) "
            "values ('key_1', 'default', 'ci', 'flyball_old', %s, 'developer', '{gateway.call}', 'mem_Dev', 1)",
            token_hash("flyball_old-key"),
        )
    await append_as_before(database, 30)
    await database.close()
    yield address
    admin(address, "drop database {} with (force)", OLD)


def admin(address: str, statement: str, *names: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.mark.timeout(300)
async def test_a_database_is_old_or_new_after_each_of_12_kills(old, ctx):
    await kill_again_and_again(old, ctx, kills=12)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_database_is_old_or_new_after_each_of_300_kills(old, ctx):
    await kill_again_and_again(old, ctx, kills=300)


async def kill_again_and_again(address: str, ctx, *, kills: int) -> None:
    chance = random.Random(20261121)
    reached = []
    with subprocess.Popen(  # noqa: ASYNC220 -- it is the test that waits for it
        [sys.executable, str(MIGRATING)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as busy:
        for number in range(kills):
            name = f"killed_{number}"
            admin(address, "create database {} template {}", name, OLD)
            url = address.replace("/postgres?", f"/{name}?")
            busy.stdin.write(f"{url}\n")
            busy.stdin.flush()
            pid = int(busy.stdout.readline())
            await asyncio.sleep(chance.uniform(0.02, 0.25))
            with suppress(ProcessLookupError):  # it may have been quicker
                os.kill(pid, signal.SIGKILL)
            busy.stdout.readline()
            reached.append(await check(url, ctx))
            admin(address, "drop database {} with (force)", name)
        busy.stdin.close()
    assert len(set(reached)) > 1, "every kill came before the first migration, or behind the last"


async def check(url: str, ctx) -> int:
    """How many migrations were still to be applied. What is there fits them, and the rest applies."""
    database = Database(url, most=3)
    await database.open()
    try:
        left = await missing(database)
        names = [each.name for each in list_migrations()]
        assert left == names[len(names) - len(left) :]
        await migrate(database)
        mine = replace(ctx, db=database)
        found = await verify(mine)
        assert found.ok, found.finding
        assert found.events == 30
        people = {member.name: member.role for member in await members.list_members(mine)}
        assert people == {"administrator": "owner", "Dev": "maintainer", "vera": "viewer"}
        actor, project = (await keys.authenticate_key(mine, Secret("flyball_old-key")))[:2]
        assert (actor.permissions, project) == (frozenset({"gateway.call"}), "default")
        async with database.connection() as connection:
            assert await fetch_all(connection, "select role from keys") == [{"role": "maintainer"}]
        return len(left)
    finally:
        await database.close()
