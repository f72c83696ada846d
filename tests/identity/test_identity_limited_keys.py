"""A key with an expiry or limits lends them to nobody: nothing that it makes is without them."""

from dataclasses import replace

import pytest

from flyball.identity import invitations, providers, second_factor, sessions, sign_in
from flyball.identity.provider_records import ProviderWish
from flyball.projects import keys, members, own_roles
from flyball.projects.errors import LimitedKeyError
from flyball.projects.key_records import KeyLimits
from flyball.projects.keys import KeyGrant

HERE = "203.0.113.7"
LIMITED = {
    "an expiry": KeyGrant(role="owner", expires="90d"),
    "models": KeyGrant(role="owner", limits=KeyLimits(models=("fast",))),
    "functions": KeyGrant(role="owner", limits=KeyLimits(functions=("triage",))),
    "addresses": KeyGrant(role="owner", limits=KeyLimits(addresses=(HERE,))),
    "a member and an expiry": KeyGrant(personal=True, expires="90d"),
}
COMPANY = ProviderWish(issuer="https://login.example.org", client_id="c", client_auth="none")
DEEDS = {
    "a sign-in link": lambda ctx: sign_in.create_sign_in_link(ctx, "otto"),
    "an invitation": lambda ctx: invitations.invite(ctx, "viewer"),
    "a sign-in provider": lambda ctx: providers.set_provider(ctx, "company", COMPANY),
    "somebody's second factor": lambda ctx: second_factor.reset(ctx, "otto"),
    "an owner": lambda ctx: members.add_member(ctx, "eve", "owner"),
    "a role for somebody who is there": lambda ctx: members.set_role(ctx, "otto", "owner"),
    "somebody else": lambda ctx: members.add_member(ctx, "eve", "viewer"),
    "a role that somebody has": lambda ctx: own_roles.set_role(ctx, "clerk", ("*",)),
}


async def acting_by(ctx, grant):
    """The context of whoever presents a key of this grant, as it was proved."""
    made = await keys.create_key(ctx, "lent", grant=grant)
    actor, _ = await keys.authenticate_key(ctx, made.secret, HERE)
    return ctx.acting_as(actor)


@pytest.fixture(autouse=True)
async def people(ctx):
    await sign_in.create_sign_in_link(ctx)
    await members.add_member(ctx, "otto", "viewer")


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("grant", LIMITED.values(), ids=LIMITED)
async def test_a_key_with_limits_gives_nobody_anything_without_them(ctx, grant, deed):
    acting = await acting_by(ctx, grant)

    with pytest.raises(LimitedKeyError, match=r"the key lent may not .* it has an expiry or limits") as error:
        await deed(acting)

    assert "signed in" in error.value.next_step
    assert [member.name for member in await members.list_members(ctx)] == ["administrator", "otto"]
    assert await invitations.list_invitations(ctx) == ()


async def test_a_key_without_limits_does_it(ctx):
    acting = await acting_by(ctx, KeyGrant(role="owner"))

    await members.add_member(acting, "eve", "viewer")
    await invitations.invite(acting, "viewer")
    await own_roles.set_role(acting, "clerk", ("datasets.read",))

    assert not acting.actor.limited


async def test_a_key_with_limits_still_takes_away(ctx):
    acting = await acting_by(ctx, LIMITED["an expiry"])

    assert await sessions.sign_out_everywhere(acting, "otto") == 0
    await members.remove_member(acting, "otto")

    assert [member.name for member in await members.list_members(ctx)] == ["administrator"]


async def test_somebody_signed_in_is_not_limited_whatever_keys_they_have(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    found = await sign_in.use_sign_in_link(ctx, link.token)
    await keys.create_key(ctx, "desk", grant=LIMITED["a member and an expiry"])
    acting = ctx.acting_as(replace(sessions.actor_of(found.member, found.session)))

    assert (await members.add_member(acting, "eve", "owner")).role == "owner"


async def test_over_http_it_is_a_403_that_says_so(ctx, public):
    made = await keys.create_key(ctx, "lent", grant=LIMITED["addresses"])
    key = {"authorization": f"Bearer {made.secret.reveal()}", "x-forwarded-for": HERE}

    answers = [
        await public.post("/api/sign-in-links", {"member": "administrator"}, headers=key),
        await public.post("/api/invitations", {"role": "viewer"}, headers=key),
        await public.post("/api/members", {"name": "eve", "role": "owner"}, headers=key),
        await public.send("PUT", "/api/members/otto/role", json={"role": "owner"}, headers=key),
        await public.send("PUT", "/api/roles/clerk", json={"permissions": ["*"]}, headers=key),
        await public.send(
            "PUT", "/api/providers/company", json={"issuer": "https://a.example", "client_id": "c"}, headers=key
        ),
        await public.delete("/api/members/otto/second-factor", headers=key),
    ]

    assert [(answer.status, answer.json()["error"]["code"]) for answer in answers] == [(403, "limited_key")] * 7
