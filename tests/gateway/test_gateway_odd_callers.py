"""What callers try, mean or carry over: addresses and keys of their own, turns that a provider's tool broke off, waits in odd units."""

import faces
import msgspec
import pytest
from faces import ANTHROPIC, BEDROCK, CALLERS, CHAT, GEMINI, RESPONSES, UPSTREAMS, WORDS

from flyball.testing import ScriptedUpstream, Turn

# -- where a call goes is the operator's to say

KEY_HEADERS = {ANTHROPIC: ("x-api-key", "{}"), GEMINI: ("x-goog-api-key", "{}")}
THIEVES = "sk-thief"


def own_address(there):
    """Every field by which a client library could be sent elsewhere, at the top level, in `extra_body` and in `flyball`."""
    fields = {
        "api_base": there,
        "base_url": there,
        "api_key": THIEVES,
        "api_version": "2031-01-01",
        "azure_endpoint": there,
        "endpoint": there,
        "provider": "openai",
        "custom_llm_provider": "openai",
        "extra_headers": {"authorization": f"Bearer {THIEVES}", "x-api-key": THIEVES, "host": "thief.example"},
        "headers": {"authorization": f"Bearer {THIEVES}"},
        "organization": "org-thief",
    }
    return fields | {"extra_body": fields, "flyball": fields}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("face", UPSTREAMS)
@pytest.mark.parametrize("caller", CALLERS)
async def test_no_field_of_a_body_changes_where_we_call_nor_with_which_key(gateway, caller, face, stream):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    async with ScriptedUpstream() as thief:
        await faces.ask(gateway, caller, stream=stream, **own_address(thief.base_url))

        assert thief.requests == []
        (sent,) = gateway.upstream.requests
    header, worded = KEY_HEADERS.get(face, ("authorization", "Bearer {}"))
    assert sent.headers[header] == worded.format("sk-upstream")
    assert THIEVES not in str(sent.headers)
    assert "thief" not in sent.path + str(sent.headers)


@pytest.mark.parametrize("face", UPSTREAMS)
async def test_no_header_of_a_caller_changes_where_we_call_nor_with_which_key(gateway, face):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    async with ScriptedUpstream() as thief:
        odd = {"api_base": thief.base_url, "x_base_url": thief.base_url, "x_forwarded_host": "thief.example"}
        await gateway.send(
            "POST", "/v1/chat/completions", faces.body_of(CHAT), authorization=f"Bearer {faces.KEY}",
            openai_organization="org-thief", x_amz_security_token=THIEVES, **odd,
        )  # fmt: skip

        assert thief.requests == []
    assert THIEVES not in str(gateway.upstream.requests[0])
    assert "thief" not in str(gateway.upstream.requests[0].headers)
    assert faces.KEY not in str(gateway.upstream.requests[0])


# -- a turn that broke off in a provider's own tool

SEARCHING = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "governors"}}


@pytest.fixture(params=[CHAT, RESPONSES, GEMINI, BEDROCK])
async def strict(request, gateway):
    """Another vendor than the one that paused; it refuses what that vendor refuses."""
    async with ScriptedUpstream(strict=True) as upstream:
        gateway.know(models={"fast": faces.behind(upstream, request.param)})
        yield upstream


@pytest.mark.parametrize("behind", [[], [{"role": "user", "content": "Go on."}]], ids=["as the last turn", "earlier"])
@pytest.mark.parametrize("said", [[{"type": "text", "text": "I search."}], []], ids=["with words", "without words"])
async def test_a_turn_that_paused_in_a_search_goes_to_another_vendor_without_it_and_that_is_named(
    gateway, strict, said, behind
):
    history = [{"role": "user", "content": WORDS}, {"role": "assistant", "content": [*said, SEARCHING]}, *behind]

    told = await faces.ask(gateway, ANTHROPIC, messages=history)

    assert (told.status, faces.text_of(ANTHROPIC, told.body)) == (200, Turn().text)
    assert f"messages[1].content[{len(said)}]" in told.headers["x-flyball-dropped"].split(", ")
    sent = strict.requests[-1].body
    assert b"srvtoolu_1" not in sent
    assert (b"I search." in sent) == bool(said)
    assert (b"Go on." in sent) == bool(behind)


async def test_a_turn_that_paused_in_a_search_goes_home_as_it_was(gateway):
    gateway.know(models={"fast": faces.behind(gateway.upstream, ANTHROPIC)})
    history = [{"role": "user", "content": WORDS}, {"role": "assistant", "content": [SEARCHING]}]

    await faces.ask(gateway, ANTHROPIC, messages=history)

    assert msgspec.json.decode(gateway.upstream.requests[0].body)["messages"] == history


@pytest.mark.parametrize("caller", [CHAT, RESPONSES, GEMINI])
async def test_a_pause_in_a_search_reaches_callers_of_other_dialects_as_an_end_that_is_named(gateway, caller):
    gateway.know(models={"fast": faces.behind(gateway.upstream, ANTHROPIC)})
    paused = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "pause_turn", "stop_sequence": None,
        "content": [{"type": "text", "text": "I search."}, SEARCHING], "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    gateway.upstream.then(Turn(raw=msgspec.json.encode(paused)))

    told = await faces.ask(gateway, caller)

    assert faces.text_of(caller, told.body) == "I search."
    assert b"srvtoolu_1" not in told.body
    assert told.headers["x-flyball-dropped"]


# -- when to come back


async def test_a_wait_in_milliseconds_is_kept_before_the_next_try(gateway):
    gateway.upstream.then(Turn(fault="status", status=429, retry_after="60", headers=(("retry-after-ms", "300"),)))

    told = await faces.ask(gateway, CHAT)

    assert told.status == 200
    first, second = gateway.spans.attempts
    assert 300_000_000 <= second.start_ns - first.end_ns < 2_000_000_000


async def test_a_long_wait_in_milliseconds_is_told_to_the_caller_in_seconds(gateway):
    gateway.upstream.then(Turn(fault="status", status=429, headers=(("retry-after-ms", "60000"),)))

    told = await faces.ask(gateway, CHAT)

    assert (told.status, told.headers["retry-after"]) == (429, "60")
    assert len(gateway.upstream.requests) == 1


@pytest.mark.parametrize(
    ("status", "said", "tries"), [(400, "true", 2), (503, "false", 1), (429, "false", 1), (400, "maybe", 1)]
)
@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
async def test_an_upstreams_word_on_trying_again_is_the_last(gateway, caller, status, said, tries):
    gateway.upstream.then(Turn(fault="status", status=status, headers=(("x-should-retry", said),)))

    told = await faces.ask(gateway, caller)

    assert len(gateway.upstream.requests) == tries
    assert told.status == (200 if tries == 2 else status)
