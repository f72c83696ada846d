"""surface.http: a browser's request counts only when one of our own pages sent it."""

import base64

import msgspec
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from flyball.infra.context import Actor
from flyball.surface.http import PUBLIC, Json, Router, form_token
from flyball.surface.http.answers import install_error_answers
from flyball.surface.http.cookies import came_by_https, set_session_cookie
from flyball.surface.http.identity import Proof
from flyball.surface.http.router import install
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient

ORIGIN = {"origin": "http://127.0.0.1:4000"}


def make_router() -> Router:
    router = Router(tag="things")

    @router.get("/form", permission=PUBLIC, returns=str)
    async def form(request: Request) -> str:
        """A page with a form."""
        return form_token(request)

    @router.post("/form", permission="things.write", returns=str)
    async def send(request: Request) -> str:
        """What the form does."""
        return "done"

    @router.post("/api/things", permission="things.write", returns=str)
    async def make() -> str:
        """What a script does."""
        return "done"

    @router.post("/sign-in", permission=PUBLIC, returns=str)
    async def sign_in(request: Request) -> Json:
        """Sign in."""
        set_session_cookie(request, "the-session", seconds=60)
        return Json("in")

    @router.get("/follow", permission=PUBLIC, returns=str)
    async def follow(request: Request) -> Json:
        """What a browser asks for that follows a link back from elsewhere."""
        set_session_cookie(request, "the-session", seconds=60)
        return Json("https" if came_by_https(request) else "http")

    return router


async def prove(ctx, *, bearer, session, address=""):
    if (bearer or session).reveal() not in ("the-session", "the-key"):
        return None
    return Proof(actor=Actor(id="m", kind="member", name="m"), project="default")


@pytest.fixture
def browser(ctx, settings):
    app = FastAPI(openapi_url=None)
    install(app, [make_router()])
    install_error_answers(app)
    app.state.context = ctx
    app.state.prover = prove
    return AsgiClient(Shield(app, door="public", settings=settings))


@pytest.fixture
def member(browser):
    browser.cookies["flyball_session"] = "the-session"
    return browser


async def test_a_form_with_its_token_is_accepted(member):
    token = (await member.get("/form")).json()

    assert (await member.post("/form", form={"csrf_token": token})).status == 200
    assert (await member.post("/form", form={"csrf_token": token}, headers=ORIGIN)).status == 200


@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
async def test_a_form_without_its_token_is_refused_even_from_the_same_origin(member, token):
    answered = await member.post("/form", form={"csrf_token": token} if token is not None else {}, headers=ORIGIN)

    assert answered.status == 403
    assert answered.json()["error"]["code"] == "forged_request"


async def test_the_token_of_another_session_is_refused(member):
    token = (await member.get("/form")).json()
    member.cookies["flyball_session"] = "the-session-of-another"

    assert (await member.post("/form", form={"csrf_token": token})).status in (401, 403)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:4001"},
     {"referer": "https://evil.example/page"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
async def test_another_origin_is_refused_even_with_the_token(member, headers):
    token = (await member.get("/form")).json()

    assert (await member.post("/form", form={"csrf_token": token}, headers=headers)).status == 403


async def test_the_api_with_a_cookie_needs_the_origin_or_the_header(member):
    token = (await member.get("/form")).json()

    assert (await member.post("/api/things")).status == 403
    assert (await member.post("/api/things", headers=ORIGIN)).status == 200
    assert (await member.post("/api/things", headers={"x-flyball-csrf": token})).status == 200
    assert (await member.post("/api/things", headers={"x-flyball-csrf": "wrong"})).status == 403


async def test_a_key_needs_neither(browser):
    assert (await browser.post("/api/things", headers={"authorization": "Bearer the-key"})).status == 200
    assert (await browser.post("/form", headers={"authorization": "Bearer the-key"})).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Basic " + base64.b64encode(b"anybody:the-key").decode()}, {"x-api-key": "the-key"}],
    ids=["as a password", "as x-api-key"],
)
async def test_a_key_travels_as_clients_of_others_send_it(browser, headers):
    assert (await browser.post("/api/things", headers=headers)).status == 200


