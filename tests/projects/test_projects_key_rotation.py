"""Rotation: a new secret of the same rights, while the old one works on for the overlap; both shown, both audited."""

import asyncio
from dataclasses import replace

import pytest

from flyball.infra.context import Actor
from flyball.infra.db.database import fetch_all
from flyball.kit.clock import NANOSECONDS, FixedClock
from flyball.kit.errors import ConflictError, InvalidInputError
from flyball.projects import KeyNotFoundError, keys
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.projects.key_records import KeyLimits
from flyball.projects.keys import KeyGrant

HOUR = 3_600 * NANOSECONDS
LIMITS = KeyLimits(models=("fast",), addresses=("0.0.0.0/0",))


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def ctx(ctx, clock):
    return replace(ctx, clock=clock)


async def works(ctx, secret):
    return await keys.authenticate_key(ctx, secret, "192.0.2.1") is not None


async def test_both_keys_work_during_the_overlap_and_only_the_new_one_after_it(ctx, clock):
    _, old_secret = await keys.create_key(ctx, "app")

    rotated = await keys.rotate_key(ctx, "app", "24h")

    assert await works(ctx, old_secret)
    assert await works(ctx, rotated.secret)
    assert rotated.secret.reveal() != old_secret.reveal()
    clock.advance(24 * 3_600)
    assert not await works(ctx, old_secret)
    assert await works(ctx, rotated.secret)


async def test_the_new_key_has_the_name_the_rights_and_the_limits_of_the_old_one(ctx):
    grant = KeyGrant(scopes=("gateway.call",), expires="90d", limits=LIMITS)
    old, _ = await keys.create_key(ctx, "app", grant=grant)

    new = (await keys.rotate_key(ctx, "app")).key

    same = ("name", "kind", "role", "permissions", "models", "functions", "addresses", "expires_ns")
    assert [getattr(new, field) for field in same] == [getattr(old, field) for field in same]
    assert new.replaces == old.id
    listed = (await keys.list_keys(ctx)).items
    assert [key.id for key in listed if key.replaced_ns] == [old.id]
    assert (await keys.get_key(ctx, old.id))[1] == new.id
    assert (await keys.get_key(ctx, "app"))[0].id == new.id


async def test_without_an_overlap_the_old_key_ends_at_once(ctx):
    _, old_secret = await keys.create_key(ctx, "app")

    await keys.rotate_key(ctx, "app", "0")

    assert not await works(ctx, old_secret)


async def test_an_overlap_never_lengthens_what_was_to_end_sooner(ctx, clock):
    old, _ = await keys.create_key(ctx, "app", grant=KeyGrant(expires="2h"))

    rotated = await keys.rotate_key(ctx, "app", "24h", "90d")

    assert rotated.old.expires_ns == old.expires_ns
    assert rotated.key.expires_ns == clock.now_ns() + 90 * 24 * HOUR


@pytest.mark.parametrize("overlap", ["", "soon", "-1h", "31d", "1y", "24", "99999999h"])
async def test_an_overlap_that_is_none_or_too_long_is_refused(ctx, overlap):
    await keys.create_key(ctx, "app")

    with pytest.raises(InvalidInputError):
        await keys.rotate_key(ctx, "app", overlap)
    assert len((await keys.list_keys(ctx)).items) == 1


async def test_what_has_ended_or_was_rotated_is_not_rotated(ctx, clock):
    gone, _ = await keys.create_key(ctx, "gone")
    await keys.revoke_key(ctx, "gone")
    for name in ("gone", gone.id, "never was"):
        with pytest.raises(KeyNotFoundError):
            await keys.rotate_key(ctx, name)

    old, _ = await keys.create_key(ctx, "app", grant=KeyGrant(expires="1h"))
    await keys.rotate_key(ctx, "app")
    with pytest.raises(ConflictError, match="took the place"):
        await keys.rotate_key(ctx, old.id)

    clock.advance(3_600)
    with pytest.raises(ConflictError, match="has expired"):
        await keys.rotate_key(ctx, "app")


async def test_revoking_by_name_ends_the_old_keys_too_and_by_id_that_one_alone(ctx):
    _, first = await keys.create_key(ctx, "app")
    second = await keys.rotate_key(ctx, "app")
    third = await keys.rotate_key(ctx, "app")

    await keys.revoke_key(ctx, second.key.id)
    assert [await works(ctx, each) for each in (first, second.secret, third.secret)] == [True, False, True]
    revoked = await keys.revoke_key(ctx, "app")

    assert revoked.id == third.key.id
    assert [await works(ctx, each) for each in (first, second.secret, third.secret)] == [False] * 3


async def test_rotations_of_one_key_at_the_same_moment_follow_one_another(ctx):
    await keys.create_key(ctx, "app")

    rotated = await asyncio.gather(*(keys.rotate_key(ctx, "app") for _ in range(4)), return_exceptions=True)

    done = [each for each in rotated if not isinstance(each, Exception)]
    current = [key for key in (await keys.list_keys(ctx)).items if key.replaced_ns is None]
    assert done
    assert len(current) == 1
    assert len({each.old.id for each in done}) == len(done)
    assert all(isinstance(each, KeyNotFoundError) for each in rotated if isinstance(each, Exception))


async def test_nobody_is_shown_the_new_secret_of_a_key_that_may_more_than_they(ctx):
    await keys.create_key(ctx, "root", "owner")
    maintainer = Actor(id="m", kind="member", name="maria", permissions=frozenset({"keys.write", "traces.read"}))

    with pytest.raises(ExceedsOwnRightsError, match="may not rotate the key root"):
        await keys.rotate_key(ctx.acting_as(maintainer), "root")


async def test_a_key_does_not_free_itself_of_its_limits_by_rotating_another(ctx):
    narrow, _ = await keys.create_key(ctx, "narrow", grant=KeyGrant(role="maintainer", expires="30d", limits=LIMITS))
    await keys.create_key(ctx, "wide", "maintainer")
    acting = ctx.acting_as(Actor(id=narrow.id, kind="key", name="narrow", permissions=frozenset(narrow.permissions)))

    with pytest.raises(ExceedsOwnRightsError, match="a later expiry"):
        await keys.rotate_key(acting, "wide")
    with pytest.raises(ExceedsOwnRightsError, match="a later expiry"):
        await keys.rotate_key(acting, "narrow", expires="60d")
    assert (await keys.rotate_key(acting, "narrow")).key.limits == LIMITS


async def test_rotation_is_audited_and_no_secret_is_kept(ctx):
    old, _ = await keys.create_key(ctx, "app")
    rotated = await keys.rotate_key(ctx, "app")

    async with ctx.db.connection() as connection:
        events = await fetch_all(connection, "select to_jsonb(e) as event from audit_events e order by seq")
        kept = await fetch_all(connection, "select to_jsonb(k) as key from keys k")
    actions = [(row["event"]["action"], row["event"]["object_id"]) for row in events]
    assert actions == [("keys.create", old.id), ("keys.create", rotated.key.id), ("keys.rotate", old.id)]
    assert rotated.secret.reveal() not in str(events) + str(kept)
