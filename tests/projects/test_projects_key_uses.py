"""The last use of a key: noted in memory, written apart, the newest wins, and nothing waits for it."""

import psycopg
import pytest

from flyball.kit.clock import NANOSECONDS, SystemClock
from flyball.projects import keys
from flyball.projects.key_records import ActiveKey
from flyball.projects.key_uses import KeyUses, uses_of
from flyball.projects.noting import written

MINUTE = 60 * NANOSECONDS


class Away:
    """A database that is not there."""

    def across_projects(self):
        return self

    def connection(self):
        raise psycopg.OperationalError("away")


def active(key):
    return ActiveKey(hash=b"", id=key.id, project=key.project, name=key.name, permissions=frozenset())


async def last_use(ctx, key):
    shown, _ = await keys.get_key(ctx, key.id)
    return shown.used_ns, shown.used_from


@pytest.fixture
async def key(ctx):
    return (await keys.create_key(ctx, "app")).key


async def test_presenting_a_key_is_shown_as_its_last_use(ctx):
    key, secret = await keys.create_key(ctx, "app")
    assert await last_use(ctx, key) == (None, "")

    await keys.authenticate_key(ctx, secret, "203.0.113.7")
    assert await last_use(ctx, key) == (None, "")  # nothing is written on the way
    await uses_of(ctx.db).write(ctx.db, ctx.clock.now_ns())

    at_ns, address = await last_use(ctx, key)
    assert at_ns > key.created_ns
    assert address == "203.0.113.7"
    assert [one.used_from for one in (await keys.list_keys(ctx)).items] == ["203.0.113.7"]


async def test_the_newest_use_wins_whichever_worker_writes_last(ctx, key):
    now_ns = ctx.clock.now_ns()
    early, late = KeyUses(), KeyUses()
    early.note(active(key), now_ns - MINUTE, "early")
    late.note(active(key), now_ns, "late")

    await late.write(ctx.db, now_ns)
    await early.write(ctx.db, now_ns)

    assert await last_use(ctx, key) == (now_ns, "late")


async def test_a_use_from_the_future_that_a_wrong_clock_has_left_does_not_stay(ctx, key):
    now_ns = ctx.clock.now_ns()
    uses = KeyUses()
    uses.note(active(key), now_ns + 9 * 86_400 * NANOSECONDS, "wrong")
    await uses.write(ctx.db, now_ns + 9 * 86_400 * NANOSECONDS)

    uses.note(active(key), now_ns, "right")
    await uses.write(ctx.db, now_ns)

    assert await last_use(ctx, key) == (now_ns, "right")


async def test_using_a_key_changes_nothing_that_the_gateway_would_have_to_read_again(ctx, key, database_url):
    uses = KeyUses()
    uses.note(active(key), ctx.clock.now_ns(), "x")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("select set_config('flyball.project', '*', false)")

        async def changed():
            return await (await connection.execute("select changed from keys")).fetchone()

        before = await changed()
        await uses.write(ctx.db, ctx.clock.now_ns())
        assert await changed() == before


async def test_while_postgresql_is_away_the_newest_use_is_kept_and_written_later(ctx, key):
    now_ns = ctx.clock.now_ns()
    uses = KeyUses()
    uses.note(active(key), now_ns - MINUTE, "before")
    with pytest.raises(psycopg.OperationalError):
        await uses.write(Away(), now_ns)
    uses.note(active(key), now_ns, "meanwhile")
    with pytest.raises(psycopg.OperationalError):
        await uses.write(Away(), now_ns)

    assert await uses.write(ctx.db, now_ns) == 1

    assert await last_use(ctx, key) == (now_ns, "meanwhile")


async def test_what_was_noted_is_written_when_the_process_ends(ctx, key):
    uses = KeyUses()
    async with written(uses, ctx.db, SystemClock()):
        uses.note(active(key), 7, "last")

    assert await last_use(ctx, key) == (7, "last")


async def test_a_key_that_is_not_there_keeps_no_other_from_being_written(ctx, key):
    uses = KeyUses()
    uses.note(ActiveKey(hash=b"", id="key_gone", project="p", name="", permissions=frozenset()), 1, "x")
    uses.note(active(key), 2, "y")

    await uses.write(ctx.db, 3)

    assert await last_use(ctx, key) == (2, "y")
