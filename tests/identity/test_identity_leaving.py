"""Leaving: owners of an organisation come and go, people are taken out, and what they gave does not outlive their rights."""

import pytest

from flyball.audit import service as audit
from flyball.identity import invitations, leaving, provider_store, session_store, sessions, sign_in
from flyball.identity.errors import SignInRefusedError
from flyball.identity.provider_records import Identity
from flyball.identity.records import Whence
from flyball.infra.db.database import fetch_one
from flyball.kit.secrets import Secret
from flyball.projects import keys, members, own_roles, owners, tenants
from flyball.projects.errors import ExceedsOwnRightsError, LastOwnerError, MemberNotFoundError
from flyball.projects.keys import KeyGrant

PASSWORD = Secret("four unrelated words")
NOWHERE = Whence()


async def signed_in(ctx, name: str):
    """The context in which a member acts, and the session's token."""
    link = await sign_in.create_sign_in_link(ctx, name)
    found = await sign_in.use_sign_in_link(ctx, link.token)
    return ctx.within(found.member.project, sessions.actor_of(found.member)), found.token


@pytest.fixture
async def acme(ctx):
    """The context of the operator in another organisation, which olga and mallory own."""
    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)
    await members.add_member(inside, "mallory", "viewer")
    await owners.add_owner(inside, "mallory")
    return inside


async def test_an_owner_makes_another_and_takes_their_place(acme):
    olga, _ = await signed_in(acme, "olga")
    mallory, token = await signed_in(acme, "mallory")
    assert mallory.actor.may("secrets.write")

    await owners.remove_owner(olga, "mallory")

    member, *_ = await sessions.authenticate(acme, token)
    assert (member.role, member.owner) == ("viewer", False)
    assert [one.name for one in await owners.list_owners(olga)] == ["olga"]
    actions = [event.action for event in (await audit.list_events(acme)).items]
    assert (actions.count("organisations.add_owner"), actions[0]) == (1, "organisations.remove_owner")


async def test_the_last_owner_of_an_organisation_stays(acme):
    await owners.remove_owner(acme, "mallory")

    for change in (owners.remove_owner(acme, "olga"), leaving.delete_member(acme, "olga")):
        with pytest.raises(LastOwnerError, match="only owner of the organisation acme"):
            await change
    with pytest.raises(LastOwnerError, match="remove-owner"):
        await members.remove_member(acme, "olga")


async def test_owners_alone_decide_who_owns_and_who_leaves(acme):
    await own_roles.set_role(acme, "clerk", ("members.*", "organisations.*"))
    await members.add_member(acme, "carl", "clerk")
    carl, _ = await signed_in(acme, "carl")

    for deed in (
        owners.add_owner(carl, "carl"),
        owners.remove_owner(carl, "olga"),
        leaving.delete_member(carl, "mallory"),
    ):
        with pytest.raises(ExceedsOwnRightsError, match="only an owner of the organisation"):
            await deed


async def test_nobody_of_another_organisation_is_made_an_owner_or_deleted(ctx, acme):
    await members.add_member(ctx, "maria", "viewer")

    for deed in (owners.add_owner(acme, "maria"), leaving.delete_member(acme, "maria")):
        with pytest.raises(MemberNotFoundError, match="acme has nobody"):
            await deed


async def test_who_is_deleted_has_no_way_in_any_more(acme):
    mallory, token = await signed_in(acme, "mallory")
    key, secret = await keys.create_key(mallory, "mine", grant=KeyGrant(personal=True))
    service, program = await keys.create_key(mallory, "program", role="application")
    link = await sign_in.create_sign_in_link(acme, "mallory")
    others = await sign_in.create_sign_in_link(mallory, "olga")
    async with acme.db.across_projects().transaction() as connection:
        await session_store.insert_step(
            connection, b"step", acme.project, mallory.actor.id, method="password", expires_ns=2**62
        )

    gone = await leaving.delete_member(acme, "mallory")

    assert (gone.sessions, gone.keys) == (1, 1)
    assert await sessions.authenticate(acme, token) is None
    assert await keys.authenticate_key(acme, secret) is None
    assert await keys.authenticate_key(acme, program) is not None  # programs use it
    for useless in (link, others):
        with pytest.raises(SignInRefusedError):
            await sign_in.use_sign_in_link(acme, useless.token)
    async with acme.db.across_projects().connection() as connection:
        assert await session_store.get_step(connection, b"step", 0) is None
        row = await fetch_one(connection, "select * from members where id = %s", mallory.actor.id)
    assert (row["removed_ns"] is not None, row["owner"], row["password_verifier"]) == (True, False, None)
    [event] = [one for one in (await audit.list_events(acme)).items if one.action == "members.delete"]
    assert event.object_name == "mallory"
    again = await members.add_member(acme, "mallory", "viewer")
    assert (again.id != mallory.actor.id, again.owner, key.member, service.kind) == (
        True,
        False,
        mallory.actor.id,
        "service",
    )


