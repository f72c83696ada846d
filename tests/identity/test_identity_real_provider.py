"""Signing in by a real OpenID provider from a package: its own pages, consent, groups, keys that change, three ways to be its client.

Where the package is not installed the tests are skipped and say so.
"""

import pytest

from flyball.audit import service as audit
from flyball.identity import invitations, providers, sessions, sign_in, single_sign_on
from flyball.kit.secrets import Secret
from flyball.projects import members, tenants

pytestmark = pytest.mark.timeout(120)


async def go(public, outside, name="maria", path="/sign-in/with/company"):
    """The whole way of a browser; flyball's answer at its end."""
    sent = await public.get(path)
    assert sent.status == 303, sent.text
    back = await outside.sign_in(sent.header("location"), name)
    return await public.get(back)


async def me(public):
    return (await public.get("/api/me")).json()


@pytest.mark.parametrize("client", ["basic", "post", "public"])
async def test_a_member_comes_in_by_a_real_provider_and_has_the_role_of_their_group(
    real, declare, public, outside, ctx, client
):
    await declare(real, client)

    landed = await go(public, outside)

    assert (landed.status, landed.header("location")) == (303, "/")
    assert (await me(public))["name"] == "maria"
    [maria] = await members.list_members(ctx)
    assert (maria.role, maria.email, maria.has_password) == ("maintainer", "maria@example.org", False)
    [session] = await sessions.list_sessions(ctx)
    assert session.method == "provider company"
    assert len(outside.pages) == 2  # one to sign in, one to consent


async def test_who_comes_again_is_the_same_member(real, declare, public, outside, ctx):
    await declare(real)
    await go(public, outside)
    first = (await me(public))["id"]

    await go(public, outside)

    assert (await me(public))["id"] == first
    assert len(await sessions.list_sessions(ctx)) == 1  # the session that the browser held has ended


async def test_groups_count_anew_at_each_sign_in(real, declare, public, outside, ctx, tell):
    await declare(real)
    try:
        await go(public, outside)
        tell("/groups", {"maria": []})
        landed = await go(public, outside)
    finally:
        tell("/groups", {"maria": ["engineers"]})

    assert landed.header("location") == "/sign-in"
    assert await members.list_members(ctx) == ()
    assert await sessions.list_sessions(ctx) == ()


async def test_a_role_that_a_person_gave_stays_whatever_the_groups_say(real, declare, public, outside, ctx, tell):
    await declare(real)
    await go(public, outside)
    await members.set_role(ctx, "maria", "reviewer")
    try:
        tell("/groups", {"maria": []})
        await go(public, outside)
    finally:
        tell("/groups", {"maria": ["engineers"]})

    [maria] = await members.list_members(ctx)
    assert maria.role == "reviewer"


async def test_the_provider_may_change_its_keys(real, declare, public, outside, ctx, tell, monkeypatch):
    await declare(real)
    await go(public, outside)
    tell("/rotate")
    monkeypatch.setattr("flyball.identity.oidc.metadata._AGAIN_NS", 0)  # as if some seconds had passed

    landed = await go(public, outside)

    assert landed.header("location") == "/"


async def test_a_code_does_not_work_twice(real, declare, public, outside, ctx):
    await declare(real)
    sent = await public.get("/sign-in/with/company")
    cookies = dict(public.cookies)
    back = await outside.sign_in(sent.header("location"), "maria")
    assert (await public.get(back)).header("location") == "/"

    public.cookies.clear()
    public.cookies.update(cookies)
    again = await public.get(back)

    assert again.header("location") == "/sign-in"
    assert "flyball_session" not in public.cookies


async def test_without_groups_nobody_gets_in(real, declare, public, outside, ctx):
    await declare(real)

    landed = await go(public, outside, "otto")

    assert landed.header("location") == "/sign-in"
    assert await members.list_members(ctx) == ()
    newest = (await audit.list_events(ctx, limit=1)).items[0]
    assert (newest.action, newest.object_id) == ("sessions.refuse", "company")


async def test_who_is_not_invited_stays_out_and_who_is_comes_in(real, declare, public, outside, ctx):
    await declare(real, joining="invited", groups=())
    assert (await go(public, outside)).header("location") == "/sign-in"

    invited = await invitations.invite(ctx, "reviewer", "Maria@example.org")
    shown = await public.get(f"/invitations/{invited.token.reveal()}")
    landed = await go(public, outside, path=f"/sign-in/with/company?invitation={invited.token.reveal()}")

    assert "Accept with the company" in shown.text
    assert landed.header("location") == "/"
    [maria] = await members.list_members(ctx)
    assert (maria.name, maria.role) == ("maria", "reviewer")
    assert await invitations.list_invitations(ctx) == ()


