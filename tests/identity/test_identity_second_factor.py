"""The second factor: codes from time, each once; recovery codes; steps on the way in; who may take it away."""

from dataclasses import replace

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.identity import second_factor, sessions, sign_in, totp
from flyball.identity.errors import FactorStateError, PasswordsOffError, SignInRefusedError, TooManySignInsError
from flyball.identity.records import SignedIn, Step, Whence
from flyball.infra.db.database import execute, fetch_all
from flyball.kit.secrets import Secret
from flyball.projects import members, tenants
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.secrets import rotation

PASSWORD = Secret("four unrelated words")
NOWHERE = Whence()


def code_now(ctx, enrolment, steps=0):
    import base64

    typed = enrolment.typed.reveal()
    secret = base64.b32decode(typed + "=" * (-len(typed) % 8))
    return totp.code_of(secret, totp.step_at(ctx.clock.now_ns()) + steps)


@pytest.fixture
async def enrolled(clocked, with_password):
    """The administrator with a second factor: what was confirmed, and the enrolment."""
    signed_in = await with_password(of=clocked)
    enrolment = await second_factor.begin(clocked, signed_in.token, PASSWORD)
    confirmed = await second_factor.confirm(clocked, signed_in.token, code_now(clocked, enrolment))
    clocked.clock.advance(90)
    return confirmed, enrolment


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)  # fmt: skip
def test_codes_are_those_of_the_standards_own_examples(seconds, code):
    assert totp.code_of(b"12345678901234567890", totp.step_at(seconds * 10**9)) == code


async def test_a_password_alone_is_half_a_sign_in_then(clocked, enrolled):
    _, enrolment = enrolled

    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    assert isinstance(step, Step)
    assert await sessions.authenticate(clocked, step.token) is None
    signed_in = await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)

    assert isinstance(signed_in, SignedIn)
    assert signed_in.session.method == "password + code"


async def test_a_link_is_half_a_sign_in_as_well(clocked, enrolled):
    _, enrolment = enrolled
    link = await sign_in.create_sign_in_link(clocked)

    step = await sign_in.use_sign_in_link(clocked, link.token)
    signed_in = await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)

    assert signed_in.session.method == "link + code"


async def test_a_code_works_once_also_for_another_sign_in(clocked, enrolled):
    _, enrolment = enrolled
    code = code_now(clocked, enrolment)
    first = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    second = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    await second_factor.finish_sign_in(clocked, first.token, code, NOWHERE)

    with pytest.raises(SignInRefusedError, match="used already"):
        await second_factor.finish_sign_in(clocked, second.token, code, NOWHERE)
    with pytest.raises(SignInRefusedError):  # nor one from before it
        await second_factor.finish_sign_in(clocked, second.token, code_now(clocked, enrolment, -1), NOWHERE)


@pytest.mark.parametrize(("steps", "works"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_clocks_may_differ_by_half_a_minute(clocked, enrolled, steps, works):
    _, enrolment = enrolled
    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    code = code_now(clocked, enrolment, steps)

    if works:
        assert await second_factor.finish_sign_in(clocked, step.token, code, NOWHERE)
    else:
        with pytest.raises(SignInRefusedError):
            await second_factor.finish_sign_in(clocked, step.token, code, NOWHERE)


async def test_a_recovery_code_works_once_however_it_is_typed(clocked, enrolled):
    confirmed, _ = enrolled
    code = confirmed.recovery_codes[3].reveal()
    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)

    signed_in = await second_factor.finish_sign_in(clocked, step.token, f" {code.upper().replace('-', ' ')} ", NOWHERE)

    assert signed_in.session.method == "password + recovery code"
    again = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    with pytest.raises(SignInRefusedError):
        await second_factor.finish_sign_in(clocked, again.token, code, NOWHERE)
    assert (await second_factor.state(clocked, signed_in.token)).recovery_codes == 9


async def test_codes_are_guessed_five_times_in_five_minutes_and_twenty_times_a_day(clocked, enrolled):
    _, enrolment = enrolled
    guesses = 0
    for _ in range(8):
        step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
        for _ in range(6):
            try:
                await second_factor.finish_sign_in(clocked, step.token, "000000", NOWHERE)
            except SignInRefusedError:
                guesses += 1
            except TooManySignInsError:
                break
        clocked.clock.advance(301)

    assert guesses == 20
    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    with pytest.raises(TooManySignInsError):
        await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)


