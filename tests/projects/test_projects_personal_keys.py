"""Personal keys: never more than the member's role gives now, and gone with the membership."""

import msgspec
import pytest

from flyball.gateway.load_keys import load_keys, newer_keys
from flyball.identity import sign_in
from flyball.infra.context import Actor
from flyball.infra.db.database import execute, fetch_one
from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import token_hash
from flyball.projects import keys, members, own_roles, tenants
from flyball.projects.errors import ExceedsOwnRightsError, MemberNotFoundError
from flyball.projects.keys import KeyGrant
from flyball.projects.personal import permissions_now
from flyball.projects.roles import ROLES

MINE = KeyGrant(personal=True)


def as_member(ctx, member):
    actor = Actor(id=member.id, kind="member", name=member.name, permissions=frozenset(member.permissions))
    return ctx.acting_as(actor)


@pytest.fixture
async def maria(ctx):
    return await members.add_member(ctx, "maria", "maintainer")


async def may(ctx, secret):
    """What the key may, in the control process and in the gateway, which must agree; None: refused."""
    proved = await keys.authenticate_key(ctx, secret)
    known = (await load_keys(ctx.db.across_projects())).keys.get(token_hash(secret.reveal()))
    assert (proved[0].permissions if proved else None) == (known.permissions if known else None)
    return proved[0].permissions if proved else None


async def test_it_has_what_its_member_has(ctx, maria):
    key, secret = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)

    assert (key.kind, key.member, key.member_name) == ("personal", maria.id, "maria")
    assert await may(ctx, secret) == ROLES["maintainer"]


async def test_a_lesser_role_of_its_member_cuts_it_at_the_next_use(ctx, maria):
    _, secret = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)

    await members.set_role(ctx, "maria", "viewer")

    assert await may(ctx, secret) == ROLES["viewer"]


async def test_a_greater_role_gives_it_nothing_that_it_was_not_given(ctx, maria):
    _, secret = await keys.create_key(
        as_member(ctx, maria), "laptop", grant=KeyGrant(personal=True, scopes=("traces.read",))
    )

    await members.set_role(ctx, "maria", "owner")

    assert await may(ctx, secret) == {"traces.read"}


async def test_it_follows_a_role_of_the_projects_own(ctx, maria):
    await own_roles.set_role(ctx, "tracer", ("traces.read", "traces.write"))
    await members.set_role(ctx, "maria", "tracer")
    tracer = msgspec.structs.replace(maria, permissions=("traces.read", "traces.write"))
    _, secret = await keys.create_key(as_member(ctx, tracer), "laptop", grant=MINE)
    assert await may(ctx, secret) == {"traces.read", "traces.write"}

    await own_roles.set_role(ctx, "tracer", ("traces.read", "prompts.read"))

    assert await may(ctx, secret) == {"traces.read"}


async def test_it_dies_with_the_membership_and_stays_dead_when_the_member_comes_back(ctx, maria):
    key, secret = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)

    await members.remove_member(ctx, "maria")
    assert await may(ctx, secret) is None
    await members.add_member(ctx, "maria", "maintainer")

    assert await may(ctx, secret) is None
    assert (await keys.get_key(ctx, key.id))[0].revoked_ns


async def test_it_dies_with_the_member_in_every_project(ctx, maria):
    elsewhere = await tenants.create_project(ctx, "elsewhere")
    other = ctx.within(elsewhere.id, ctx.actor)
    member_there = await members.add_member(other, "maria", "viewer")
    _, here = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)
    _, there = await keys.create_key(as_member(other, member_there), "laptop", grant=MINE)

    async with ctx.db.connection() as connection:  # bound to one project, as every verb is
        await execute(connection, "update members set removed_ns = 1 where id = %s", maria.id)

    assert await may(ctx, here) is None
    assert await may(ctx, there) is None


