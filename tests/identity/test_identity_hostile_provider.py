"""Providers that lie, hurry, dawdle or send elsewhere: nobody comes in by them, the answer says nothing, the record does."""

import base64
import json
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey, RSAKey

from flyball.audit import service as audit
from flyball.identity import providers, sessions
from flyball.identity.errors import ProviderAwayError, ProviderInvalidError
from flyball.identity.oidc import metadata as metadata_of
from flyball.identity.provider_records import GroupRole, ProviderWish
from flyball.identity.single_sign_on import check, providers_of
from flyball.projects import members, tenants
from flyball.projects.errors import ExceedsOwnRightsError


async def begin(public, hostile):
    """Set out for the provider; what the browser was sent with."""
    sent = await public.get("/sign-in/with/company?next=/datasets")
    assert sent.status == 303
    assert sent.header("location").startswith("http"), sent.header("set-cookie")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.header("location")).query).items()}
    hostile.nonce = asked["nonce"]
    return asked


async def come_back(public, asked, **more):
    query = {"code": "a-code", "state": asked["state"]} | more
    return await public.get(
        "/sign-in/with/company/return?" + "&".join(f"{name}={value}" for name, value in query.items())
    )


async def signed_in_by(public, hostile) -> bool:
    landed = await come_back(public, await begin(public, hostile))
    assert landed.status == 303
    return (await public.get("/api/me")).status == 200


async def test_an_honest_provider_lets_a_member_in_and_leads_to_the_page_that_was_asked_for(hostile, declare, public):
    await declare(hostile.issuer, "public")

    landed = await come_back(public, await begin(public, hostile))

    assert landed.header("location") == "/datasets"
    assert (await public.get("/api/me")).json()["name"] == "maria"


async def test_the_browser_is_sent_with_a_challenge_and_the_code_comes_with_what_it_is_the_hash_of(
    hostile, declare, public
):
    import hashlib

    await declare(hostile.issuer, "public")
    asked = await begin(public, hostile)
    await come_back(public, asked)

    [form] = [form for path, form in hostile.asked if path == "/token"]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert asked["code_challenge_method"] == "S256"
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    assert form["redirect_uri"] == asked["redirect_uri"] == "http://127.0.0.1:4000/sign-in/with/company/return"


def nested(deep):
    return [nested(deep - 1)] if deep else []