async def test_half_a_sign_in_is_over_after_five_minutes_and_when_it_was_finished(clocked, enrolled):
    _, enrolment = enrolled
    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    clocked.clock.advance(sign_in.STEP_SECONDS)
    with pytest.raises(SignInRefusedError, match="too long"):
        await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)

    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)
    clocked.clock.advance(30)
    with pytest.raises(SignInRefusedError, match="too long"):
        await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)


async def test_turning_it_on_ends_every_other_session_and_gives_this_one_another_token(clocked, with_password):
    signed_in = await with_password(of=clocked)
    other = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    enrolment = await second_factor.begin(clocked, signed_in.token, PASSWORD)

    confirmed = await second_factor.confirm(clocked, signed_in.token, code_now(clocked, enrolment))

    assert await sessions.authenticate(clocked, other.token) is None
    assert await sessions.authenticate(clocked, signed_in.token) is None
    assert await sessions.authenticate(clocked, confirmed.signed_in.token)


async def test_it_is_off_until_a_first_code_was_given_and_begun_with_the_password(clocked, with_password):
    signed_in = await with_password(of=clocked)

    with pytest.raises(SignInRefusedError, match="current password"):
        await second_factor.begin(clocked, signed_in.token, Secret("wrong"))
    enrolment = await second_factor.begin(clocked, signed_in.token, PASSWORD)
    with pytest.raises(SignInRefusedError):
        await second_factor.confirm(clocked, signed_in.token, "123456")

    assert isinstance(await sign_in.sign_in(clocked, "administrator", PASSWORD), SignedIn)
    clocked.clock.advance(3_700)
    with pytest.raises(FactorStateError):
        await second_factor.confirm(clocked, signed_in.token, code_now(clocked, enrolment))


async def test_it_is_turned_off_by_the_password_and_a_code_together(clocked, enrolled):
    confirmed, enrolment = enrolled
    token = confirmed.signed_in.token

    with pytest.raises(SignInRefusedError):
        await second_factor.turn_off(clocked, token, "000000", PASSWORD)
    with pytest.raises(SignInRefusedError):
        await second_factor.turn_off(clocked, token, code_now(clocked, enrolment), Secret("wrong"))
    after = await second_factor.turn_off(clocked, token, code_now(clocked, enrolment), PASSWORD)

    assert await sessions.authenticate(clocked, token) is None
    assert not (await second_factor.state(clocked, after.token)).on
    assert isinstance(await sign_in.sign_in(clocked, "administrator", PASSWORD), SignedIn)


async def test_what_is_kept_of_it_can_not_be_presented(clocked, enrolled):
    confirmed, enrolment = enrolled
    kept = ""
    async with clocked.db.connection() as connection:
        for table in ("second_factors", "recovery_codes", "sign_in_steps", "audit_events", "sessions"):
            kept += str(await fetch_all(connection, f"select * from {table}"))

    for secret in (enrolment.typed, enrolment.address, *confirmed.recovery_codes):
        assert secret.reveal() not in kept
        assert secret.reveal().replace("-", "") not in kept
        assert secret.reveal() not in repr(confirmed) + repr(enrolment)


async def test_it_outlives_the_exchange_of_the_projects_data_key(clocked, enrolled):
    _, enrolment = enrolled

    await rotation.rotate_data_key(clocked)

    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    assert await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)


async def test_a_factor_that_was_put_into_another_members_row_opens_nothing(clocked, enrolled, with_password):
    _, enrolment = enrolled
    await members.add_member(clocked, "mallory", "viewer")
    mallory = await with_password("mallory", of=clocked)
    async with clocked.db.across_projects().connection() as connection:
        await connection.execute(
            "insert into second_factors select %s, data_key, sealed, created_ns, confirmed_ns, 0 from second_factors",
            (mallory.member.id,),
        )
    step = await sign_in.sign_in(clocked, "mallory", PASSWORD)

    with pytest.raises(Exception, match="cannot be decrypted"):
        await second_factor.finish_sign_in(clocked, step.token, code_now(clocked, enrolment), NOWHERE)


@pytest.mark.parametrize(("required", "owners", "others"), [("none", False, False), ("owners", True, False), ("everybody", True, True)])  # fmt: skip
async def test_the_server_may_require_it_and_nothing_else_is_open_until_then(
    clocked, with_password, required, owners, others
):
    strict = replace(clocked, settings=msgspec.structs.replace(clocked.settings, require_totp=required))
    await members.add_member(strict, "vera", "viewer")
    by_owner, by_viewer = await with_password(of=strict), await with_password("vera", of=strict)

    found = [await sessions.authenticate(strict, each.token) for each in (by_owner, by_viewer)]

    assert [each.restricted for each in found] == [owners, others]
    actor = sessions.actor_of(found[0].member, found[0].session, restricted=found[0].restricted)
    assert actor.may("datasets.read") is not owners


