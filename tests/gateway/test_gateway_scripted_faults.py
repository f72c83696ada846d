"""What lies between the events of a stream, and counts that make no sense: relayed as they are, harmless where they are translated."""

import faces
import msgspec
import pytest
from faces import ACROSS, ANTHROPIC, CALLERS, CHAT, GEMINI, RESPONSES
from pyreqwest.client import ClientBuilder

from flyball.testing import Turn

PINGS = {
    CHAT: b": keep-alive\n\n",
    RESPONSES: b": keep-alive\n\n",
    ANTHROPIC: b"event: ping\n",
    GEMINI: b"\r\n\r\n\r\n",
}
NEW = {CHAT: b"brand.new", RESPONSES: b"response.brand_new.delta", ANTHROPIC: b"brand_new", GEMINI: b"brandNew"}
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens",
          "promptTokenCount", "candidatesTokenCount", "totalTokenCount")  # fmt: skip


def behind(gateway, face):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})


@pytest.fixture(params=CALLERS)
def spoken(request, gateway):
    """One dialect, spoken by the caller and by the upstream."""
    behind(gateway, request.param)
    return request.param


@pytest.fixture(params=ACROSS, ids=lambda pair: f"{pair[0]} of {pair[1]}")
def pair(request, gateway):
    """A caller's dialect and another one of the upstream."""
    behind(gateway, request.param[1])
    return request.param


def counts_of(value):
    """Every count of tokens in an answer."""
    if isinstance(value, dict):
        yield from (found for name, found in value.items() if name in COUNTS)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from counts_of(one)


async def direct(gateway):
    """What the upstream itself says to the question that it was asked last."""
    asked = gateway.upstream.requests[-1]
    async with ClientBuilder().no_proxy().build() as client:
        request = client.post(gateway.upstream.root_url + asked.path).body_bytes(asked.body)
        return bytes(await (await request.build().send()).bytes())


@pytest.mark.parametrize("fault", ["pings", "unknown_events"])
async def test_what_lies_between_the_events_is_relayed_byte_for_byte(gateway, spoken, fault):
    gateway.upstream.then(*[Turn(fault=fault, text="It governs.")] * 2)

    told = await faces.ask(gateway, spoken, stream=True)

    sent = await direct(gateway)
    assert (PINGS if fault == "pings" else NEW)[spoken] in sent
    assert told.body == sent
    assert (await gateway.settled()).root.output == "It governs."
    assert gateway.spans.attempts[0].usage.output_tokens == 9


@pytest.mark.parametrize("fault", ["pings", "unknown_events"])
async def test_what_lies_between_the_events_changes_nothing_of_a_translated_stream(gateway, pair, fault):
    caller, _ = pair
    gateway.upstream.then(Turn(fault=fault, text="It governs."))

    told = await faces.ask(gateway, caller, stream=True)

    assert faces.text_of(caller, told.body, stream=True) == "It governs."
    assert faces.ENDS[caller] in told.body
    assert b"brand" not in told.body.replace(b'"dropped"', b"").partition(b'"flyball"')[0]
    assert (await gateway.settled()).root.status == "ok"
    assert gateway.spans.attempts[0].usage.output_tokens == 9


@pytest.mark.parametrize("stream", [False, True])
async def test_counts_that_make_no_sense_are_relayed_and_recorded_as_unknown(gateway, spoken, stream):
    gateway.upstream.then(*[Turn(fault="wrong_usage", text="It governs.")] * 2)

    told = await faces.ask(gateway, spoken, stream=stream)

    assert told.body == await direct(gateway)
    assert -3 in counts_of(faces.data_of(told.body) if stream else [msgspec.json.decode(told.body)])
    root, (attempt,) = (await gateway.settled()).root, gateway.spans.attempts
    assert (root.status, root.output) == ("ok", "It governs.")
    assert attempt.cost_nano_usd is None
    assert min(attempt.usage.input_tokens, attempt.usage.output_tokens) >= 0


@pytest.mark.parametrize("stream", [False, True])
async def test_counts_that_make_no_sense_reach_nobody_in_another_dialect(gateway, pair, stream):
    caller, _ = pair
    gateway.upstream.then(Turn(fault="wrong_usage", text="It governs."))

    told = await faces.ask(gateway, caller, stream=stream)

    assert told.status == 200
    assert faces.text_of(caller, told.body, stream=stream) == "It governs."
    told_counts = counts_of(faces.data_of(told.body) if stream else [msgspec.json.decode(told.body)])
    assert all(count is None or (isinstance(count, int) and count >= 0) for count in told_counts)
    attempt = (await gateway.settled()).attempts[0]
    assert attempt.cost_nano_usd is None
    assert min(attempt.usage.input_tokens, attempt.usage.output_tokens) >= 0
