"""Signing in: one-time links, passwords, sessions that end when they are ended."""

from dataclasses import replace

import pytest

from flyball.audit import service as audit
from flyball.audit import verifying
from flyball.identity import SignInRefusedError, sessions, sign_in
from flyball.identity.errors import SessionNotFoundError, TooManySignInsError, WeakPasswordError
from flyball.infra.db.database import execute, fetch_all
from flyball.kit.clock import FixedClock
from flyball.kit.secrets import Secret
from flyball.projects import keys, members, own_roles, tenants
from flyball.projects.errors import ExceedsOwnRightsError, MemberNotFoundError

PASSWORD = Secret("four unrelated words")


@pytest.fixture
def clocked(ctx):
    return replace(ctx, clock=FixedClock())


async def with_password(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    first = await sign_in.use_sign_in_link(ctx, link.token)
    return await sign_in.set_password(ctx, first.token, PASSWORD)


async def test_the_first_link_makes_the_administrator_and_signs_them_in(ctx):
    link = await sign_in.create_sign_in_link(ctx)

    signed_in = await sign_in.use_sign_in_link(ctx, link.token)

    member, session, _ = await sessions.authenticate(ctx, signed_in.token)
    assert (member.name, member.role, member.has_password) == ("administrator", "owner", False)
    assert session.method == "link"
    assert sessions.actor_of(member).may("keys.write")


async def test_a_link_works_once(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    await sign_in.use_sign_in_link(ctx, link.token)

    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(ctx, link.token)


async def test_a_link_works_for_an_hour(clocked):
    link = await sign_in.create_sign_in_link(clocked)

    clocked.clock.advance(sign_in.LINK_SECONDS)

    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(clocked, link.token)


async def test_a_link_is_made_for_somebody_who_exists(ctx):
    with pytest.raises(MemberNotFoundError, match="grace"):
        await sign_in.create_sign_in_link(ctx, "grace")


async def test_links_are_made_by_owners_of_the_organisation_and_the_operator_alone(ctx):
    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)
    await own_roles.set_role(inside, "all", ("*",))
    for name, role in (("paul", "owner"), ("anna", "all"), ("vera", "viewer")):
        await members.add_member(inside, name, role)
    acting = {member.name: inside.acting_as(sessions.actor_of(member)) for member in await members.list_members(inside)}
    made = await keys.create_key(inside, "every right", grant=keys.KeyGrant(role="owner"))
    by_key, _ = await keys.authenticate_key(ctx, made.secret, "")

    for who in (acting["paul"], acting["anna"], inside.acting_as(by_key)):
        for name in ("vera", "paul", "olga"):
            with pytest.raises(ExceedsOwnRightsError, match="only an owner of the organisation may"):
                await sign_in.create_sign_in_link(who, name)
    for who in (acting["olga"], inside):
        assert (await sign_in.create_sign_in_link(who, "vera")).member.name == "vera"


async def test_nobody_keeps_a_way_into_a_member_who_is_promoted_later(ctx, public):
    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)
    await members.add_member(inside, "paul", "owner")
    await members.add_member(inside, "weak", "viewer")
    paul = await sign_in.use_sign_in_link(ctx, (await sign_in.create_sign_in_link(inside, "paul")).token)
    public.cookies["flyball_session"] = paul.token.reveal()

    refused = await public.post("/api/sign-in-links", {"member": "weak"}, headers={"origin": "http://127.0.0.1:4000"})
    page = await public.get("/members")

    assert (refused.status, refused.json()["error"]["code"]) == (403, "exceeds_own_rights")
    assert "Make a sign-in link" not in page.text
    assert "Add without an invitation" in page.text


async def test_two_links_are_for_one_administrator(ctx):
    first = await sign_in.create_sign_in_link(ctx)
    second = await sign_in.create_sign_in_link(ctx)

    assert first.member == second.member
    assert len(await members.list_members(ctx)) == 1


async def test_a_password_signs_in(ctx):
    await with_password(ctx)

    signed_in = await sign_in.sign_in(ctx, "administrator", PASSWORD)

    member, session, _ = await sessions.authenticate(ctx, signed_in.token)
    assert member.has_password
    assert session.method == "password"


@pytest.mark.parametrize(
    ("name", "password"),
    [("administrator", "wrong"), ("administrator", ""), ("nobody", "four unrelated words"), ("", "")],
)
async def test_a_wrong_name_or_password_is_refused_alike(ctx, name, password):
    await with_password(ctx)

    with pytest.raises(SignInRefusedError, match="the name or the password is wrong"):
        await sign_in.sign_in(ctx, name, Secret(password))


async def test_a_member_without_a_password_cannot_sign_in_by_one(ctx):
    await sign_in.create_sign_in_link(ctx)

    with pytest.raises(SignInRefusedError):
        await sign_in.sign_in(ctx, "administrator", Secret(""))


