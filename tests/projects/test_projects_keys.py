"""Keys: shown once, kept as a hash, never more than the grantor has, useless once revoked."""

import asyncio
from dataclasses import replace

import msgspec
import psycopg
import pytest

from flyball.audit import service as audit
from flyball.audit.records import Wanted
from flyball.audit.verifying import verify
from flyball.infra.context import Actor
from flyball.infra.db.database import execute, fetch_all, fetch_one
from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import Secret, token_hash
from flyball.projects import KeyNotFoundError, NameTakenError, keys
from flyball.projects.errors import UnknownRoleError
from flyball.projects.roles import PERMISSIONS, ROLES, granted


async def test_a_key_proves_who_presents_it(ctx):
    key, secret = await keys.create_key(ctx, "billing")

    actor, project = await keys.authenticate_key(ctx, secret)

    assert actor == Actor(id=key.id, kind="key", name="billing", permissions=ROLES["application"])
    assert project == "default"
    assert secret.reveal().startswith(key.prefix)


async def test_a_key_is_kept_as_a_hash_alone(ctx):
    key, secret = await keys.create_key(ctx, "billing")

    async with ctx.db.connection() as connection:
        kept = await fetch_one(connection, "select * from keys where id = %s", key.id)
        events = await fetch_all(connection, "select to_jsonb(e) as event from audit_events e")
    assert secret.reveal() not in str(kept) + str(events) + repr(key) + repr(secret)
    assert bytes(kept["hash"]) == token_hash(secret.reveal())
    assert b"hash" not in msgspec.json.encode(key)


@pytest.mark.parametrize("presented", ["", "flyball_", "flyball_wrong", "' or '1'='1"])
async def test_what_is_no_key_proves_nothing(ctx, presented):
    await keys.create_key(ctx, "billing")

    assert await keys.authenticate_key(ctx, Secret(presented)) is None


async def test_the_beginning_of_a_key_proves_nothing(ctx):
    key, secret = await keys.create_key(ctx, "billing")

    assert await keys.authenticate_key(ctx, Secret(key.prefix)) is None
    assert await keys.authenticate_key(ctx, Secret(secret.reveal()[:-1])) is None
    assert await keys.authenticate_key(ctx, Secret(token_hash(secret.reveal()).hex())) is None


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_revoked_key_is_refused(ctx, by):
    key, secret = await keys.create_key(ctx, "billing")

    revoked = await keys.revoke_key(ctx, getattr(key, by))

    assert revoked.revoked_ns
    assert await keys.authenticate_key(ctx, secret) is None
    async with ctx.db.connection() as connection:
        assert await keys.active_keys(connection) == ()


async def test_a_key_is_revoked_once(ctx):
    await keys.create_key(ctx, "billing")
    await keys.revoke_key(ctx, "billing")

    with pytest.raises(KeyNotFoundError, match="billing"):
        await keys.revoke_key(ctx, "billing")


async def test_a_key_of_another_project_cannot_be_revoked_or_seen(ctx):
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
    key, _ = await keys.create_key(replace(ctx, project="p"), "theirs")

    with pytest.raises(KeyNotFoundError):
        await keys.revoke_key(ctx, key.id)
    assert (await keys.list_keys(ctx)).items == ()


async def test_a_name_is_free_again_after_revoking(ctx):
    await keys.create_key(ctx, "billing")
    with pytest.raises(NameTakenError, match="billing"):
        await keys.create_key(ctx, "billing")

    await keys.revoke_key(ctx, "billing")

    assert (await keys.create_key(ctx, "billing")).key.name == "billing"


async def test_of_two_keys_made_at_once_under_one_name_one_is_refused(ctx):
    made = await asyncio.gather(*(keys.create_key(ctx, "billing") for _ in range(4)), return_exceptions=True)

    assert sum(isinstance(each, NameTakenError) for each in made) == 3


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\x00", "x" * 101])
async def test_a_name_that_nobody_could_read_is_refused(ctx, name):
    with pytest.raises(InvalidInputError):
        await keys.create_key(ctx, name)


async def test_an_unknown_role_is_refused_with_those_there_are(ctx):
    with pytest.raises(UnknownRoleError, match="viewer"):
        await keys.create_key(ctx, "billing", "king")


async def test_a_key_has_no_more_permissions_than_who_made_it(ctx):
    grantor = Actor(id="m", kind="member", name="m", permissions=frozenset({"keys.write", "gateway.call", "traces.*"}))

    as_application = await keys.create_key(ctx.acting_as(grantor), "a", "application")
    as_administrator = await keys.create_key(ctx.acting_as(grantor), "b", "owner")

    assert as_application.key.permissions == ("gateway.call", "traces.write")
    assert set(as_administrator.key.permissions) == grantor.permissions


def test_roles_are_made_of_known_permissions():
    for role, permissions in ROLES.items():
        assert permissions <= PERMISSIONS | {"*"}, role
        assert granted(role, frozenset({"*"})) == permissions
        assert granted(role, frozenset()) == frozenset()


async def test_keys_are_listed_newest_first_in_pages(ctx):
    for number in range(5):
        await keys.create_key(ctx, f"k{number}")

    first = await keys.list_keys(ctx, limit=3)
    second = await keys.list_keys(ctx, first.next, 3)

    assert [key.name for key in first.items + second.items] == ["k4", "k3", "k2", "k1", "k0"]
    assert second.next is None


async def test_making_and_revoking_are_audited_and_told_to_the_gateway(ctx, database_url):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute("listen flyball_snapshot")
        key, _ = await keys.create_key(ctx, "billing")
        await keys.revoke_key(ctx, "billing")

        told = [notice.channel async for notice in listener.notifies(timeout=1, stop_after=2)]

    events = (await audit.list_events(ctx, wanted=Wanted(object_kind="key", object_id=key.id))).items
    assert told == ["flyball_snapshot"] * 2
    assert [event.action for event in events] == ["keys.revoke", "keys.create"]
    assert events[0].before
    assert (await verify(ctx)).ok


async def test_a_change_whose_event_cannot_be_written_does_not_happen(ctx):
    async with ctx.db.owner_connection() as connection, connection.transaction():
        await execute(connection, "alter table audit_heads rename to audit_heads_away")

    with pytest.raises(psycopg.errors.UndefinedTable):
        await keys.create_key(ctx, "billing")

    assert (await keys.list_keys(ctx)).items == ()
