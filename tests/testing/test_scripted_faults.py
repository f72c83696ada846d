"""Each fault, in each dialect, is the fault that it names to the vendor's own client, with that client's own exception."""

import asyncio
import contextlib

import anthropic
import openai
import pytest
from botocore.exceptions import ClientError, EventStreamError
from google.genai import errors
from pyreqwest.client import ClientBuilder

from flyball.testing import Turn

both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
EXCEPTIONS = {
    "openai_chat": {
        400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError,
        404: openai.NotFoundError, 429: openai.RateLimitError, 500: openai.InternalServerError,
    },
    "anthropic": {
        400: anthropic.BadRequestError, 401: anthropic.AuthenticationError, 403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError, 429: anthropic.RateLimitError, 500: anthropic.InternalServerError,
    },
    "gemini": dict.fromkeys((400, 401, 403, 404, 429), errors.ClientError) | {500: errors.ServerError},
}  # fmt: skip
EXCEPTIONS["openai_responses"] = EXCEPTIONS["openai_chat"]
AMAZONS = {
    400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
    429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException",
}  # fmt: skip
KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
# What these raise for a stream that breaks: for most, whatever they read with.
ANY_ERROR = (openai.OpenAIError, anthropic.AnthropicError, errors.APIError, ClientError, Exception)


def streams(clients, dialect):
    """The plain stream of each client, which helps with nothing."""
    asked = [{"role": "user", "content": "x"}]
    return {
        "openai_chat": lambda: clients.openai.chat.completions.create(model="m", messages=asked, stream=True),
        "openai_responses": lambda: clients.openai.responses.create(model="m", input="x", stream=True),
        "anthropic": lambda: clients.anthropic.messages.create(model="m", max_tokens=9, messages=asked, stream=True),
        "gemini": lambda: clients.google.models.generate_content_stream(model="m", contents="x"),
    }[dialect]()


@both_ways
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
@pytest.mark.parametrize("dialect", sorted(EXCEPTIONS))
async def test_an_error_status_is_the_clients_own_exception(upstream, clients, dialect, status, streamed):
    upstream.then(Turn(fault="status", status=status))

    with pytest.raises(EXCEPTIONS[dialect][status], match=f"scripted failure {status}"):
        await clients.ask(dialect, streamed=streamed)


@both_ways
@pytest.mark.parametrize("status", sorted(AMAZONS))
async def test_an_error_status_has_amazons_name(upstream, clients, status, streamed):
    upstream.then(Turn(fault="status", status=status))

    with pytest.raises(ClientError, match=f"scripted failure {status}") as caught:
        await clients.ask("bedrock", streamed=streamed)

    assert caught.value.response["Error"]["Code"] == AMAZONS[status]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize("status", sorted(KINDS))
async def test_an_error_of_anthropics_says_its_kind(upstream, clients, status):
    upstream.then(Turn(fault="status", status=status))

    with pytest.raises(anthropic.APIStatusError) as caught:
        await clients.ask("anthropic", streamed=False)

    assert caught.value.body["error"]["type"] == KINDS[status]
    assert caught.value.request_id == "req_scripted"


async def test_a_busy_upstream_says_when_to_come_back(upstream, clients):
    upstream.otherwise = Turn(fault="status", status=429, retry_after="7")

    with pytest.raises(openai.RateLimitError) as openais:
        await clients.ask("openai_responses", streamed=True)
    with pytest.raises(anthropic.RateLimitError) as anthropics:
        await clients.ask("anthropic", streamed=True)
    with pytest.raises(errors.ClientError) as googles:
        await clients.ask("gemini", streamed=True)
    with pytest.raises(ClientError) as amazons:
        await clients.ask("bedrock", streamed=True)

    assert openais.value.response.headers["retry-after"] == anthropics.value.response.headers["retry-after"] == "7"
    assert googles.value.status == "RESOURCE_EXHAUSTED"
    assert googles.value.details["error"]["details"][0]["retryDelay"] == "7s"
    assert amazons.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "7"


@pytest.mark.parametrize("fault", ["error_midway", "error_in_200"])
@pytest.mark.parametrize(
    ("dialect", "exception"),
    [
        ("openai_chat", openai.APIError),
        ("anthropic", anthropic.APIStatusError),
        ("gemini", errors.ServerError),
        ("bedrock", EventStreamError),
    ],
)
async def test_an_error_in_a_stream_is_the_clients_own_exception(upstream, clients, dialect, exception, fault):
    upstream.then(Turn(fault=fault))

    with pytest.raises(exception, match="scripted failure 500"):
        await clients.ask(dialect, streamed=True)


@pytest.mark.parametrize(("fault", "last"), [("error_midway", "error"), ("error_in_200", "response.failed")])
async def test_a_failed_response_is_an_event_that_its_client_hands_on(upstream, clients, fault, last):
    upstream.then(Turn(fault=fault))

    said = [event async for event in await streams(clients, "openai_responses")]

    assert said[-1].type == last
    assert ("response.output_text.delta" in [event.type for event in said]) == (fault == "error_midway")
    message = said[-1].message if last == "error" else said[-1].response.error.message
    assert message == "scripted failure 500"


