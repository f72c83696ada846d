"""One's own keys, which need no permission: over the API and the pages, and never anybody else's."""

import re
from dataclasses import replace

import pytest

from flyball.audit import service as audit
from flyball.identity import sessions, sign_in
from flyball.infra.context import Actor
from flyball.kit.clock import FixedClock
from flyball.projects import account_keys, keys, members, own_roles, tenants
from flyball.projects.errors import (
    ExceedsOwnRightsError,
    KeyNotFoundError,
    NoMemberError,
    TooManyKeysError,
    UnknownPermissionError,
)
from flyball.projects.keys import KeyGrant
from flyball.projects.roles import ROLES
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient

ALL = KeyGrant()


async def acting(ctx, name: str):
    """The context in which a member acts who came by a link."""
    link = await sign_in.create_sign_in_link(ctx, name)
    found = await sign_in.use_sign_in_link(ctx, link.token)
    return ctx.within(found.member.project, sessions.actor_of(found.member, found.session))


@pytest.fixture
async def maria(ctx):
    await members.add_member(ctx, "maria", "viewer")
    return await acting(ctx, "maria")


@pytest.fixture
async def otto(ctx):
    await members.add_member(ctx, "otto", "viewer")
    return await acting(ctx, "otto")


@pytest.fixture
def browser(ctx, application, settings):
    """`await browser(name)`: the application as the browser of a member reaches it who is signed in."""

    async def of(name: str):
        link = await sign_in.create_sign_in_link(ctx, name)
        found = await sign_in.use_sign_in_link(ctx, link.token)
        client = AsgiClient(Shield(application, door="public", settings=settings), origin="http://127.0.0.1:4000")
        client.cookies["flyball_session"] = found.token.reveal()
        return client

    return of


