"""Vertex AI: where a model is asked, and how a service account comes to its tokens, against a token server on loopback."""

import asyncio
import base64
from urllib.parse import parse_qs

import httptools
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth import jwt
from google.oauth2.service_account import Credentials

from flyball.kit.clock import FixedClock
from flyball.kit.secrets import Secret
from flyball.llm.errors import UpstreamCutError, UpstreamError, UpstreamRefusedError
from flyball.llm.providers.protocol import Ask, Upstream
from flyball.llm.providers.vertex import Vertex
from flyball.llm.wire import Wire

KEY = generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
EMAIL = "flyball@shop.iam.gserviceaccount.com"
ASK = Ask("gemini", "generate", stream=False, body=b"{}")


class TokenServer:
    """Grants a new token to each who asks, or answers as it is told. `hold` keeps it from answering."""

    def __init__(self):
        self.asked = []
        self.answer = None
        self.hold = asyncio.Event()
        self.hold.set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.uri = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/token"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        request = _Request()
        parser = httptools.HttpRequestParser(request)
        while not request.complete and (data := await reader.read(65536)):
            parser.feed_data(data)
        if request.complete:
            self.asked.append(request)
            await self.hold.wait()
            granted = {"access_token": f"ya29.token-{len(self.asked)}", "expires_in": 3600, "token_type": "Bearer"}
            status, body = self.answer or (200, msgspec.json.encode(granted))
            writer.write(
                b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body
            )
        writer.close()


class _Request:
    def __init__(self):
        self.headers, self.body, self.complete = {}, b"", False

    def on_header(self, name, value):
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.complete = True

    @property
    def assertion(self):
        return parse_qs(self.body.decode())["assertion"][0]


@pytest.fixture
async def tokens():
    async with TokenServer() as tokens:
        yield tokens


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
async def wire(clock):
    async with Wire(clock, connect_seconds=1, idle_seconds=5) as wire:
        yield wire


def account(uri, **changes):
    return msgspec.json.encode(
        {
            "type": "service_account",
            "project_id": "shop",
            "private_key_id": "k1",
            "private_key": PEM,
            "client_email": EMAIL,
            "token_uri": uri,
            **changes,
        }
    ).decode()


def upstream(uri="", **changes):
    told = {"vendor": "vertex", "base_url": "", "model": "gemini-2.5-pro", "project": "shop", "location": "global"}
    secret = {"service_account": Secret(account(uri))} if uri else {}
    return Upstream(**{**told, **secret, **changes})


def bearer(order):
    return dict(order.secrets)["authorization"]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
async def test_the_address_follows_the_location(wire, location, host):
    order = await Vertex().order(upstream(location=location, api_key=Secret("ya29.ready")), ASK, wire)

    assert order.url == (
        f"https://{host}/v1/projects/shop/locations/{location}/publishers/google/models/gemini-2.5-pro:generateContent"
    )


async def test_streams_and_counts_have_paths_of_their_own(wire):
    at = upstream(api_key=Secret("ya29.ready"))

    streamed = await Vertex().order(at, ASK._replace(stream=True), wire)
    counted = await Vertex().order(at, ASK._replace(verb="count_tokens"), wire)

    assert streamed.url.endswith("/gemini-2.5-pro:streamGenerateContent?alt=sse")
    assert counted.url.endswith("/gemini-2.5-pro:countTokens")


async def test_claude_is_spoken_to_in_its_own_dialect_with_the_model_in_the_path_alone(wire):
    at = upstream(model="claude-sonnet-4-5@20250929", location="us-east5", api_key=Secret("ya29.ready"))
    ask = Ask("anthropic_messages", "generate", stream=True, body=b'{"model":"claude","max_tokens":5,"stream":true}')

    order = await Vertex().order(at, ask, wire)

    assert Vertex().dialects(at) == ("anthropic_messages",)
    assert order.url == (
        "https://us-east5-aiplatform.googleapis.com/v1/projects/shop/locations/us-east5/publishers/anthropic/models/"
        "claude-sonnet-4-5%4020250929:streamRawPredict"
    )
    assert msgspec.json.decode(order.body) == {
        "max_tokens": 5,
        "stream": True,
        "anthropic_version": "vertex-2023-10-16",
    }


async def test_claudes_tokens_are_counted_by_a_model_of_that_name(wire):
    at = upstream(model="claude-haiku-4-5", api_key=Secret("ya29.ready"))
    ask = Ask("anthropic_messages", "count_tokens", stream=False, body=b'{"model":"claude-haiku-4-5","messages":[]}')

    order = await Vertex().order(at, ask, wire)

    assert order.url.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert msgspec.json.decode(order.body)["model"] == "claude-haiku-4-5"


async def test_the_models_of_others_are_spoken_to_in_openais_chat(wire):
    at = upstream(model="meta/llama-4-maverick-17b-128e-instruct-maas", api_key=Secret("ya29.ready"))

    order = await Vertex().order(at, Ask("openai_chat", "generate", stream=False, body=b"{}"), wire)

    assert Vertex().dialects(at) == ("openai_chat",)
    assert order.url.endswith("/locations/global/endpoints/openapi/chat/completions")


