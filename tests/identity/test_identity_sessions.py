"""Sessions: how long they last by which clock, where they came from, and every way in which they end."""

from dataclasses import replace

import msgspec
import pytest

from flyball.identity import sessions, sign_in
from flyball.identity.errors import SessionNotFoundError, SignInRefusedError, TooManySignInsError
from flyball.identity.records import Whence
from flyball.kit.secrets import Secret
from flyball.projects import members, own_roles, tenants
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.settings import load_settings

PASSWORD = Secret("four unrelated words")
DAY = 86_400


async def sign(ctx, name="administrator", **whence):
    return await sign_in.sign_in(ctx, name, PASSWORD, Whence(**whence))


async def test_a_session_says_how_whence_and_when_it_was_used(clocked, with_password):
    await with_password(of=clocked)
    signed_in = await sign(clocked, address="192.0.2.7", user_agent="Lynx/2.9 " + "x" * 500)
    clocked.clock.advance(120)
    await sessions.authenticate(clocked, signed_in.token)

    [found, _] = await sessions.list_own(clocked.acting_as(sessions.actor_of(signed_in.member)))

    assert (found.method, found.address) == ("password", "192.0.2.7")
    assert len(found.user_agent) == 200
    assert found.used_ns - found.created_ns == 120 * 10**9


async def test_a_session_that_nobody_uses_ends_after_a_day_and_one_that_is_used_after_a_week(clocked, with_password):
    unused, used = await with_password(of=clocked), await sign(clocked)
    for _ in range(13):
        clocked.clock.advance(DAY / 2)
        assert await sessions.authenticate(clocked, used.token)
    assert await sessions.authenticate(clocked, unused.token) is None

    clocked.clock.advance(DAY / 2)

    assert await sessions.authenticate(clocked, used.token) is None


async def test_without_an_idle_limit_only_the_last_hour_counts(clocked, with_password):
    patient = replace(clocked, settings=msgspec.structs.replace(clocked.settings, session_idle_hours=0))
    signed_in = await with_password(of=patient)

    clocked.clock.advance(6 * DAY)

    assert await sessions.authenticate(patient, signed_in.token)


@pytest.mark.parametrize("days", [-30, -1, 2, 30])
async def test_a_clock_that_jumps_by_days_ends_sessions_and_lengthens_none(clocked, with_password, days):
    signed_in = await with_password(of=clocked)

    clocked.clock.advance(days * DAY)

    assert await sessions.authenticate(clocked, signed_in.token) is None


async def test_a_clock_that_is_corrected_by_a_minute_ends_nothing(clocked, with_password):
    signed_in = await with_password(of=clocked)

    clocked.clock.advance(-60)

    assert await sessions.authenticate(clocked, signed_in.token)


async def test_signing_in_again_ends_the_session_that_the_browser_held(ctx, with_password):
    held = await with_password()

    anew = await sign(ctx, held=held.token)

    assert await sessions.authenticate(ctx, held.token) is None
    assert await sessions.authenticate(ctx, anew.token)


async def test_a_token_from_before_a_sign_in_is_never_the_one_after_it(public, with_password):
    await with_password()
    public.cookies["flyball_session"] = "chosen-by-somebody-else"
    page = await public.get("/sign-in")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]

    form = {"csrf_token": token, "name": "administrator", "password": PASSWORD.reveal()}
    landed = await public.send("POST", "/sign-in", form=form)

    assert landed.header("location") == "/"
    assert public.cookies["flyball_session"] != "chosen-by-somebody-else"


async def test_nobody_is_signed_in_by_a_form_of_another_site(public, with_password):
    await with_password()
    form = {"name": "administrator", "password": PASSWORD.reveal()}

    without_token = await public.send("POST", "/sign-in", form=form)
    page = await public.get("/sign-in")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    from_elsewhere = await public.send(
        "POST", "/sign-in", form=form | {"csrf_token": token}, headers={"origin": "https://evil.example"}
    )

    assert (without_token.status, from_elsewhere.status) == (403, 403)
    assert "flyball_session" not in public.cookies


