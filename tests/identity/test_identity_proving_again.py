"""Who changes how they sign in proves again who they are: the same question, whatever session asks, on the page and in the verb."""

import base64
from urllib.parse import urlsplit

import pytest

from flyball.audit import service as audit
from flyball.identity import providers, second_factor, sessions, sign_in, totp
from flyball.identity.errors import SignInRefusedError, TooManySignInsError
from flyball.identity.provider_records import ProviderWish
from flyball.identity.records import Whence
from flyball.kit.secrets import Secret
from flyball.projects import keys
from flyball.surface.http.cookies import SESSION_COOKIE

PASSWORD = Secret("four unrelated words")
NOWHERE = Whence()
NEW = Secret("some other unrelated words")
ASKED = ("password", "password + code", "invitation", "provider company", "provider link")
UNASKED = ("link", "link + code", "link + recovery code")


@pytest.fixture
async def came_by(clocked, with_password):
    """`await came_by(method)`: the session of a member with a password that began so."""

    async def began(method):
        member = (await with_password(of=clocked)).member
        async with clocked.db.across_projects().transaction() as connection:
            return await sessions.mint(connection, clocked, member, method, NOWHERE)

    return began


DEEDS = {
    "a new password": lambda ctx, token, current: sign_in.set_password(ctx, token, NEW, current),
    "a second factor": second_factor.begin,
    "an account with a provider": lambda ctx, token, current: second_factor.prove_for_linking(ctx, token, "", current),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("method", ASKED)
async def test_who_has_a_password_gives_it_whatever_session_asks(clocked, came_by, method, deed):
    signed_in = await came_by(method)

    for wrong in (None, Secret("wrong")):
        with pytest.raises(SignInRefusedError, match="current password"):
            await DEEDS[deed](clocked, signed_in.token, wrong)
    await DEEDS[deed](clocked, signed_in.token, PASSWORD)


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("method", UNASKED)
async def test_who_came_by_a_link_need_not_since_that_is_how_a_forgotten_one_is_replaced(
    clocked, came_by, method, deed
):
    signed_in = await came_by(method)

    await DEEDS[deed](clocked, signed_in.token, None)


@pytest.mark.parametrize("method", [*ASKED, *UNASKED])
async def test_the_page_asks_where_the_verb_does(ctx, clocked, came_by, public, application, method):
    application.state.context = clocked
    await providers.set_provider(
        clocked, "company", ProviderWish(issuer="https://idp.example.org", client_id="flyball", client_auth="none")
    )
    signed_in = await came_by(method)
    public.cookies[SESSION_COOKIE] = signed_in.token.reveal()

    page = (await public.get("/account")).text

    assert page.count('name="current"') == (3 if method in ASKED else 0)  # password, second factor, provider


async def test_linking_takes_a_code_where_there_is_a_second_factor(clocked, with_password):
    signed_in = await with_password(of=clocked)
    enrolment = await second_factor.begin(clocked, signed_in.token, PASSWORD)
    confirmed = await second_factor.confirm(clocked, signed_in.token, _code(clocked, enrolment))
    token = confirmed.signed_in.token
    clocked.clock.advance(90)

    with pytest.raises(SignInRefusedError, match="code is wrong"):
        await second_factor.prove_for_linking(clocked, token, "", PASSWORD)
    await second_factor.prove_for_linking(clocked, token, _code(clocked, enrolment), PASSWORD)

    assert (await audit.list_events(clocked, limit=1)).items[0].action == "members.begin_link"


def _code(ctx, enrolment):
    typed = enrolment.typed.reveal()
    return totp.code_of(base64.b32decode(typed + "=" * (-len(typed) % 8)), totp.step_at(ctx.clock.now_ns()))


async def test_passwords_are_not_guessed_by_linking(clocked, came_by):
    signed_in = await came_by("provider company")

    for _ in range(10):
        with pytest.raises(SignInRefusedError):
            await second_factor.prove_for_linking(clocked, signed_in.token, "", Secret("wrong"))
    with pytest.raises(TooManySignInsError):
        await second_factor.prove_for_linking(clocked, signed_in.token, "", PASSWORD)


async def test_a_stolen_session_links_no_account(ctx, with_password, public, hostile, declare):
    await declare(hostile.issuer, "public")
    signed_in = await with_password(of=ctx)
    public.cookies[SESSION_COOKIE] = signed_in.token.reveal()
    token = (await public.get("/account")).text.partition('name="csrf_token" value="')[2].partition('"')[0]

    refused = await public.send("POST", "/account/identities", form={"csrf_token": token, "provider": "company"})
    begun = "flyball_sign_in" in public.cookies
    shown = await public.send(
        "POST", "/account/identities", form={"csrf_token": token, "provider": "company", "current": PASSWORD.reveal()}
    )

    assert (refused.status, urlsplit(refused.header("location")).path) == (303, "/account")
    assert not begun
    assert hostile.issuer in shown.text


async def test_who_is_no_member_signs_nobody_out_and_leaves_no_word_of_it(ctx, public, admin, with_password):
    await with_password(of=ctx)
    _, secret = await keys.create_key(ctx, "app", "owner")
    before = (await audit.list_events(ctx, limit=1)).items[0]

    answered = await public.send("DELETE", "/api/sessions/own", headers={"authorization": f"Bearer {secret.reveal()}"})

    by_operator = await admin.send("DELETE", "/api/sessions/own")

    for each in (answered, by_operator):
        assert (each.status, each.json()["error"]["code"]) == (403, "no_member")
    assert (await audit.list_events(ctx, limit=1)).items[0] == before
    assert len(await sessions.list_sessions(ctx)) == 1