async def test_an_account_signs_for_a_token_as_googles_own_client_does(wire, tokens, clock):
    order = await Vertex().order(upstream(tokens.uri), ASK, wire)

    asked = tokens.asked[0]
    theirs = Credentials.from_service_account_info(
        msgspec.json.decode(account(tokens.uri)), scopes=["https://www.googleapis.com/auth/cloud-platform"]
    )
    head, claims, _, _ = jwt._unverified_decode(asked.assertion)
    their_head, their_claims, _, _ = jwt._unverified_decode(theirs._make_authorization_grant_assertion())
    said, signature = asked.assertion.rsplit(".", 1)
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), said.encode(), PKCS1v15(), SHA256()
    )
    now = clock.now_ns() // 10**9
    assert bearer(order) == "Bearer ya29.token-1"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode())["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert head == their_head
    assert (claims["iat"], claims["exp"]) == (now, now + 3600)
    assert claims["aud"] == tokens.uri
    assert {name: claims[name] for name in ("iss", "scope")} == {name: their_claims[name] for name in ("iss", "scope")}


async def test_a_token_is_kept_until_shortly_before_it_ends(wire, tokens, clock):
    vertex, at = Vertex(), upstream(tokens.uri)

    first = await vertex.order(at, ASK, wire)
    clock.advance(3600 - 301)
    second = await vertex.order(at, ASK, wire)
    clock.advance(2)
    third = await vertex.order(at, ASK, wire)

    assert [bearer(order)[-1] for order in (first, second, third)] == ["1", "1", "2"]


async def test_two_at_once_ask_for_one_token(wire, tokens):
    vertex, at = Vertex(), upstream(tokens.uri)
    tokens.hold.clear()

    waiting = [asyncio.create_task(vertex.order(at, ASK, wire)) for _ in range(5)]
    await until(lambda: tokens.asked)
    tokens.hold.set()
    orders = await asyncio.gather(*waiting)

    assert len(tokens.asked) == 1
    assert {bearer(order) for order in orders} == {"Bearer ya29.token-1"}


async def test_one_who_leaves_does_not_take_the_others_token_along(wire, tokens):
    vertex, at = Vertex(), upstream(tokens.uri)
    tokens.hold.clear()
    leaver = asyncio.create_task(vertex.order(at, ASK, wire))
    await until(lambda: tokens.asked)
    stayer = asyncio.create_task(vertex.order(at, ASK, wire))
    await asyncio.sleep(0)

    leaver.cancel()
    tokens.hold.set()

    assert bearer(await stayer).startswith("Bearer ya29.token-")


async def test_a_refused_account_is_named_by_its_address_and_never_by_its_key(wire, tokens):
    vertex, at = Vertex(), upstream(tokens.uri)
    tokens.hold.clear()
    tokens.answer = (400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')

    waiting = [asyncio.create_task(vertex.order(at, ASK, wire)) for _ in range(2)]
    await until(lambda: tokens.asked)
    tokens.hold.set()
    failures = await asyncio.gather(*waiting, return_exceptions=True)

    assert len(tokens.asked) == 1
    for failure in failures:
        assert isinstance(failure, UpstreamRefusedError)
        assert (failure.upstream_status, failure.retryable) == (401, False)
        assert EMAIL in str(failure)
        assert "invalid_grant" in str(failure)
        assert "PRIVATE KEY" not in str(failure)
    assert "PRIVATE KEY" not in repr(at)


async def test_a_token_server_that_fails_may_be_asked_again(wire, tokens):
    vertex, at = Vertex(), upstream(tokens.uri)
    tokens.answer = (503, b"")
    with pytest.raises(UpstreamError) as caught:
        await vertex.order(at, ASK, wire)
    tokens.answer = None

    assert caught.value.retryable
    assert bearer(await vertex.order(at, ASK, wire)) == "Bearer ya29.token-2"


async def test_a_token_that_still_lives_outlasts_a_token_server_that_fails(wire, tokens, clock):
    vertex, at = Vertex(), upstream(tokens.uri)
    await vertex.order(at, ASK, wire)
    clock.advance(3600 - 200)
    tokens.answer = (503, b"")

    kept = await vertex.order(at, ASK, wire)
    again = await vertex.order(at, ASK, wire)
    asked_while_it_lived = len(tokens.asked)
    clock.advance(201)

    assert {bearer(kept), bearer(again)} == {"Bearer ya29.token-1"}
    assert asked_while_it_lived == 2
    with pytest.raises(UpstreamError):
        await vertex.order(at, ASK, wire)


async def test_a_grant_that_is_none_is_told(wire, tokens):
    tokens.answer = (200, b"<html>sign in</html>")

    with pytest.raises(UpstreamCutError, match="no token"):
        await Vertex().order(upstream(tokens.uri), ASK, wire)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        account(
            "http://127.0.0.1:1/token", private_key="-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
        ),
        account(
            "http://127.0.0.1:1/token",
            private_key=elliptic_key(SECP256R1())
            .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            .decode(),
        ),
    ],
)
async def test_what_is_no_accounts_key_is_told_without_repeating_it(wire, text):
    with pytest.raises(UpstreamRefusedError) as caught:
        await Vertex().order(upstream(service_account=Secret(text)), ASK, wire)

    assert "service account" in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value)
    assert "not json" not in str(caught.value)


async def until(happened):
    """Wait for it."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.005)