@pytest.mark.parametrize(("status", "code"), [(429, "throttlingException"), (424, "modelStreamErrorException")])
async def test_amazons_stream_names_the_exception(upstream, clients, status, code):
    upstream.then(Turn(fault="error_midway", status=status))

    with pytest.raises(EventStreamError) as caught:
        await clients.ask("bedrock", streamed=True)

    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("fault", ["error_midway", "unfinished", "cut", "reset_midway"])
async def test_a_fault_midway_comes_behind_the_first_words(upstream, dialect, fault):
    upstream.then(Turn(fault=fault, text="One two three four.", after_chunks=3))

    body = await _until_it_breaks(upstream, dialect)

    assert b"One " in body
    assert b"two " in body
    assert (b"three " in body) == (dialect == "openai_chat" and fault == "error_midway")  # which goes on


async def test_before_the_first_chunk_nothing_is_said(upstream, dialect):
    upstream.then(Turn(fault="unfinished", after_chunks=0))

    assert await _until_it_breaks(upstream, dialect) == b""


async def test_one_chunk_opens_the_answer_and_says_nothing_yet(upstream, dialect):
    upstream.then(Turn(fault="unfinished", text="One two.", after_chunks=1))

    assert b"One " not in await _until_it_breaks(upstream, dialect)


PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:streamGenerateContent?alt=sse",
    "bedrock": "/model/m/converse-stream",
}


async def _until_it_breaks(upstream, dialect):
    """What arrives of a body, break or end."""
    host, _, port = upstream.root_url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"stream": true}'
    writer.write(
        b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (PATHS[dialect].encode(), len(body), body)
    )
    found = b""
    with contextlib.suppress(ConnectionError):
        while not found.endswith(b"\r\n0\r\n\r\n") and (piece := await reader.read(65536)):
            found += piece
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return found.partition(b"\r\n\r\n")[2].removesuffix(b"0\r\n\r\n")


@pytest.mark.parametrize("fault", ["pings", "unknown_events"])
async def test_what_nobody_knows_is_passed_over_by_every_client(upstream, clients, dialect, fault):
    turn = Turn(thinking="Hm.", tool_calls=(), text="One two three.")
    upstream.then(turn, Turn(fault=fault, thinking="Hm.", text="One two three."))

    plain = await clients.ask(dialect, streamed=True)
    strewn = await clients.ask(dialect, streamed=True)

    assert strewn == plain


async def test_googles_client_is_given_chunks_without_candidates(upstream, clients):
    upstream.then(Turn(fault="unknown_events", text="One two."))

    chunks = [chunk async for chunk in await streams(clients, "gemini")]

    assert [chunk.candidates is None for chunk in chunks] == [False, True, False, True, False]


@both_ways
@pytest.mark.parametrize("fault", ["html", "malformed", "empty", "cut", "unfinished"])
async def test_what_is_no_answer_is_an_error_or_nothing(upstream, clients, dialect, streamed, fault):
    upstream.then(Turn(fault=fault, status=200, text="One two three."))

    try:
        heard = await clients.ask(dialect, streamed=streamed)
    except ANY_ERROR:
        heard = None

    assert heard is None or "three" not in heard.text or (dialect, fault) == ("bedrock", "malformed")


@both_ways
async def test_a_page_comes_with_its_status(upstream, clients, streamed):
    upstream.then(Turn(fault="html", status=502))

    with pytest.raises(anthropic.InternalServerError, match="<!doctype html>") as caught:
        await clients.ask("anthropic", streamed=streamed)

    assert caught.value.status_code == 502


@both_ways
async def test_without_counts_the_answer_is_the_same(upstream, clients, dialect, streamed):
    upstream.then(Turn(fault="no_usage", text="One two."))

    if (dialect, streamed) == ("anthropic", True):  # whose client cannot do without
        with pytest.raises(AttributeError):
            await clients.ask(dialect, streamed=streamed)
        return
    heard = await clients.ask(dialect, streamed=streamed)

    assert (heard.text, heard.tokens) == ("One two.", (0, 0))


async def test_counts_that_make_no_sense_are_negative(upstream, clients, dialect):
    upstream.then(Turn(fault="wrong_usage"))

    heard = await clients.ask(dialect, streamed=False)

    assert heard.tokens[0] == -3


@pytest.mark.parametrize("fault", ["reset", "reset_midway", "cut"])
@pytest.mark.parametrize("dialect", ["openai_responses", "anthropic"])
async def test_a_broken_connection_is_one_for_the_client(upstream, clients, dialect, fault):
    upstream.then(Turn(fault=fault))

    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError)):
        await clients.ask(dialect, streamed=False)


async def test_a_client_that_leaves_is_noticed_in_the_middle_of_a_stream(upstream, clients):
    upstream.then(Turn(fault="stall_midway"))

    async with clients.anthropic.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
    ) as stream:
        async for text in stream.text_stream:
            assert text
            break

    async with ClientBuilder().no_proxy().build() as client:  # a round trip: by then the other end is known to be gone
        await client.get(upstream.root_url).build().send()
    assert upstream.hangups == 1
