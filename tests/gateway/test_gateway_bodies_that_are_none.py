"""Whole answers that are no UTF-8 or count less than nothing: refused alike, whether they are relayed or translated."""

import faces
import msgspec
import pytest
from faces import ANTHROPIC, BEDROCK, CALLERS, CHAT, GEMINI, RESPONSES, UPSTREAMS
from surroundings import KEY

from flyball.testing import Turn

BOM = b"\xef\xbb\xbf"


@pytest.fixture(params=UPSTREAMS)
async def answered(request, gateway):
    """A dialect that the upstream speaks, and a sound answer in it."""
    gateway.know(models={"fast": faces.behind(gateway.upstream, request.param)})
    caller = request.param if request.param in CALLERS else CHAT
    gateway.upstream.then(Turn())
    told = await faces.ask(gateway, caller)
    gateway.spans.clear()
    sound = b'{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn"}'
    return request.param, told.body if request.param in CALLERS else sound


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_mark_before_an_answer_is_no_part_of_it(gateway, answered, caller):
    face, body = answered
    gateway.upstream.then(Turn(raw=BOM + body))

    told = await faces.ask(gateway, caller)

    assert told.status == 200
    assert faces.text_of(caller, told.body)
    assert told.body == body or caller != face


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
async def test_an_answer_in_another_encoding_is_none_in_every_dialect(gateway, answered, caller, encoding):
    _, body = answered
    odd = body.decode()[:-1] + ',"zeta":"\xe4"}'
    gateway.upstream.then(*[Turn(raw=odd.encode(encoding))] * 3)

    told = await faces.ask(gateway, caller)

    assert told.status == 502
    assert (await gateway.settled()).root.status == "error"


async def test_a_mark_before_an_error_is_no_part_of_it(gateway):
    error = b'{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"odd"}}'
    gateway.upstream.then(Turn(fault="status", status=400, raw=BOM + error))

    told = await faces.ask(gateway, CHAT)

    assert (told.status, told.body) == (400, error)


COUNTS = {
    RESPONSES: ("/v1/responses/input_tokens", b'{"object":"response.input_tokens","input_tokens":%b}'),
    ANTHROPIC: ("/v1/messages/count_tokens", b'{"input_tokens":%b}'),
    GEMINI: ("/v1beta/models/fast:countTokens", b'{"totalTokens":%b}'),
    BEDROCK: ("", b'{"inputTokens":%b}'),
}


@pytest.mark.parametrize("caller", [RESPONSES, ANTHROPIC, GEMINI])
@pytest.mark.parametrize("face", COUNTS)
@pytest.mark.parametrize("number", [b"-5", b"1.5", b"true", b'"7"', b"null", b"1e30", b"99999999999999999999"])
async def test_a_number_of_tokens_is_whole_and_not_below_nothing(gateway, caller, face, number):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    gateway.upstream.then(*[Turn(raw=COUNTS[face][1] % number)] * 3)

    told = await gateway.send("POST", COUNTS[caller][0], faces.body_of(caller), authorization=f"Bearer {KEY}")

    assert told.status == 502
    assert msgspec.json.decode(told.body)["error"]


@pytest.mark.parametrize("caller", [RESPONSES, ANTHROPIC, GEMINI])
@pytest.mark.parametrize("number", [b"0", b"7"])
async def test_any_other_number_of_tokens_is_told(gateway, caller, number):
    gateway.know(models={"fast": faces.behind(gateway.upstream, caller)})
    gateway.upstream.then(Turn(raw=BOM + COUNTS[caller][1] % number))

    told = await gateway.send("POST", COUNTS[caller][0], faces.body_of(caller), authorization=f"Bearer {KEY}")

    assert (told.status, told.body) == (200, COUNTS[caller][1] % number)