def form_token_in(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


@pytest.mark.parametrize("role", ["viewer", "reviewer", "maintainer", "owner", "clerk"])
async def test_every_member_makes_keys_of_their_own_that_may_what_they_may(ctx, role):
    await own_roles.set_role(ctx, "clerk", ("datasets.read",))
    await members.add_member(ctx, "maria", role)
    maria = await acting(ctx, "maria")

    made = await account_keys.create_own_key(maria, "laptop", ALL)

    proved, _ = await keys.authenticate_key(ctx, made.secret)
    assert (made.key.kind, made.key.member_name) == ("personal", "maria")
    assert proved.permissions == ROLES.get(role, {"datasets.read"})


async def test_nobody_gives_a_key_of_their_own_more_than_their_role_has(ctx, maria):
    for wide in ("models.write", "*", "traces.*", "keys.write"):
        with pytest.raises(ExceedsOwnRightsError, match="maria may not"):
            await account_keys.create_own_key(maria, "spy", KeyGrant(scopes=(wide,)))
    with pytest.raises(UnknownPermissionError):
        await account_keys.create_own_key(maria, "spy", KeyGrant(scopes=("king",)))

    by_role = await account_keys.create_own_key(maria, "laptop", KeyGrant(role="owner"))

    assert set(by_role.key.permissions) == ROLES["viewer"]


async def test_a_grant_for_somebody_else_or_for_a_program_is_ones_own_all_the_same(maria, otto):
    made = await account_keys.create_own_key(maria, "laptop", KeyGrant(personal=False, member="otto"))

    assert (made.key.kind, made.key.member) == ("personal", maria.actor.id)
    assert (await account_keys.list_own_keys(otto)).items == ()


async def test_a_key_of_ones_own_follows_the_role_and_ends_with_the_membership(ctx):
    await members.add_member(ctx, "maria", "maintainer")
    made = await account_keys.create_own_key(await acting(ctx, "maria"), "laptop", ALL)

    await members.set_role(ctx, "maria", "viewer")
    as_viewer, _ = await keys.authenticate_key(ctx, made.secret)
    await members.remove_member(ctx, "maria")

    assert as_viewer.permissions == ROLES["viewer"]
    assert await keys.authenticate_key(ctx, made.secret) is None


async def test_somebody_elses_key_is_as_if_it_were_not_there(ctx, maria, otto):
    hers = (await account_keys.create_own_key(maria, "laptop", ALL)).key
    service = (await keys.create_key(ctx, "service")).key
    before = (await audit.list_events(ctx)).items

    for key in (hers, service):
        for name in (key.id, key.name):
            for deed in (account_keys.get_own_key, account_keys.rotate_own_key, account_keys.revoke_own_key):
                with pytest.raises(KeyNotFoundError) as error:
                    await deed(otto, name)
                with pytest.raises(KeyNotFoundError) as nothing:
                    await deed(otto, "nothing")
                assert str(error.value) == str(nothing.value).replace("nothing", name)
    assert (await account_keys.list_own_keys(otto)).items == ()
    assert (await audit.list_events(ctx)).items == before


async def test_a_name_that_was_somebody_elses_before_ends_only_ones_own(ctx, maria, otto):
    hers = await account_keys.create_own_key(maria, "laptop", ALL)
    rotated = await account_keys.rotate_own_key(maria, "laptop", "30d")
    await account_keys.revoke_own_key(maria, rotated.key.id)  # the one before it still works
    his = await account_keys.create_own_key(otto, "laptop", ALL)

    assert (await account_keys.get_own_key(maria, "laptop"))[0].member == maria.actor.id
    assert (await account_keys.get_own_key(otto, "laptop"))[0].id == his.key.id
    await account_keys.revoke_own_key(otto, "laptop")

    assert await keys.authenticate_key(ctx, his.secret) is None
    assert await keys.authenticate_key(ctx, hers.secret) is not None


async def test_ones_keys_of_another_project_are_not_found_here(ctx, maria):
    second = await tenants.create_project(ctx, "second")
    there = ctx.within(second.id, ctx.actor)
    await members.add_member(there, "maria", "maintainer")
    made = await account_keys.create_own_key(maria, "laptop", ALL)

    elsewhere = maria.within(second.id, maria.actor)

    assert (await account_keys.list_own_keys(elsewhere)).items == ()
    with pytest.raises(KeyNotFoundError):
        await account_keys.revoke_own_key(elsewhere, made.key.id)


@pytest.mark.parametrize("kind", ["key", "local", "system", "anonymous"])
async def test_only_members_who_are_signed_in_have_keys_of_their_own(ctx, maria, kind):
    made = await account_keys.create_own_key(maria, "laptop", ALL)
    # Even one that has the member's very id.
    other = ctx.acting_as(Actor(id=maria.actor.id, kind=kind, name="laptop"))

    for asked in (
        account_keys.create_own_key(other, "x", ALL),
        account_keys.list_own_keys(other),
        account_keys.get_own_key(other, made.key.id),
        account_keys.rotate_own_key(other, made.key.id),
        account_keys.revoke_own_key(other, made.key.id),
    ):
        with pytest.raises(NoMemberError):
            await asked


async def test_who_owes_a_second_factor_makes_no_key(maria):
    owing = maria.acting_as(replace(maria.actor, permissions=frozenset()))

    with pytest.raises(ExceedsOwnRightsError, match="second factor"):
        await account_keys.create_own_key(owing, "laptop", ALL)


async def test_nobody_fills_the_gateways_with_keys_that_cost_no_permission(ctx, maria, otto, monkeypatch):
    monkeypatch.setattr(account_keys, "MOST", 2)
    clocked = replace(maria, clock=FixedClock())
    await account_keys.create_own_key(clocked, "one", KeyGrant(expires="1h"))
    await account_keys.create_own_key(clocked, "two", ALL)

    with pytest.raises(TooManyKeysError, match="maria has 2 keys"):
        await account_keys.create_own_key(clocked, "three", ALL)
    with pytest.raises(TooManyKeysError):
        await account_keys.rotate_own_key(clocked, "two")
    await account_keys.create_own_key(otto, "his", ALL)
    clocked.clock.advance(3600)

    assert (await account_keys.create_own_key(clocked, "three", ALL)).key.name == "three"


# -- over HTTP


async def test_one_member_cannot_see_rotate_or_revoke_anothers_key_over_http(ctx, browser, maria, otto):
    made = (await account_keys.create_own_key(maria, "laptop", ALL)).key
    his = await browser("otto")
    token = form_token_in((await his.get("/account/keys/new")).text)

    answers = [
        await his.get(f"/api/account/keys/{made.id}"),
        await his.get("/api/account/keys/laptop"),
        await his.post("/api/account/keys/laptop/rotations", {}),
        await his.post(f"/api/account/keys/{made.id}/rotations", {}),
        await his.delete("/api/account/keys/laptop"),
        await his.delete(f"/api/account/keys/{made.id}"),
        await his.get(f"/account/keys/{made.id}"),
        await his.post(f"/account/keys/{made.id}/rotation", form={"overlap": "0", "csrf_token": token}),
        await his.post(f"/account/keys/{made.id}/revocation", form={"csrf_token": token}),
    ]
    listed = await his.get("/api/account/keys")
    page = await his.get("/account/keys")

    assert [answer.status for answer in answers] == [404] * 9
    assert listed.json()["items"] == []
    assert "laptop" not in page.text
    assert [key.id for key in (await account_keys.list_own_keys(maria)).items] == [made.id]
    assert (await keys.get_key(ctx, made.id))[0].revoked_ns is None


async def test_a_personal_key_makes_no_keys_by_the_account_and_sees_none(ctx, public, maria):
    made = await account_keys.create_own_key(maria, "laptop", ALL)
    key = {"authorization": f"Bearer {made.secret.reveal()}", "accept": "application/json"}

    answers = [
        await public.get("/api/account/keys", headers=key),
        await public.post("/api/account/keys", {"name": "more"}, headers=key),
        await public.get("/api/account/keys/laptop", headers=key),
        await public.post("/api/account/keys/laptop/rotations", {}, headers=key),
        await public.delete("/api/account/keys/laptop", headers=key),
        await public.get("/account/keys", headers=key),
        await public.get("/account/keys/new", headers=key),
    ]

    assert {answer.status for answer in answers} == {403}
    assert all("no_member" in answer.text for answer in answers[:5])
    assert (await keys.authenticate_key(ctx, made.secret)) is not None


@pytest.mark.parametrize("value", ["a%00b", "..%2f..%2fetc", "%ed%a0%80%ff", "x" * 5000, "a%0d%0ab", "-1"])
async def test_no_value_makes_the_account_fail(browser, maria, value):
    hers = await browser("maria")

    answers = [
        await hers.get(f"/api/account/keys?text={value}&cursor={value}"),
        await hers.get(f"/api/account/keys?text={value}&state={value}&limit={value}"),
        await hers.get(f"/api/account/keys/{value}"),
        await hers.delete(f"/api/account/keys/{value}"),
        await hers.get(f"/account/keys?text={value}&state={value}"),
        await hers.get(f"/account/keys/{value}"),
        await hers.post("/api/account/keys", {"name": "a\x00b", "models": ["\x00"], "expires": value}),
    ]

    assert max(answer.status for answer in answers) < 500


async def test_a_viewer_makes_lists_rotates_and_revokes_a_key_over_the_api(ctx, browser, maria):
    hers = await browser("maria")
    new = {
        "name": "desk", "scopes": ["traces.read"], "expires": "90d", "models": ["fast"], "functions": ["triage"],
        "addresses": ["203.0.113.7"],
    }  # fmt: skip

    made = await hers.post("/api/account/keys", new)
    beyond = await hers.post("/api/account/keys", new | {"name": "spy", "scopes": ["keys.write"]})
    listed = (await hers.get("/api/account/keys")).json()["items"]
    rotated = (await hers.post("/api/account/keys/desk/rotations", {"overlap": "1h"})).json()
    gone = (await hers.delete("/api/account/keys/desk")).json()

    assert (made.status, made.json()["kind"], made.json()["permissions"]) == (201, "personal", ["traces.read"])
    assert (beyond.status, beyond.json()["error"]["code"]) == (403, "exceeds_own_rights")
    assert [(key["name"], key["models"]) for key in listed] == [("desk", ["fast"])]
    assert rotated["new"]["replaces"] == made.json()["id"]
    assert gone["revoked_ns"]
    assert (await hers.get("/api/keys")).status == 403
    assert (await hers.post("/api/keys", {"name": "x", "kind": "personal"})).status == 403


async def test_the_account_leads_to_ones_keys_and_their_form_makes_one(ctx, browser, maria):
    hers = await browser("maria")

    account = await hers.get("/account")
    empty = await hers.get("/account/keys")
    form = await hers.get("/account/keys/new")

    assert 'href="/account/keys"' in account.text
    assert "No key of yours yet" in empty.text
    for field in ("expires", "models", "functions", "addresses", "scope.traces.read"):
        assert f'name="{field}"' in form.text
    assert 'name="scope.keys.write"' not in form.text
    assert "<option>owner" not in form.text


async def test_the_pages_make_rotate_and_revoke_a_key_without_a_script(browser, maria):
    hers = await browser("maria")
    token = form_token_in((await hers.get("/account/keys/new")).text)
    filled = {"name": "desk", "functions": "triage", "csrf_token": token}

    wrong = await hers.post("/account/keys/new", form=filled | {"expires": "yesterday"})
    made = await hers.post("/account/keys/new", form=filled | {"expires": "90d", "scope.traces.read": "on"})
    [key] = (await account_keys.list_own_keys(maria)).items
    page = await hers.get(f"/account/keys/{key.id}")
    listed = await hers.get("/account/keys?text=des&state=usable")
    rotated = await hers.post(f"/account/keys/{key.id}/rotation", form={"overlap": "2h", "csrf_token": token})
    again = await hers.post(f"/account/keys/{key.id}/rotation", form={"overlap": "2h", "csrf_token": token})
    revoked = await hers.post(f"/account/keys/{key.id}/revocation", form={"csrf_token": token})

    assert "neither a date nor a span of time" in wrong.text
    assert key.permissions == ("traces.read",)
    assert (key.functions, key.expires_ns is None) == (("triage",), False)
    assert made.text.count("it is shown this once") == rotated.text.count("it is shown this once") == 1
    assert f'action="/account/keys/{key.id}/rotation"' in page.text
    assert 'action="/keys/' not in page.text
    assert 'href="/keys/' not in page.text
    assert "no models, triage" in listed.text
    assert again.header("location") == f"/account/keys/{key.id}"
    assert revoked.header("location") == "/account/keys"