async def test_a_password_that_a_browser_sends_by_itself_serves_no_other_site(browser):
    basic = {"authorization": "Basic " + base64.b64encode(b"anybody:the-key").decode()}

    assert (await browser.post("/api/things", headers=basic | {"origin": "https://evil.example"})).status == 403
    assert (await browser.post("/form", headers=basic | {"sec-fetch-site": "cross-site"})).status == 403


async def test_signing_in_needs_a_token_of_the_same_browser(browser):
    assert (await browser.post("/sign-in", form={}, headers=ORIGIN)).status == 403

    token = (await browser.get("/form")).json()
    browser_of_the_victim = AsgiClient(browser.app)

    assert (await browser_of_the_victim.post("/sign-in", form={"csrf_token": token})).status == 403
    assert (await browser.post("/sign-in", form={"csrf_token": token})).status == 200
    assert browser.cookies["flyball_session"] == "the-session"


@pytest.mark.parametrize("told", [{"x-forwarded-proto": "https"}, {"origin": "https://127.0.0.1:4000"}])
async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(browser, told):
    token = (await browser.get("/form")).json()

    plain = (await browser.post("/sign-in", form={"csrf_token": token})).header("set-cookie")
    token = (await browser.get("/form")).json()
    behind_tls = (await browser.post("/sign-in", form={"csrf_token": token}, headers=told)).header("set-cookie")

    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Path=/" in plain
    assert "Secure" not in plain
    assert "Secure" in behind_tls


HTTPS_BY_SETTINGS = (
    {"tls": "proxy"},
    {"tls_certificate": "/etc/flyball/cert.pem", "tls_key": "/etc/flyball/key.pem"},
    {"public_url": "https://flyball.example.com", "allowed_hosts": "flyball.example.com"},
)
PLAIN_BY_SETTINGS = ({}, {"tls": "none-i-know"}, {"public_url": "http://flyball.example.com"})


def under(browser, settings, told) -> AsgiClient:
    inner = browser.app._app
    return AsgiClient(Shield(inner, door="public", settings=msgspec.structs.replace(settings, **told)))


@pytest.mark.parametrize("told", HTTPS_BY_SETTINGS)
async def test_where_the_settings_mean_https_cookies_are_secure_whatever_a_request_says(browser, settings, told):
    there = under(browser, settings, told)

    followed = await there.get("/follow", headers={"x-forwarded-proto": "http"})  # a link from a provider: no Origin

    assert "Secure" in followed.header("set-cookie")
    assert followed.json() == "https"
    assert followed.header("strict-transport-security") == "max-age=31536000"


@pytest.mark.parametrize("told", PLAIN_BY_SETTINGS)
async def test_where_they_do_not_nothing_is_held_to_https(browser, settings, told):
    there = under(browser, settings, told)

    plain = await there.get("/follow")
    encrypted = await there.get("/follow", headers={"x-forwarded-proto": "https"})

    assert "Secure" not in plain.header("set-cookie")
    assert plain.json() == "http"
    assert "Secure" in encrypted.header("set-cookie")
    assert not plain.header("strict-transport-security")
    assert not encrypted.header("strict-transport-security")


async def test_the_name_localhost_is_never_held_to_https(browser, settings):
    there = under(browser, settings, {"tls": "proxy"})

    assert not (await there.get("/healthz", headers={"host": "localhost:4000"})).header("strict-transport-security")
    assert (await there.get("/nowhere")).header("strict-transport-security")


async def test_the_admin_socket_is_no_browsers_and_says_nothing_of_https(browser, settings):
    inner = browser.app._app
    there = AsgiClient(Shield(inner, door="admin", settings=msgspec.structs.replace(settings, tls="proxy")))

    assert not (await there.get("/follow")).header("strict-transport-security")