async def test_an_invitation_for_another_address_lets_nobody_in(real, declare, public, outside, ctx):
    await declare(real, joining="invited")
    invited = await invitations.invite(ctx, "reviewer", "otto@example.org")

    landed = await go(public, outside, path=f"/sign-in/with/company?invitation={invited.token.reveal()}")

    assert landed.header("location") == "/sign-in"
    assert await members.list_members(ctx) == ()
    assert len(await invitations.list_invitations(ctx)) == 1


async def test_an_unverified_address_is_nobodys(real, declare, public, outside, ctx):
    await members.add_member(ctx, "maria", "owner", "maria@example.org")
    await declare(real, joining="invited", link_by_email=True, domains=("example.org",))

    assert (await go(public, outside, "nora")).header("location") == "/sign-in"  # her address is maria's, not verified
    assert (await go(public, outside.__class__(outside.home), "otto")).header(
        "location"
    ) == "/sign-in"  # another domain
    landed = await go(public, outside.__class__(outside.home), "maria")

    assert landed.header("location") == "/"
    assert (await me(public))["name"] == "maria"


async def test_a_member_links_an_account_in_their_own_session(real, declare, public, outside, ctx, with_password):
    await declare(real, joining="invited")
    signed_in = await with_password()
    public.cookies["flyball_session"] = signed_in.token.reveal()
    page = await public.get("/account")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    shown = await public.send(
        "POST",
        "/account/identities",
        form={"csrf_token": token, "provider": "company", "current": "four unrelated words"},
    )
    address = shown.text.partition('class="button primary" href="')[2].partition('"')[0].replace("&amp;", "&")

    landed = await public.get(await outside.sign_in(address, "otto"))
    public.cookies.clear()
    await go(public, outside)

    assert landed.header("location") == "/account"
    assert (await me(public))["name"] == "administrator"


async def test_another_session_than_the_one_that_began_it_links_nothing(
    real, declare, public, outside, ctx, with_password
):
    provider = await declare(real, joining="invited")
    signed_in = await with_password()
    purpose = single_sign_on.Purpose("/account", signed_in.token)
    begun = await single_sign_on.begin(
        ctx, "company", "http://127.0.0.1:4000/sign-in/with/company/return", purpose, single_sign_on.Whence()
    )
    public.cookies["flyball_sign_in"] = begun.cookie.reveal()

    landed = await public.get(await outside.sign_in(begun.address, "otto"))

    assert landed.header("location") == "/sign-in"
    assert await providers.list_own_identities(ctx.acting_as(sessions.actor_of(signed_in.member))) == ()
    assert provider.name == "company"


async def test_where_a_provider_is_enforced_passwords_are_off_but_owners_have_links(
    real, declare, public, outside, ctx, with_password
):
    await members.add_member(ctx, "olaf", "viewer")
    olaf = await with_password("olaf")
    await with_password()

    await declare(real, enforced=True)

    assert await sessions.authenticate(ctx, olaf.token) is None
    for name in ("olaf", "administrator"):
        with pytest.raises(sign_in.PasswordsOffError):
            await sign_in.sign_in(ctx, name, Secret("four unrelated words"))
    with pytest.raises(sign_in.PasswordsOffError):
        await sign_in.create_sign_in_link(ctx, "olaf")
    link = await sign_in.create_sign_in_link(ctx)
    assert (await sign_in.use_sign_in_link(ctx, link.token)).session.method == "link"
    assert (await go(public, outside)).header("location") == "/"


async def test_signing_out_says_that_the_provider_may_still_know_the_browser(real, declare, public, outside):
    await declare(real)
    await go(public, outside)
    page = await public.get("/account")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]

    out = await public.send("POST", "/sign-out", form={"csrf_token": token})
    shown = await public.get(out.header("location"))

    assert f"{real}/session/end?client_id=basic" in shown.text
    assert (await public.get("/api/me")).status == 401


async def test_a_provider_of_another_organisation_gives_no_way_into_this_one(real, declare, public, outside, ctx):
    _, project, _ = await tenants.create_organisation(ctx, "others", "olga")
    await declare(real, joining="invited")
    invited = await invitations.invite(ctx.within(project.id, ctx.actor), "viewer")

    landed = await go(public, outside, path=f"/sign-in/with/company?invitation={invited.token.reveal()}")

    assert landed.header("location") == "/sign-in"
