"""Whose buttons are on which page of signing in: nobody's on another's, and nothing is said of who is there."""

from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest

from flyball.identity import providers, sessions
from flyball.identity.provider_records import ProviderWish
from flyball.projects import tenants
from flyball.surface.http.cookies import SESSION_COOKIE
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient

EVIL = ProviderWish(
    issuer="https://evil.example", client_id="flyball", client_auth="none", label="the default organisation"
)
OURS = ProviderWish(issuer="https://idp.example.org", client_id="flyball", client_auth="none", label="the company")


@pytest.fixture
async def acme(ctx):
    """The context of an owner of another organisation, which has declared a provider."""
    _, project, olga = await tenants.create_organisation(ctx, "acme", "olga")
    owner = ctx.within(project.id, sessions.actor_of(olga))
    await providers.set_provider(owner, "acme", EVIL)
    return owner


async def test_the_page_of_signing_in_has_the_operators_buttons_alone(ctx, acme, public):
    await providers.set_provider(ctx, "company", OURS)

    page = (await public.get("/sign-in")).text

    assert "Sign in with the company" in page
    assert "the default organisation" not in page
    assert "/sign-in/with/acme" not in page


async def test_an_organisation_has_a_page_of_its_own(ctx, acme, public):
    await providers.set_provider(ctx, "company", OURS)

    found = await public.get("/sign-in/to?organisation=acme&next=/datasets")
    page = (await public.get("/sign-in/to/acme?next=/datasets")).text

    assert found.header("location") == "/sign-in/to/acme?next=%2Fdatasets"
    assert "Sign in to acme" in page
    assert 'href="/sign-in/with/acme?next=%2Fdatasets"' in page
    assert "the company" not in page


async def test_an_organisation_that_is_not_there_looks_like_one_without_providers(ctx, public):
    await tenants.create_organisation(ctx, "quiet", "quentin")

    there = (await public.get("/sign-in/to/quiet")).text
    nowhere = (await public.get("/sign-in/to/nowhere")).text

    assert there == nowhere
    assert "nowhere" not in nowhere


@pytest.mark.parametrize("name", ["//evil.example", "https://evil.example", "../with/acme", "a/../../b", "\\evil"])
async def test_the_way_to_an_organisations_page_leads_nowhere_else(public, name):
    found = await public.get(f"/sign-in/to?organisation={quote(name, safe='')}&next=//evil.example")

    assert found.header("location") == f"/sign-in/to/{quote(name, safe='')}"


async def test_what_goes_wrong_with_a_provider_is_said_on_its_organisations_page(acme, public):
    refused = await public.get("/sign-in/with/acme/return?code=a&state=b")

    assert refused.header("location") == "/sign-in/to/acme"


async def test_the_form_of_a_provider_says_where_its_button_is(ctx, acme, public, with_password):
    signed_in = await with_password("olga", of=acme)
    public.cookies[SESSION_COOKIE] = signed_in.token.reveal()

    page = (await public.get("/providers/acme")).text

    assert "/sign-in/to/acme" in page


async def test_behind_a_proxy_that_is_not_listed_the_provider_returns_by_https_and_the_session_is_secure(
    application, settings, hostile, declare
):
    await declare(hostile.issuer, "public")
    there = AsgiClient(
        Shield(application, door="public", settings=msgspec.structs.replace(settings, tls="proxy")),
        x_forwarded_proto="http",
    )

    sent = await there.get("/sign-in/with/company")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.header("location")).query).items()}
    hostile.nonce = asked["nonce"]
    landed = await there.get(f"/sign-in/with/company/return?code=a-code&state={asked['state']}")

    assert asked["redirect_uri"].startswith("https://")
    [cookie] = [each for each in landed.headers["set-cookie"] if each.startswith("flyball_session=")]
    assert "Secure" in cookie
