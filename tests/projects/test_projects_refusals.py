"""Refusals in the record: of keys that are known, however they are refused; of callers who lack a permission; each once an hour."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from flyball.audit import reading, verifying
from flyball.audit import service as audit
from flyball.identity.sessions import actor_of
from flyball.infra.db.database import fetch_all
from flyball.kit.clock import NANOSECONDS, FixedClock
from flyball.kit.secrets import Secret, token_hash
from flyball.projects import key_refusals, keys, members, tenants
from flyball.projects.key_records import KeyLimits
from flyball.projects.key_refusals import KeyRefusals, refusals_of
from flyball.projects.keys import KeyGrant
from flyball.projects.refusing import record_missing_permission, record_refused_keys


class Away:
    """A database that is not there."""

    def across_projects(self):
        return self

    def connection(self):
        raise psycopg.OperationalError("away")


@pytest.fixture
def clocked(ctx):
    return replace(ctx, clock=FixedClock())


async def told(ctx) -> list[tuple[str, str, str]]:
    """The refusals in the record, once whatever was noted is there: object, how, sentence."""
    await refusals_of(ctx.db).write(ctx.db, ctx.clock.now_ns())
    await record_refused_keys(ctx)
    return [
        (event.object_name or event.object_id, event.auth_method, reading.tell(event).sentence)
        for event in (await audit.list_events(ctx)).items
        if event.action in ("keys.refuse", "permissions.refuse")
    ]


async def test_a_known_key_that_is_refused_is_in_the_record_with_the_reason(clocked):
    _, expired = await keys.create_key(clocked, "late", grant=KeyGrant(expires="2h"))
    _, revoked = await keys.create_key(clocked, "gone")
    _, bound = await keys.create_key(clocked, "bound", grant=KeyGrant(limits=KeyLimits(addresses=("203.0.113.0/24",))))
    await keys.revoke_key(clocked, "gone")
    clocked.clock.advance(7_200)

    for secret in (expired, revoked, bound, Secret("flyball_never"), Secret("nothing of ours")):
        assert await keys.authenticate_key(clocked, secret, "198.51.100.9") is None

    assert sorted(await told(clocked)) == [
        ("bound", "key from elsewhere", "anonymous was refused with the key bound"),
        ("gone", "revoked key", "anonymous was refused with the key gone"),
        ("late", "expired key", "anonymous was refused with the key late"),
    ]
    assert (await verifying.verify(clocked)).ok


async def test_it_is_there_once_for_a_key_a_reason_and_an_hour(clocked):
    _, secret = await keys.create_key(clocked, "gone")
    await keys.revoke_key(clocked, "gone")
    for _ in range(5):
        await keys.authenticate_key(clocked, secret)
        assert len(await told(clocked)) == 1

    clocked.clock.advance(3_600)
    await keys.authenticate_key(clocked, secret)
    assert len(await told(clocked)) == 2

    clocked.clock.advance(2 * 86_400)
    await told(clocked)
    async with clocked.db.across_projects().connection() as connection:
        assert await fetch_all(connection, "select * from key_refusals") == []


async def test_two_workers_and_two_that_record_make_one_event(clocked):
    key, _ = await keys.create_key(clocked, "app", grant=KeyGrant(expires="1h"))
    clocked.clock.advance(3_600)
    active = (await _active(clocked))[0]
    for worker in (KeyRefusals(), KeyRefusals()):
        worker.note(active, "expired", clocked.clock.now_ns(), "198.51.100.9")
        await worker.write(clocked.db, clocked.clock.now_ns())

    made = await asyncio.gather(record_refused_keys(clocked), record_refused_keys(clocked))

    assert sum(made) == 1
    assert key.id in {event.object_id for event in (await audit.list_events(clocked, limit=1)).items}


async def _active(ctx):
    async with ctx.db.connection() as connection:
        return await keys.active_keys(connection)


async def test_a_key_that_only_this_worker_does_not_know_yet_was_not_refused(ctx):
    _, secret = await keys.create_key(ctx, "new")
    refusals = KeyRefusals()
    refusals.note_hash(token_hash(secret.reveal()), 1, "")

    assert await refusals.write(ctx.db, 1) == 0


async def test_a_key_of_another_project_is_in_that_projects_record(clocked):
    second = await tenants.create_project(clocked, "second")
    there = clocked.within(second.id, clocked.actor)
    _, secret = await keys.create_key(there, "gone")
    await keys.revoke_key(there, "gone")

    await keys.authenticate_key(clocked, secret)

    assert await told(clocked) == []
    assert [name for name, *_ in await told(there)] == ["gone"]


async def test_while_postgresql_is_away_refusals_are_kept(clocked):
    _, secret = await keys.create_key(clocked, "gone")
    await keys.revoke_key(clocked, "gone")
    refusals = KeyRefusals()
    refusals.note_hash(token_hash(secret.reveal()), clocked.clock.now_ns(), "x")
    with pytest.raises(psycopg.OperationalError):
        await refusals.write(Away(), 1)

    assert await refusals.write(clocked.db, 1) == 1
    async with clocked.db.connection() as connection:
        [waits] = await key_refusals.waiting(connection, 10)
    assert (waits.name, waits.reason, waits.address, waits.hour) == (
        "gone",
        "revoked",
        "x",
        waits.at_ns // (3_600 * NANOSECONDS),
    )


async def test_who_lacks_a_permission_is_in_the_record_once_an_hour(clocked):
    member = await members.add_member(clocked, "vera", "viewer")
    acting = clocked.acting_as(actor_of(member))

    await asyncio.gather(*(record_missing_permission(acting, "keys.write") for _ in range(5)))
    await record_missing_permission(acting, "members.write")
    assert [each[2] for each in await told(clocked)] == [
        "vera was refused for lack of the permission members.write",
        "vera was refused for lack of the permission keys.write",
    ]

    clocked.clock.advance(3_601)
    await record_missing_permission(acting, "keys.write")
    assert len(await told(clocked)) == 3


async def test_a_route_that_refuses_somebody_tells_the_record_and_a_stranger_is_nobody(ctx, public):
    _, secret = await keys.create_key(ctx, "exporter", "viewer")
    by_key = {"authorization": f"Bearer {secret.reveal()}"}
    new = {"name": "x", "role": "viewer"}

    assert (await public.post("/api/members", new, headers=by_key)).status == 403
    assert (await public.post("/api/members", new, headers=by_key)).status == 403
    assert (await public.get("/keys/new", headers=by_key | {"accept": "text/html"})).status == 403
    assert (await public.post("/api/members", new)).status in (401, 403)

    assert await told(ctx) == [
        ("keys.write", "key", "exporter was refused for lack of the permission keys.write"),
        ("members.write", "key", "exporter was refused for lack of the permission members.write"),
    ]