NOW = int(time.time())
LIES = {
    "another issuer": {"iss": "https://accounts.example.com"},
    "another audience": {"aud": "somebody-else"},
    "no audience": {"aud": None},
    "an audience of numbers": {"aud": [1, 2]},
    "two audiences and no party": {"aud": ["public", "another"]},
    "another party": {"azp": "another"},
    "another nonce": {"nonce": "stale"},
    "no nonce": {"nonce": None},
    "expired": {"exp": NOW - 3_600, "iat": NOW - 4_000},
    "expired a moment beyond the leeway": {"exp": NOW - 70},
    "no expiry": {"exp": None},
    "an expiry in words": {"exp": "tomorrow"},
    "an endless expiry": {"exp": True},
    "from the future": {"iat": NOW + 7_200, "exp": NOW + 9_000},
    "not yet": {"nbf": NOW + 7_200},
    "days old": {"iat": NOW - 3 * 86_400},
    "no time": {"iat": None},
    "nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a name that is no text": {"sub": {"$ne": ""}},
    "a name without end": {"sub": "x" * 300},
    "a name that no database keeps": {"sub": "maria\x00"},
    "claims that nest without end": {"groups": nested(300)},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_claims_that_do_not_fit_let_nobody_in(hostile, declare, public, ctx, lie):
    await declare(hostile.issuer, "public")
    hostile.claims = LIES[lie]

    assert not await signed_in_by(public, hostile)

    assert await members.list_members(ctx) == ()
    newest = (await audit.list_events(ctx, limit=1)).items[0]
    assert (newest.action, newest.object_kind, newest.object_id) == ("sessions.refuse", "provider", "company")


FORGERIES = {
    "no signature": lambda hostile: hostile.unsigned(),
    "the public key as a shared secret": lambda hostile: hostile.by_public_key_as_secret(),
    "a key of its own inside": lambda hostile: hostile.with_own_key_inside(),
    "another key under the same name": lambda hostile: hostile.signed(RSAKey.generate_key(2048)),
    "a key that nobody published": lambda hostile: hostile.signed(RSAKey.generate_key(2048), kid="unheard"),
    "another kind of key": lambda hostile: hostile.signed(ECKey.generate_key("P-256"), "ES256"),
    "a short key": lambda hostile: hostile.signed(short_key(hostile)),
    "a header that must be understood": lambda hostile: _with_header(hostile.signed(), crit=["exp"]),
    "an algorithm that is a list": lambda hostile: _with_header(hostile.signed(), alg=["RS256"]),
    "an algorithm that is an object": lambda hostile: _with_header(hostile.signed(), alg={"RS256": "RS256"}),
    "a key's name that is a list": lambda hostile: _with_header(hostile.signed(), kid=["first"]),
    "a header that is a list": lambda hostile: "WyJSUzI1NiJd" + hostile.signed()[hostile.signed().index(".") :],
    "a header that nests without end": lambda hostile: _part(b"[" * 40_000) + "." + hostile.signed().partition(".")[2],
    "claims exchanged": lambda hostile: _exchanged(hostile.signed()),
    "five parts": lambda _: "a.b.c.d.e",
    "not text": lambda _: 17,
    "nothing": lambda _: "",
    "no base64": lambda _: "???.???.???",
    "a megabyte": lambda hostile: hostile.signed() + "A" * 200_000,
}


def short_key(hostile):
    hostile.key = RSAKey.generate_key(1024, {"kid": "first"})
    return hostile.key


def _with_header(token, **more):
    head, _, rest = token.partition(".")
    told = json.loads(base64.urlsafe_b64decode(head + "==")) | more
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=") + "." + rest


def _part(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _exchanged(token):
    head, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"sub": "administrator"}
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_forged_tokens_let_nobody_in(hostile, declare, public, ctx, forgery):
    await declare(hostile.issuer, "public")
    hostile.token = lambda: FORGERIES[forgery](hostile)

    assert not await signed_in_by(public, hostile)

    assert await members.list_members(ctx) == ()
    assert await sessions.list_sessions(ctx) == ()
    newest = (await audit.list_events(ctx, limit=1)).items[0]
    assert (newest.action, newest.object_kind, newest.object_id) == ("sessions.refuse", "provider", "company")


async def test_a_foreign_state_lets_nobody_in(hostile, declare, public):
    await declare(hostile.issuer, "public")
    asked = await begin(public, hostile)

    for state in ("", "forged", asked["state"][:-1], asked["nonce"]):
        kept = dict(public.cookies)
        await come_back(public, asked | {"state": state})
        assert (await public.get("/api/me")).status == 401
        public.cookies.update(kept)
    assert [path for path, _ in hostile.asked if path == "/token"] == []


async def test_another_browser_cannot_finish_what_this_one_began(hostile, declare, public):
    await declare(hostile.issuer, "public")
    asked = await begin(public, hostile)
    public.cookies.clear()

    landed = await come_back(public, asked)

    assert landed.header("location") == "/sign-in"
    assert "flyball_session" not in public.cookies


async def test_a_cookie_that_was_changed_is_none(hostile, declare, public):
    await declare(hostile.issuer, "public")
    asked = await begin(public, hostile)
    told, _, signature = public.cookies["flyball_sign_in"].partition(".")
    flow = json.loads(base64.urlsafe_b64decode(told)) | {"next": "//elsewhere.example"}
    public.cookies["flyball_sign_in"] = base64.urlsafe_b64encode(json.dumps(flow).encode()).decode() + "." + signature

    landed = await come_back(public, asked)

    assert landed.header("location") == "/sign-in"


async def test_what_is_begun_is_over_after_ten_minutes_also_by_a_clock_that_is_set_back(
    hostile, declare, public, application, clocked
):
    application.state.context = clocked
    clocked.clock.advance(time.time() - clocked.clock.now_ns() / 1e9)
    await declare(hostile.issuer, "public")
    for seconds in (601, -3 * 86_400):
        asked = await begin(public, hostile)
        clocked.clock.advance(seconds)
        landed = await come_back(public, asked)
        assert landed.header("location") == "/sign-in"
    assert "flyball_session" not in public.cookies


async def test_an_answer_of_another_provider_is_not_mixed_up_with_this_ones(hostile, declare, public, ctx):
    await declare(hostile.issuer, "public")
    await providers.set_provider(
        ctx, "other", ProviderWish(issuer="https://other.example", client_id="x", client_auth="none", joining="anybody")
    )
    asked = await begin(public, hostile)

    elsewhere = await public.get(f"/sign-in/with/other/return?code=a&state={asked['state']}")
    public.cookies["flyball_sign_in"] = public.cookies.get("flyball_sign_in", "")
    named = await come_back(public, await begin(public, hostile), iss="https://other.example")
    twice = await come_back(public, await begin(public, hostile), code="a&code=b")

    assert {each.header("location") for each in (elsewhere, named, twice)} == {"/sign-in"}
    assert [path for path, _ in hostile.asked if path == "/token"] == []


async def test_a_provider_that_promises_to_name_itself_has_to(hostile, declare, public):
    hostile.configuration = {"authorization_response_iss_parameter_supported": True}
    await declare(hostile.issuer, "public")

    assert (await come_back(public, await begin(public, hostile))).header("location") == "/sign-in"
    assert (await come_back(public, await begin(public, hostile), iss=hostile.issuer)).header("location") == "/datasets"


@pytest.mark.parametrize(
    "next_",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/%0d%0aset-cookie:x=1\r\nx",
    ],
)
async def test_the_page_to_see_afterwards_is_ours_however_it_is_written(hostile, declare, public, next_):
    from urllib.parse import quote

    await declare(hostile.issuer, "public")
    sent = await public.get(f"/sign-in/with/company?next={quote(next_)}")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.header("location")).query).items()}
    hostile.nonce = asked["nonce"]

    landed = await come_back(public, asked)

    assert landed.header("location") == "/"


