"""A key that ends is refused by every worker within a second, also where the notice of it is lost: two workers as they run.

How long it took is printed (`pytest -s`); the bound in the test is wide, because the machine of a test may be busy.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time

import psycopg
import pytest
from pyreqwest.client import ClientBuilder

from flyball.audit import service as audit
from flyball.kit.clock import NANOSECONDS
from flyball.projects import keys, members
from flyball.projects.keys import KeyGrant
from flyball.projects.refusing import record_refused_keys

WIDE_SECONDS = 10


class Worker:
    """A gateway process on a port of its own."""

    def __init__(self, process, port, client):
        self.process = process
        self._address = f"http://127.0.0.1:{port}/v1/models"
        self._client = client

    async def status(self, secret):
        """How it answers whoever presents this."""
        asked = self._client.get(self._address).header("authorization", f"Bearer {secret.reveal()}").build()
        return (await asked.send()).status

    async def until(self, secret, status):
        """Seconds until it answers so."""
        began = time.monotonic()
        while await self.status(secret) != status:
            assert time.monotonic() - began < WIDE_SECONDS, f"still not {status}"
            await asyncio.sleep(0.005)
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def worker(settings, client):
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    ready_read, ready_write = os.pipe()
    environment = os.environ | {
        "FLYBALL_DATA": settings.data,
        "FLYBALL_DATABASE_URL": settings.database_url,
        "FLYBALL_READY_FD": str(ready_write),
    }
    arguments = ("-m", "flyball.web", "gateway", "--fd", str(bound.fileno()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, pass_fds=(bound.fileno(), ready_write)
    )
    os.close(ready_write)
    try:
        with os.fdopen(ready_read, "rb") as pipe:
            assert await asyncio.to_thread(pipe.read) == b"ready\n"
        yield Worker(process, bound.getsockname()[1], client)
    finally:
        bound.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def workers(settings, layout):
    async with (
        ClientBuilder().no_proxy().build() as client,
        worker(settings, client) as first,
        worker(settings, client) as second,
    ):
        yield first, second


async def everywhere(workers, secret, status):
    """Seconds until every worker answers so."""
    return max(await asyncio.gather(*(one.until(secret, status) for one in workers)))


async def test_a_key_that_ends_is_refused_by_every_worker(ctx, workers, database_url):
    took = {}

    made = await keys.create_key(ctx, "revoked")
    took["made"] = await everywhere(workers, made.secret, 200)
    await keys.revoke_key(ctx, "revoked")
    took["revoked"] = await everywhere(workers, made.secret, 401)

    made = await keys.create_key(ctx, "rotated")
    await everywhere(workers, made.secret, 200)
    rotated = await keys.rotate_key(ctx, "rotated", "0")
    took["rotated without an overlap"] = await everywhere(workers, made.secret, 401)
    await everywhere(workers, rotated.secret, 200)

    await members.add_member(ctx, "maria", "maintainer")
    made = await keys.create_key(ctx, "laptop", grant=KeyGrant(personal=True, member="maria"))
    await everywhere(workers, made.secret, 200)
    await members.set_role(ctx, "maria", "viewer")
    took["its member's role cut"] = await everywhere(workers, made.secret, 403)
    await members.remove_member(ctx, "maria")
    took["its member removed"] = await everywhere(workers, made.secret, 401)

    # From here on nobody tells: the changes are made in the database, without a notice.
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as silent:
        await silent.execute("select set_config('flyball.project', '*', false)")
        made = await keys.create_key(ctx, "silent")
        await everywhere(workers, made.secret, 200)
        await silent.execute("update keys set revoked_ns = 1 where name = 'silent'")
        took["revoked, and the notice lost"] = await everywhere(workers, made.secret, 401)

        made = await keys.create_key(ctx, "expiring")
        await everywhere(workers, made.secret, 200)
        at_ns = ctx.clock.now_ns() + 2 * NANOSECONDS
        await silent.execute("update keys set expires_ns = %s where name = 'expiring'", (at_ns,))
        took["two seconds before its expiry"] = await everywhere(workers, made.secret, 401)
        assert ctx.clock.now_ns() >= at_ns

    for what, seconds in took.items():
        sys.stdout.write(f"{what}: refused (or served) by both workers after {seconds:.3f} s\n")


async def test_a_last_use_is_written_by_a_worker_that_is_told_to_stop(ctx, workers):
    key, secret = await keys.create_key(ctx, "app")
    await everywhere(workers, secret, 200)

    for one in workers:
        one.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(one.process.wait(), 30) == 0

    shown, _ = await keys.get_key(ctx, key.id)
    assert shown.used_ns > key.created_ns
    assert shown.used_from == "127.0.0.1"


async def test_a_worker_keeps_which_known_keys_it_refused(ctx, workers):
    key, secret = await keys.create_key(ctx, "app")
    await everywhere(workers, secret, 200)
    await keys.revoke_key(ctx, "app")
    await everywhere(workers, secret, 401)

    for one in workers:
        one.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(one.process.wait(), 30) == 0
    assert await record_refused_keys(ctx) == 1

    newest = (await audit.list_events(ctx, limit=1)).items[0]
    assert (newest.action, newest.object_id, newest.auth_method) == ("keys.refuse", key.id, "revoked key")
