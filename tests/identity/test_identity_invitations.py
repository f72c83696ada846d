"""Invitations: one link for one new member, for some days, to no more than whoever invites may do."""

import pytest

from flyball.audit import service as audit
from flyball.identity import invitations, sessions
from flyball.identity.errors import InvitationNotFoundError, SignInRefusedError, WeakPasswordError
from flyball.identity.records import Whence
from flyball.infra.db.database import fetch_all
from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import Secret
from flyball.projects import members, tenants
from flyball.projects.errors import ExceedsOwnRightsError, InvalidNameError, NameTakenError, UnknownRoleError

PASSWORD = Secret("four unrelated words")
NOWHERE = Whence()


async def test_an_invitation_makes_a_member_who_is_signed_in(ctx):
    made = await invitations.invite(ctx, "reviewer", "grace@example.org")

    signed_in = await invitations.accept(ctx, made.token, "Grace", PASSWORD, NOWHERE)

    assert (signed_in.member.role, signed_in.member.email) == ("reviewer", "grace@example.org")
    found = await sessions.authenticate(ctx, signed_in.token)
    assert found.session.method == "invitation"
    assert sessions.actor_of(found.member).may("releases.approve")
    assert await invitations.list_invitations(ctx) == ()


async def test_an_invitation_works_once(ctx):
    made = await invitations.invite(ctx, "viewer")
    await invitations.accept(ctx, made.token, "grace", PASSWORD, NOWHERE)

    with pytest.raises(SignInRefusedError):
        await invitations.accept(ctx, made.token, "mallory", PASSWORD, NOWHERE)

    assert [each.name for each in await members.list_members(ctx)] == ["grace"]


async def test_an_invitation_ends_after_its_days_and_when_it_is_revoked(clocked):
    late = await invitations.invite(clocked, "viewer", days=2)
    revoked = await invitations.invite(clocked, "viewer", days=30)
    await invitations.revoke(clocked, revoked.invitation.id)
    clocked.clock.advance(2 * 86_400)

    for made in (late, revoked):
        with pytest.raises(SignInRefusedError):
            await invitations.accept(clocked, made.token, "grace", PASSWORD, NOWHERE)
    with pytest.raises(InvitationNotFoundError):
        await invitations.revoke(clocked, revoked.invitation.id)


@pytest.mark.parametrize("days", [0, -1, 31, 10**9])
async def test_an_invitation_works_for_some_days(ctx, days):
    with pytest.raises(InvalidInputError):
        await invitations.invite(ctx, "viewer", days=days)


async def test_nobody_invites_to_more_than_they_may_do(ctx):
    await members.add_member(ctx, "mia", "maintainer")
    [mia] = await members.list_members(ctx)
    acting = ctx.acting_as(sessions.actor_of(mia))

    for role in ("owner", "reviewer"):
        with pytest.raises(ExceedsOwnRightsError):
            await invitations.invite(acting, role)
    for role in ("application", "nothing"):
        with pytest.raises(UnknownRoleError):
            await invitations.invite(ctx, role)


@pytest.mark.parametrize(
    ("name", "password", "error"),
    [
        ("", "four unrelated words", InvalidNameError),
        ("gr\u0430ce", "four unrelated words", InvalidNameError),  # a Cyrillic letter
        ("ADMINISTRATOR", "four unrelated words", NameTakenError),
        ("administrat0r", "four unrelated words", NameTakenError),  # a zero
        ("grace", "short", WeakPasswordError),
    ],
)
async def test_what_cannot_be_leaves_the_invitation_open(ctx, with_password, name, password, error):
    await with_password()
    made = await invitations.invite(ctx, "viewer")

    with pytest.raises(error):
        await invitations.accept(ctx, made.token, name, Secret(password), NOWHERE)

    assert len(await invitations.list_invitations(ctx)) == 1


async def test_an_invitation_is_for_its_own_project(ctx):
    second = await tenants.create_project(ctx, "second")
    inside = ctx.within(second.id, ctx.actor)
    made = await invitations.invite(inside, "viewer")

    assert await invitations.list_invitations(ctx) == ()
    with pytest.raises(InvitationNotFoundError):
        await invitations.revoke(ctx, made.invitation.id)
    signed_in = await invitations.accept(ctx, made.token, "grace", PASSWORD, NOWHERE)
    assert signed_in.session.project == second.id


async def test_of_two_who_accept_at_once_one_comes_in(ctx):
    import asyncio

    made = await invitations.invite(ctx, "viewer")

    found = await asyncio.gather(
        *(invitations.accept(ctx, made.token, name, PASSWORD, NOWHERE) for name in ("grace", "mallory")),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in found) == ["SignInRefusedError", "SignedIn"]


async def test_the_link_is_kept_as_a_hash_and_every_step_is_in_the_record(ctx):
    made = await invitations.invite(ctx, "viewer")
    await invitations.accept(ctx, made.token, "grace", PASSWORD, NOWHERE)

    async with ctx.db.connection() as connection:
        kept = str(await fetch_all(connection, "select * from invitations"))
    assert made.token.reveal() not in kept + repr(made)
    actions = [event.action for event in (await audit.list_events(ctx)).items]
    assert actions == ["sessions.create", "invitations.accept", "invitations.create"]


async def test_over_pages_a_link_is_shown_once_looked_at_and_accepted(admin, public):
    made = (await admin.post("/api/invitations", {"role": "viewer"})).json()
    shown = await public.get(made["link"])
    token = shown.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "name": "grace", "password": PASSWORD.reveal(), "again": "another"}

    differing = await public.send("POST", made["link"], form=form)
    landed = await public.send("POST", made["link"], form=form | {"again": PASSWORD.reveal()})

    assert "as viewer" in shown.text
    assert "The two passwords differ" in differing.text
    assert landed.header("location") == "/"
    assert (await public.get("/api/me")).json()["name"] == "grace"
    assert (await public.get(made["link"])).header("location") == "/sign-in"
    listed = await admin.get("/api/invitations")
    assert made["link"].rpartition("/")[2] not in listed.text