async def test_a_host_that_is_not_ours_is_never_part_of_the_way_back(hostile, declare, public):
    await declare(hostile.issuer, "public")

    refused = await public.get("/sign-in/with/company", headers={"host": "evil.example"})

    assert refused.status == 421


async def test_the_settings_say_where_we_are_reached(hostile, declare, public, application, ctx):
    import msgspec

    settings = msgspec.structs.replace(ctx.settings, public_url="https://flyball.example.com/")
    application.state.context = replace(ctx, settings=settings)
    await declare(hostile.issuer, "public")

    asked = await begin(public, hostile)

    assert asked["redirect_uri"] == "https://flyball.example.com/sign-in/with/company/return"


def huge():
    return 200, {}, b'{"a": "' + b"x" * 400_000 + b'"}'


def deep():
    return 200, {}, b"[" * 50_000


def slow():
    time.sleep(3)
    return 200, {}, b"{}"


def elsewhere(status=302):
    return status, {"location": "http://169.254.169.254/latest/meta-data/"}, b""


DOCUMENTS = {
    "another issuer": {"issuer": "https://accounts.example.com"},
    "an issuer with a slash more": lambda hostile: {"issuer": hostile.issuer + "/"},
    "tokens at a private address": {"token_endpoint": "http://10.0.0.1/token"},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "no keys": {"jwks_uri": None},
    "only plain challenges": {"code_challenge_methods_supported": ["plain"]},
    "a script to be opened": {"authorization_endpoint": "javascript:alert(1)"},
    "numbers for addresses": {"authorization_endpoint": 17},
}


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_a_configuration_that_leads_elsewhere_is_of_no_use(hostile, declare, public, document):
    told = DOCUMENTS[document]
    hostile.configuration = told(hostile) if callable(told) else told
    await declare(hostile.issuer, "public")

    sent = await public.get("/sign-in/with/company")

    if sent.header("location") != "/sign-in":  # an address inside is refused when it is called
        hostile.nonce = parse_qs(urlsplit(sent.header("location")).query)["nonce"][0]
        await come_back(public, {"state": parse_qs(urlsplit(sent.header("location")).query)["state"][0]})
    assert (await public.get("/api/me")).status == 401


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize(
    "answer", [huge, deep, slow, elsewhere, lambda: (200, {}, b"\xff\xfe"), lambda: (500, {}, b"")]
)
async def test_answers_that_are_huge_deep_slow_or_lead_elsewhere_let_nobody_in(
    hostile, declare, public, path, answer, monkeypatch
):
    monkeypatch.setattr(metadata_of, "_SECONDS", 2 if answer is slow else 20)
    hostile.answers[path] = answer
    await declare(hostile.issuer, "public")

    sent = await public.get("/sign-in/with/company")
    if path == "/token":
        query = parse_qs(urlsplit(sent.header("location")).query)
        sent = await come_back(public, {"state": query["state"][0]})

    assert sent.header("location") == "/sign-in"
    assert (await public.get("/api/me")).status == 401
    notice = base64.urlsafe_b64decode(public.cookies["flyball_notice"] + "==").decode()
    assert "the company cannot be used now" in notice
    assert "169.254" not in notice
    assert "500" not in notice


