"""Proofs that fail: in the record without what was given, bounded where they are nobody's, and in nobody else's way."""

import asyncio
import threading

import pytest

from flyball.audit import service as audit
from flyball.audit import store as audit_store
from flyball.identity import invitations, refusals, scrypts, second_factor, sessions, sign_in, totp
from flyball.identity.errors import SignInBusyError, SignInRefusedError, TooManySignInsError
from flyball.identity.records import Whence
from flyball.kit.secrets import Secret, verify_password
from flyball.projects import members

PASSWORD = Secret("four unrelated words")
HERE = Whence("192.0.2.7")


async def refused(ctx):
    """What was refused, newest first: its kind, whether it is somebody's, and its name."""
    events = [event for event in (await audit.list_events(ctx)).items if event.action == "sessions.refuse"]
    assert all(event.after for event in events)
    return [(event.object_kind, event.object_id != "unknown", event.object_name) for event in events]


async def attempt(deed, error=SignInRefusedError):
    with pytest.raises(error):
        await deed


async def test_links_and_invitations_that_do_not_work_are_in_the_record(ctx, with_password):
    link = await sign_in.create_sign_in_link(ctx)
    await sign_in.use_sign_in_link(ctx, link.token)
    invitation = await invitations.invite(ctx, "viewer")
    await invitations.revoke(ctx, invitation.invitation.id)

    await attempt(sign_in.use_sign_in_link(ctx, link.token, HERE))
    await attempt(sign_in.use_sign_in_link(ctx, Secret("forged"), HERE))
    await attempt(invitations.look_at(ctx, invitation.token, HERE))
    await attempt(invitations.accept(ctx, Secret("forged"), "grace", PASSWORD, HERE))

    assert await refused(ctx) == [
        ("invitation", False, ""),
        ("invitation", False, ""),
        ("sign_in_link", False, ""),
        ("sign_in_link", True, "of administrator"),
    ]


async def test_wrong_passwords_and_codes_are_in_the_record_also_of_who_is_signed_in(clocked, with_password):
    signed_in = await with_password(of=clocked)
    wrong = Secret("wrong")

    await attempt(sign_in.sign_in(clocked, "administrator", wrong, HERE))
    await attempt(sign_in.sign_in(clocked, "nobody", wrong, HERE))
    await attempt(sign_in.set_password(clocked, signed_in.token, Secret("another long one"), wrong))
    await second_factor.begin(clocked, signed_in.token, PASSWORD)
    await attempt(second_factor.confirm(clocked, signed_in.token, "000000"))

    assert await refused(clocked) == [
        ("member", True, "administrator"),
        ("member", True, "administrator"),
        ("member", False, ""),
        ("member", True, "administrator"),
    ]
    by_code, by_current = [
        event for event in (await audit.list_events(clocked)).items if event.action == "sessions.refuse"
    ][:2]
    assert by_code.actor_id == by_current.actor_id == signed_in.member.id


async def test_wrong_codes_on_the_way_out_of_a_second_factor_are_in_the_record(clocked, with_password):
    signed_in = await with_password(of=clocked)
    enrolment = await second_factor.begin(clocked, signed_in.token, PASSWORD)
    secret = totp_secret(enrolment)
    code = totp.code_of(secret, totp.step_at(clocked.clock.now_ns()))
    confirmed = await second_factor.confirm(clocked, signed_in.token, code)

    await attempt(second_factor.turn_off(clocked, confirmed.signed_in.token, "000000", PASSWORD))
    await attempt(second_factor.renew_recovery_codes(clocked, confirmed.signed_in.token, "000000"))

    assert await refused(clocked) == [("member", True, "administrator")] * 2
    assert (await second_factor.state(clocked, confirmed.signed_in.token)).on


def totp_secret(enrolment):
    import base64

    typed = enrolment.typed.reveal()
    return base64.b32decode(typed + "=" * (-len(typed) % 8))


async def test_neither_what_was_given_nor_where_from_can_be_read_in_the_record(ctx):
    await attempt(sign_in.sign_in(ctx, "my own password", Secret("four wrong words"), HERE))

    async with ctx.db.connection() as connection:
        [event] = await audit_store.newest(connection, ctx.project, before_seq=None, most=1, wanted=None)
    for secret in ("my own password", "four wrong words", HERE.address):
        assert secret not in repr(event)
    assert event.after


async def test_what_is_nobodys_makes_a_hundred_events_in_five_minutes_and_hides_nothing_else(clocked, with_password):
    await with_password(of=clocked)
    for _ in range(105):
        await refusals.record_refusal(clocked, "link", refusals.About("sign_in_link"), "192.0.2.1")

    await attempt(sign_in.sign_in(clocked, "administrator", Secret("wrong"), HERE))
    since = [event.action for event in (await audit.list_events(clocked, limit=200)).items]
    assert since.count("sessions.refuse") == 101
    clocked.clock.advance(301)
    await refusals.record_refusal(clocked, "link", refusals.About("sign_in_link"), "192.0.2.1")

    since = [event.action for event in (await audit.list_events(clocked, limit=200)).items]
    assert since.count("sessions.refuse") == 102


def judged(password, verifier):
    """As it is judged, but that one which is none takes no time."""
    return len(password) >= sign_in.SHORTEST_PASSWORD and verify_password(password, verifier)


async def test_failures_of_others_do_not_keep_the_right_password_out(clocked, with_password, monkeypatch):
    await with_password(of=clocked)
    monkeypatch.setattr(scrypts, "verify_password", judged)
    for number in range(4):
        tries = [
            sign_in.sign_in(clocked, f"nobody {number} {each}", Secret("wrong"), Whence(f"198.51.100.{number}"))
            for each in range(30)
        ]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert {type(each) for each in answers} == {SignInRefusedError}
    await attempt(sign_in.sign_in(clocked, "nobody", Secret("wrong"), Whence("198.51.100.1")), TooManySignInsError)

    assert await sign_in.sign_in(clocked, "administrator", PASSWORD, HERE)


async def test_passwords_are_judged_a_few_at_a_time_and_who_finds_the_line_full_may_come_back(
    ctx, public, with_password, monkeypatch
):
    await members.add_member(ctx, "grace", "viewer")
    await with_password()
    go_on, running, most = threading.Event(), [], []

    def slow(password, verifier):
        running.append(1)
        most.append(len(running))
        go_on.wait(20)
        running.pop()
        return judged(password, verifier)

    monkeypatch.setattr(scrypts, "verify_password", slow)
    waiting = [
        asyncio.create_task(sign_in.sign_in(ctx, f"nobody {number}", Secret("wrong"), Whence()))
        for number in range(scrypts._AT_ONCE + scrypts._MOST_WAITING)
    ]
    async with asyncio.timeout(10):
        while scrypts._LINE._under_way < len(waiting):
            await asyncio.sleep(0.01)

    for _ in range(12):  # nothing is counted against a name by this
        await attempt(sign_in.sign_in(ctx, "administrator", PASSWORD, HERE), SignInBusyError)
    full = await public.post("/api/sessions", {"name": "administrator", "password": PASSWORD.reveal()})
    go_on.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert (full.status, full.json()["error"]["code"], full.header("retry-after")) == (503, "sign_in_busy", "2")
    assert max(most) == scrypts._AT_ONCE
    assert {type(each) for each in answers} == {SignInRefusedError}
    signed_in = await sign_in.sign_in(ctx, "administrator", PASSWORD, HERE)
    assert await sessions.authenticate(ctx, signed_in.token)