async def test_an_owner_of_the_organisation_who_is_one_no_more_loses_it(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    owner = link.member
    _, secret = await keys.create_key(as_member(ctx, owner), "laptop", grant=MINE)
    assert await may(ctx, secret) == {"*"}

    async with ctx.db.connection() as connection:
        await execute(connection, "delete from memberships where member = %s", owner.id)
        assert await may(ctx, secret) == {"*"}
        await execute(connection, "update members set owner = false where id = %s", owner.id)

    assert await may(ctx, secret) is None


async def test_an_archived_project_refuses_every_key(ctx):
    _, secret = await keys.create_key(ctx, "service")
    known = await load_keys(ctx.db.across_projects())
    assert token_hash(secret.reveal()) in known.keys

    async with ctx.db.connection() as connection:
        await execute(connection, "update projects set archived_ns = 1 where id = 'default'")

    assert await may(ctx, secret) is None
    assert token_hash(secret.reveal()) not in (await newer_keys(ctx.db.across_projects(), known)).keys


async def test_nobody_makes_or_rotates_a_personal_key_of_somebody_else(ctx, maria):
    owner = (await sign_in.create_sign_in_link(ctx)).member
    await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)

    with pytest.raises(ExceedsOwnRightsError, match="theirs to make"):
        await keys.create_key(as_member(ctx, owner), "spy", grant=KeyGrant(personal=True, member="maria"))
    with pytest.raises(ExceedsOwnRightsError, match="personal key of maria"):
        await keys.rotate_key(as_member(ctx, owner), "laptop")
    assert (await keys.rotate_key(as_member(ctx, maria), "laptop")).key.member == maria.id


async def test_a_service_key_is_nobodys_and_makes_no_personal_key(ctx):
    service, _ = await keys.create_key(ctx, "service", "owner")
    acting = ctx.acting_as(Actor(id=service.id, kind="key", name="service"))

    with pytest.raises(MemberNotFoundError):
        await keys.create_key(acting, "x", grant=MINE)


async def test_a_personal_key_makes_keys_of_the_same_member(ctx, maria):
    first, _ = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)
    acting = ctx.acting_as(Actor(id=first.id, kind="key", name="laptop", permissions=frozenset(first.permissions)))

    assert (await keys.create_key(acting, "desk", grant=MINE)).key.member == maria.id


async def test_the_owner_of_the_data_directory_makes_one_for_a_member_within_what_the_member_may(ctx, maria):
    made = await keys.create_key(ctx, "laptop", grant=KeyGrant(personal=True, member="maria"))

    assert set(made.key.permissions) == ROLES["maintainer"]
    with pytest.raises(ExceedsOwnRightsError, match=r"maria lacks releases\.approve"):
        await keys.create_key(ctx, "more", grant=KeyGrant(personal=True, member="maria", scopes=("releases.approve",)))
    with pytest.raises(MemberNotFoundError, match="nobody"):
        await keys.create_key(ctx, "x", grant=KeyGrant(personal=True, member="nobody"))
    with pytest.raises(InvalidInputError, match="only a personal key has a member"):
        await keys.create_key(ctx, "x", grant=KeyGrant(member="maria"))


async def test_the_database_knows_no_personal_key_without_a_member(ctx, maria):
    key, _ = await keys.create_key(as_member(ctx, maria), "laptop", grant=MINE)

    async with ctx.db.connection() as connection:
        row = await fetch_one(connection, "select kind, member from keys where id = %s", key.id)
    assert row == {"kind": "personal", "member": maria.id}


@pytest.mark.parametrize(
    ("granted", "role", "own", "expected"),
    [
        (["*"], "owner", None, {"*"}),
        (["*"], "viewer", None, ROLES["viewer"]),
        (["traces.*"], "viewer", None, {"traces.read"}),
        (["traces.read", "keys.write"], "viewer", None, {"traces.read"}),
        (["traces.read"], None, None, set()),
        (["traces.read"], "gone", None, set()),
        (["traces.read", "scores.write"], "mine", ["traces.*"], {"traces.read"}),
    ],
)
def test_what_counts_is_in_both(granted, role, own, expected):
    assert permissions_now(granted, role, own) == expected