async def test_a_provider_in_a_private_network_has_to_be_listed(public, declare, application, ctx, hostile):
    import msgspec

    application.state.context = replace(ctx, settings=msgspec.structs.replace(ctx.settings, allowed_networks=""))
    await declare(hostile.issuer, "public")
    provider = await providers.get_provider(ctx, "company")
    providers_of(application.state.context)

    with pytest.raises(ProviderAwayError, match="this machine"):
        await check(application.state.context, provider)

    assert hostile.asked == []


async def test_what_is_known_of_one_issuer_is_not_taken_for_another_that_begins_alike(hostile, ctx):
    known = providers_of(ctx)

    await known.metadata(hostile.issuer)

    with pytest.raises(metadata_of.ProviderAnswerError, match="calls itself"):
        await known.metadata(hostile.issuer + "/")


WRONG = {
    "no encryption": {"issuer": "http://accounts.example.com"},
    "a query": {"issuer": "https://accounts.example.com/?tenant=a"},
    "a secret itself": {"client_secret": "hunter2"},
    "a public client with a secret": {"client_auth": "none", "client_secret": "secret:a"},
    "groups without a claim": {"groups": (GroupRole(group="a", project="default", role="viewer"),)},
    "a project that is not there": {
        "groups_claim": "groups",
        "groups": (GroupRole(group="a", project="nowhere", role="viewer"),),
    },
    "linking by address without domains": {"link_by_email": True},
    "a domain that is none": {"domains": ("exa mple.org",)},
    "a scope that is two": {"scopes": ("openid email",)},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_provider_that_cannot_work_is_not_declared(ctx, wrong):
    wish = {"issuer": "https://accounts.example.com", "client_id": "flyball", "client_secret": "secret:idp"}

    with pytest.raises(ProviderInvalidError):
        await providers.set_provider(ctx, "company", ProviderWish(**wish | WRONG[wrong]))

    assert await providers.list_providers(ctx) == ()


async def test_the_issuer_of_a_provider_never_changes(ctx):
    wish = ProviderWish(issuer="https://accounts.example.com", client_id="flyball", client_secret="secret:idp")
    await providers.set_provider(ctx, "company", wish)

    with pytest.raises(ProviderInvalidError, match="that issuer's"):
        await providers.set_provider(
            ctx, "company", ProviderWish(issuer="https://evil.example", client_id="flyball", client_secret="secret:idp")
        )


async def test_only_owners_of_the_organisation_declare_and_only_the_operator_names_what_lies_outside(ctx):
    organisation, project, olga = await tenants.create_organisation(ctx, "others", "olga")
    owner = ctx.within(project.id, sessions.actor_of(olga))
    await members.add_member(owner, "carl", "owner")
    [carl] = [each for each in await members.list_members(owner) if each.name == "carl"]
    by_secret = ProviderWish(issuer="https://accounts.example.com", client_id="flyball", client_secret="secret:idp")
    by_variable = ProviderWish(issuer="https://evil.example", client_id="flyball", client_secret="env:OPENAI_API_KEY")

    with pytest.raises(ExceedsOwnRightsError):
        await providers.set_provider(owner.acting_as(sessions.actor_of(carl)), "theirs", by_secret)
    with pytest.raises(ExceedsOwnRightsError, match="operator"):
        await providers.set_provider(owner, "theirs", by_variable)
    assert (await providers.set_provider(owner, "theirs", by_secret)).organisation == organisation.id
    assert await providers.list_providers(ctx) == ()