async def test_a_required_factor_leaves_only_ones_own_account_open(application, public, clocked, with_password):
    application.state.context = replace(
        clocked, settings=msgspec.structs.replace(clocked.settings, require_totp="everybody")
    )
    signed_in = await with_password(of=clocked)
    public.cookies["flyball_session"] = signed_in.token.reveal()

    assert (await public.get("/datasets", headers={"accept": "text/html"})).status == 403
    assert (await public.get("/api/members")).status == 403
    assert "requires a second factor" in (await public.get("/account")).text


async def test_who_lost_it_is_helped_by_somebody_with_all_their_rights_everywhere(clocked, enrolled):
    await members.add_member(clocked, "carl", "owner")
    [carl] = [each for each in await members.list_members(clocked) if each.name == "carl"]

    with pytest.raises(ExceedsOwnRightsError, match="owner of the organisation"):
        await second_factor.reset(clocked.acting_as(sessions.actor_of(carl)), "administrator")
    await second_factor.reset(clocked, "administrator")

    assert isinstance(await sign_in.sign_in(clocked, "administrator", PASSWORD), SignedIn)
    assert (await audit.list_events(clocked, limit=2)).items[1].action == "members.remove_factor"


async def test_nobody_takes_the_factor_or_the_sessions_of_somebody_who_may_do_more_in_another_project(clocked):
    second = await tenants.create_project(clocked, "second")
    await members.add_member(clocked, "carl", "owner")
    await members.add_member(clocked, "dora", "viewer")
    await members.add_member(clocked.within(second.id, clocked.actor), "dora", "maintainer")
    [carl] = [each for each in await members.list_members(clocked) if each.name == "carl"]
    acting = clocked.acting_as(sessions.actor_of(carl))

    for deed in (second_factor.reset, sessions.sign_out_everywhere):
        with pytest.raises(ExceedsOwnRightsError, match="second"):
            await deed(acting, "dora")


async def test_half_a_sign_in_ends_when_a_provider_is_enforced(clocked, enrolled, declare):
    _, enrolment = enrolled
    link = await sign_in.create_sign_in_link(clocked)
    halves = [
        await sign_in.sign_in(clocked, "administrator", PASSWORD),
        await sign_in.use_sign_in_link(clocked, link.token),
    ]

    await declare("http://127.0.0.1:8009", "public", enforced=True)

    for half in halves:
        with pytest.raises(SignInRefusedError, match="too long"):
            await second_factor.finish_sign_in(clocked, half.token, code_now(clocked, enrolment), NOWHERE)


async def test_half_a_sign_in_by_password_is_not_finished_while_passwords_are_off(clocked, enrolled, declare):
    _, enrolment = enrolled
    await declare("http://127.0.0.1:8009", "public")
    link = await sign_in.create_sign_in_link(clocked)
    by_password = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    by_link = await sign_in.use_sign_in_link(clocked, link.token)
    async with clocked.db.transaction() as connection:
        await execute(connection, "update sign_in_providers set enforced = true")

    with pytest.raises(PasswordsOffError, match="the company"):
        await second_factor.finish_sign_in(clocked, by_password.token, code_now(clocked, enrolment), NOWHERE)
    assert await second_factor.finish_sign_in(clocked, by_link.token, code_now(clocked, enrolment), NOWHERE)


async def test_wrong_codes_are_in_the_record(clocked, enrolled):
    step = await sign_in.sign_in(clocked, "administrator", PASSWORD)
    with pytest.raises(SignInRefusedError):
        await second_factor.finish_sign_in(clocked, step.token, "000000", NOWHERE)

    newest, before = (await audit.list_events(clocked, limit=2)).items

    assert (newest.action, before.action) == ("sessions.refuse", "sessions.ask_code")


async def test_over_http_the_code_comes_with_the_password(application, public, clocked, enrolled):
    application.state.context = clocked
    _, enrolment = enrolled
    origin = {"origin": "http://127.0.0.1:4000"}
    told = {"name": "administrator", "password": PASSWORD.reveal()}

    owed = await public.post("/api/sessions", told, headers=origin)
    done = await public.post("/api/sessions", told | {"code": code_now(clocked, enrolment)}, headers=origin)

    assert (owed.status, owed.json()["error"]["code"]) == (401, "second_factor_needed")
    assert done.json()["method"] == "password + code"