async def test_signing_out_everywhere_ends_all_sessions_links_and_half_sign_ins(ctx, with_password):
    first, second = await with_password(), await sign(ctx)
    link = await sign_in.create_sign_in_link(ctx)

    ended = await sessions.sign_out_everywhere(ctx.acting_as(sessions.actor_of(first.member)))

    assert ended == 2
    assert [await sessions.authenticate(ctx, each.token) for each in (first, second)] == [None, None]
    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(ctx, link.token)


async def test_a_members_sessions_are_ended_by_page_api_and_command(admin, public, ctx, with_password):
    signed_in = await with_password()
    public.cookies["flyball_session"] = signed_in.token.reveal()
    assert (await public.get("/api/me")).status == 200

    ended = await admin.delete("/api/members/administrator/sessions")

    assert ended.json() == {"member": "administrator", "sessions": 1}
    assert (await public.get("/api/me")).status == 401


async def test_a_member_ends_one_session_of_their_own_and_nobody_elses(ctx, with_password):
    await members.add_member(ctx, "vera", "viewer")
    mine, hers = await with_password("vera"), await with_password()
    acting = ctx.acting_as(sessions.actor_of(mine.member))

    with pytest.raises(SessionNotFoundError):
        await sessions.revoke_own(acting, hers.session.id)
    await sessions.revoke_own(acting, mine.session.id)

    assert await sessions.authenticate(ctx, mine.token) is None
    assert await sessions.authenticate(ctx, hers.token)


async def test_nobody_ends_a_session_of_somebody_who_may_do_more(ctx, with_password):
    await own_roles.set_role(ctx, "doorkeeper", ("sessions.read", "sessions.write"))
    for name in ("dora", "otto"):
        await members.add_member(ctx, name, "doorkeeper")
    await members.add_member(ctx, "paul", "owner")
    second = await tenants.create_project(ctx, "second")
    await members.add_member(ctx.within(second.id, ctx.actor), "otto", "viewer")
    dora, otto, paul, owner = [await with_password(name) for name in ("dora", "otto", "paul", "administrator")]
    acting = ctx.acting_as(sessions.actor_of(dora.member))

    for theirs in (otto, paul, owner):
        with pytest.raises(ExceedsOwnRightsError):
            await sessions.revoke(acting, theirs.session.id)
        assert await sessions.authenticate(ctx, theirs.token)
    await sessions.revoke(acting, dora.session.id)
    await sessions.revoke(ctx, owner.session.id)

    assert [await sessions.authenticate(ctx, each.token) for each in (dora, owner)] == [None, None]


async def test_a_session_of_another_project_is_seen_and_ended_by_its_member_and_not_by_this_project(ctx, with_password):
    second = await tenants.create_project(ctx, "second")
    signed_in = await with_password()
    switched = await sessions.switch_project(ctx, signed_in.token, "second")

    assert await sessions.list_sessions(ctx) == ()
    with pytest.raises(SessionNotFoundError):
        await sessions.revoke(ctx, switched.session.id)
    [own] = await sessions.list_own(ctx.acting_as(sessions.actor_of(switched.member)))
    assert (own.id, own.project) == (signed_in.session.id, second.id)


async def test_one_address_may_fail_thirty_times_whatever_names_it_tries(clocked):
    for number in range(30):
        with pytest.raises(SignInRefusedError):
            await sign_in.use_sign_in_link(clocked, Secret(f"guess {number}"), Whence("192.0.2.7"))

    with pytest.raises(TooManySignInsError):
        await sign_in.use_sign_in_link(clocked, Secret("guess"), Whence("192.0.2.7"))
    with pytest.raises(SignInRefusedError):
        await sign_in.use_sign_in_link(clocked, Secret("guess"), Whence("192.0.2.8"))


async def test_addresses_of_one_customers_network_count_as_one(clocked):
    for number in range(30):
        with pytest.raises(SignInRefusedError):
            await sign_in.use_sign_in_link(clocked, Secret("guess"), Whence(f"2001:db8:1:2::{number:x}"))

    with pytest.raises(TooManySignInsError):
        await sign_in.use_sign_in_link(clocked, Secret("guess"), Whence("2001:db8:1:2:3:4:5:6"))


def test_a_word_that_is_no_choice_stops_the_start():
    with pytest.raises(Exception, match="FLYBALL_REQUIRE_TOTP='sometimes' is none of none, owners, everybody"):
        load_settings({"FLYBALL_REQUIRE_TOTP": "sometimes"})