async def test_signing_in_may_fail_ten_times_in_five_minutes(clocked):
    await with_password(clocked)
    for _ in range(10):
        with pytest.raises(SignInRefusedError):
            await sign_in.sign_in(clocked, "administrator", Secret("wrong"))

    with pytest.raises(TooManySignInsError, match="300 seconds"):
        await sign_in.sign_in(clocked, "administrator", PASSWORD)
    clocked.clock.advance(301)

    assert await sign_in.sign_in(clocked, "administrator", PASSWORD)


async def test_success_forgets_the_failures_of_a_name(clocked):
    await with_password(clocked)
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(SignInRefusedError):
                await sign_in.sign_in(clocked, "administrator", Secret("wrong"))
        await sign_in.sign_in(clocked, "administrator", PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 9, "x" * 257])
async def test_a_password_that_is_too_short_or_too_long_is_refused(ctx, password):
    link = await sign_in.create_sign_in_link(ctx)
    signed_in = await sign_in.use_sign_in_link(ctx, link.token)

    with pytest.raises(WeakPasswordError, match="10 to 256"):
        await sign_in.set_password(ctx, signed_in.token, Secret(password))


async def test_a_new_password_ends_every_session_and_link(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    other_link = await sign_in.create_sign_in_link(ctx)
    before = await sign_in.use_sign_in_link(ctx, link.token)

    after = await sign_in.set_password(ctx, before.token, PASSWORD)

    assert await sessions.authenticate(ctx, before.token) is None
    assert await sessions.authenticate(ctx, after.token)
    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(ctx, other_link.token)


async def test_changing_a_password_takes_the_current_one_or_a_link(ctx):
    by_password = await with_password(ctx)

    for current in (None, Secret("wrong")):
        with pytest.raises(SignInRefusedError, match="current password"):
            await sign_in.set_password(ctx, by_password.token, Secret("another long one"), current)

    await sign_in.set_password(ctx, by_password.token, Secret("another long one"), PASSWORD)
    link = await sign_in.create_sign_in_link(ctx)
    by_link = await sign_in.use_sign_in_link(ctx, link.token)
    await sign_in.set_password(ctx, by_link.token, PASSWORD)


async def test_a_session_ends_by_signing_out_by_time_and_with_its_member(clocked):
    by_hand = await with_password(clocked)
    await sessions.sign_out(clocked, by_hand.token)
    assert await sessions.authenticate(clocked, by_hand.token) is None

    by_time = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    clocked.clock.advance(clocked.settings.session_hours * 3_600)
    assert await sessions.authenticate(clocked, by_time.token) is None

    with_member = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    async with clocked.db.transaction() as connection:
        await execute(connection, "update members set removed_ns = 1")
    assert await sessions.authenticate(clocked, with_member.token) is None


async def test_a_session_is_ended_by_its_id(ctx):
    signed_in = await with_password(ctx)

    await sessions.revoke(ctx, signed_in.session.id)

    assert await sessions.authenticate(ctx, signed_in.token) is None
    assert await sessions.list_sessions(ctx) == ()
    with pytest.raises(SessionNotFoundError):
        await sessions.revoke(ctx, signed_in.session.id)


async def test_tokens_and_passwords_are_kept_as_hashes_alone(ctx):
    link = await sign_in.create_sign_in_link(ctx)
    signed_in = await with_password(ctx)

    kept = ""
    async with ctx.db.connection() as connection:
        for table in ("members", "sessions", "sign_in_links", "audit_events"):
            kept += str(await fetch_all(connection, f"select * from {table}"))
    for secret in (link.token, signed_in.token, PASSWORD):
        assert secret.reveal() not in kept
        assert secret.reveal() not in repr(link) + repr(signed_in)


async def test_every_step_is_audited(ctx):
    signed_in = await with_password(ctx)
    await sessions.sign_out(ctx, signed_in.token)

    actions = [event.action for event in (await audit.list_events(ctx)).items]

    assert actions == [
        "sessions.revoke", "sessions.create", "members.set_password", "sessions.create", "links.create", "members.create",
    ]  # fmt: skip
    assert (await verifying.verify(ctx)).ok


async def test_a_refused_sign_in_is_audited_without_the_name_that_was_given(ctx):
    await with_password(ctx)
    for name in ("administrator", "four unrelated words"):
        with pytest.raises(SignInRefusedError):
            await sign_in.sign_in(ctx, name, Secret("wrong"))

    unknown, known = (await audit.list_events(ctx, limit=2)).items

    assert (unknown.action, unknown.object_id) == ("sessions.refuse", "unknown")
    assert known.object_id.startswith("mem_")


async def test_the_page_of_signing_in_supposes_nobodys_name(public):
    page = await public.get("/sign-in")

    assert '<input name="name" autocomplete="username"' in page.text
    assert "administrator" not in page.text


async def test_who_lacks_a_permission_is_sent_to_a_role_that_there_is(ctx, public):
    _, secret = await keys.create_key(ctx, "small", "viewer")

    refused = await public.get("/api/members", headers={"authorization": f"Bearer {secret.reveal()}"})

    assert refused.status == 403
    assert "ask an owner" in refused.text
