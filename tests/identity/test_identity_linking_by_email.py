"""Being a member by the e-mail address that a provider has verified: only one as whom nobody has ever signed in."""

from urllib.parse import parse_qs, urlsplit

import pytest

from flyball.audit import service as audit
from flyball.identity import providers, sessions, sign_in
from flyball.identity.errors import SignInRefusedError
from flyball.kit.secrets import Secret
from flyball.projects import members, own_roles, tenants

ADDRESS = "maria@example.org"  # which the provider has verified


@pytest.fixture
def linking(hostile, declare):
    """`await linking(...)`: declare the provider `company`, by which verified addresses link."""

    async def declared(**more):
        return await declare(hostile.issuer, "public", **{"link_by_email": True, "domains": ("example.org",)} | more)

    return declared


@pytest.fixture
def come_in(public, hostile):
    """`await come_in()`: maria signs in by the provider; who she is here, None where it was refused."""

    async def came():
        sent = await public.get("/sign-in/with/company")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.header("location")).query).items()}
        hostile.nonce = asked["nonce"]
        await public.get(f"/sign-in/with/company/return?code=a-code&state={asked['state']}")
        me = await public.get("/api/me")
        return me.json() if me.status == 200 else None

    return came


async def test_a_member_who_never_signed_in_is_whoever_has_their_verified_address(ctx, linking, come_in):
    await members.add_member(ctx, "doctor maria", "reviewer", ADDRESS)
    await linking(joining="invited")

    assert (await come_in())["name"] == "doctor maria"


async def test_a_member_whom_somebody_else_has_been_is_nobodys_by_an_address(ctx, linking, come_in, with_password):
    second = await tenants.create_project(ctx, "second")
    inside = ctx.within(second.id, ctx.actor)
    await own_roles.set_role(inside, "inviter", ("members.write", "members.read"))
    await members.add_member(inside, "mallory", "inviter")
    await linking()
    mallory = await with_password("mallory", of=inside)
    acting = inside.acting_as(sessions.actor_of(mallory.member))
    await members.add_member(acting, "the chief", "inviter", ADDRESS)
    planted = await with_password("the chief", of=inside)

    me = await come_in()

    assert me["name"] == "maria"
    assert await providers.list_own_identities(ctx.acting_as(sessions.actor_of(planted.member))) == ()
    signed_in = await sign_in.sign_in(ctx, "the chief", Secret("four unrelated words"))
    assert set(signed_in.member.permissions) == {"members.write", "members.read"}


@pytest.mark.parametrize("left", ["a session", "an ended session", "a password", "an account"])
async def test_whatever_somebody_left_in_a_member_keeps_an_address_from_linking(
    ctx, linking, come_in, with_password, left, hostile, public
):
    await members.add_member(ctx, "doctor maria", "reviewer", ADDRESS)
    await linking(joining="invited")
    if left == "a password":
        await with_password("doctor maria")
    elif left == "an account":
        assert await come_in()
        public.cookies.clear()
        hostile.claims = {"sub": "somebody else with the address"}
    else:
        link = await sign_in.create_sign_in_link(ctx, "doctor maria")
        found = await sign_in.use_sign_in_link(ctx, link.token)
        if left == "an ended session":
            await sessions.sign_out(ctx, found.token)

    assert await come_in() is None


async def test_an_address_that_two_members_have_leads_to_neither(ctx, linking, come_in):
    await members.add_member(ctx, "doctor maria", "reviewer", ADDRESS)
    await members.add_member(ctx, "mariah", "owner", ADDRESS.upper())
    await linking(joining="invited")

    assert await come_in() is None


async def test_a_link_that_waited_is_of_no_use_once_the_address_has_linked(ctx, linking, come_in):
    await members.add_member(ctx, "doctor maria", "reviewer", ADDRESS)
    waiting = await sign_in.create_sign_in_link(ctx, "doctor maria")
    await linking(joining="invited")

    assert await come_in()

    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(ctx, waiting.token)
    actions = [event.action for event in (await audit.list_events(ctx)).items]
    assert "members.link_provider" in actions