async def test_over_http_owners_and_deletion_have_addresses(admin):
    await admin.post("/api/sign-in-links", {"member": "administrator"})
    await admin.post("/api/members", {"name": "mallory", "role": "viewer"})

    made = await admin.send("PUT", "/api/owners/mallory", body=b"{}")
    listed = (await admin.get("/api/owners")).json()["items"]
    demoted = await admin.send("DELETE", "/api/owners/mallory")
    gone = await admin.post("/api/members/mallory/deletion", {})

    assert (made.status, demoted.status, gone.status, gone.json()["name"]) == (200, 200, 200, "mallory")
    assert [one["name"] for one in listed] == ["administrator", "mallory"]
    assert (await admin.post("/api/members/mallory/deletion", {})).status == 404


async def test_an_invitation_does_not_outlive_whoever_made_it(acme):
    mallory, _ = await signed_in(acme, "mallory")
    made = await invitations.invite(mallory, "owner", days=30)

    gone = await leaving.delete_member(acme, "mallory")

    assert (gone.invitations, await invitations.list_invitations(acme)) == (1, ())
    with pytest.raises(SignInRefusedError):
        await invitations.accept(acme, made.token, "mallory", PASSWORD, NOWHERE)


@pytest.mark.parametrize("change", ["demoted", "removed", "no owner any more"])
async def test_an_invitation_does_not_outlive_its_makers_rights(acme, change):
    await members.add_member(acme, "max", "owner")
    max_, _ = await signed_in(acme, "mallory" if change == "no owner any more" else "max")
    made, small = await invitations.invite(max_, "owner"), await invitations.invite(max_, "viewer")

    if change == "demoted":
        await members.set_role(acme, "max", "viewer")
    elif change == "removed":
        await members.remove_member(acme, "max")
    else:
        await owners.remove_owner(acme, "mallory")

    with pytest.raises(SignInRefusedError):
        await invitations.accept(acme, made.token, "eve", PASSWORD, NOWHERE)
    left = [one.id for one in await invitations.list_invitations(acme)]
    assert left == ([] if change == "removed" else [small.invitation.id])  # what they may give still, they gave


async def test_an_invitation_gives_no_more_than_its_maker_may_give_when_it_is_accepted(ctx):
    await own_roles.set_role(ctx, "clerk", ("members.read", "members.write"))
    await members.add_member(ctx, "carl", "clerk")
    [carl] = await members.list_members(ctx)
    made = await invitations.invite(ctx.acting_as(sessions.actor_of(carl)), "clerk")

    await own_roles.set_role(ctx, "grown", ("*",))
    await members.set_role(ctx, "carl", "grown")
    await own_roles.set_role(ctx, "clerk", ("*",))
    await own_roles.set_role(ctx, "grown", ("members.read", "members.write"))  # carl stays as he was, the role grew

    with pytest.raises(SignInRefusedError):
        await invitations.look_at(ctx, made.token, NOWHERE)
    with pytest.raises(SignInRefusedError):
        await invitations.accept(ctx, made.token, "eve", PASSWORD, NOWHERE)


async def test_an_invitation_does_not_outlive_the_key_that_made_it(ctx):
    key, secret = await keys.create_key(ctx, "inviter", role="owner")
    actor, _ = await keys.authenticate_key(ctx, secret)
    made, late = [await invitations.invite(ctx.acting_as(actor), "viewer") for _ in range(2)]

    await invitations.accept(ctx, made.token, "grace", PASSWORD, NOWHERE)
    await keys.revoke_key(ctx, key.id)

    with pytest.raises(SignInRefusedError):
        await invitations.accept(ctx, late.token, "eve", PASSWORD, NOWHERE)


async def test_accounts_with_providers_are_forgotten_with_their_member(ctx, declare):
    provider = await declare("https://id.example.com", "public", groups=())
    maria = await members.add_member(ctx, "maria", "viewer")
    account = Identity(
        provider=provider.id, provider_name="company", subject="1", member=maria.id, email="", created_ns=1, used_ns=1
    )
    async with ctx.db.across_projects().transaction() as connection:
        await provider_store.insert_identity(connection, account)

    gone = await leaving.delete_member(ctx, "maria")

    async with ctx.db.across_projects().connection() as connection:
        assert (gone.accounts, await provider_store.identities_of(connection, maria.id)) == (1, [])
