"""A head that goes out before anything is known takes no names of what is left out: those stand in the stream then."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import faces
import msgspec
import pytest
from faces import ACROSS, ANTHROPIC, CALLERS, CHAT, GEMINI, RESPONSES
from surroundings import KEY, serving

from flyball.gateway.app import GatewayApp
from flyball.gateway.orders import RunLine
from flyball.testing import Turn

TUNED = {CHAT: {"seed": 5, "logit_bias": {"1": 1}}, RESPONSES: {"prompt_cache_key": "k"}, ANTHROPIC: {"top_k": 3}}
TUNED[GEMINI] = {"generationConfig": {"seed": 5}}


@asynccontextmanager
async def early(gateway):
    """The same gateway; its streams begin after a twentieth of a second, whatever is known then."""
    house = replace(gateway.house, keep_alive_seconds=0.05, early_keep_alive_seconds=0.05)
    async with serving(GatewayApp(house)) as address:
        yield type(gateway)(f"http://127.0.0.1:{address[1]}", house, gateway.upstream)


def at_openai(upstream, face):
    """A model of a vendor that takes no `top_k`."""
    model = faces.behind(upstream, face)
    (endpoint,) = model.endpoints
    named = {"provider": "openai", "model": "gpt-5-mini"}
    reached = msgspec.structs.replace(endpoint.upstream, vendor="openai", model="gpt-5-mini")
    return msgspec.structs.replace(model, endpoints=(endpoint._replace(upstream=reached, **named),))


def dropped_in(body):
    return [name for one in faces.data_of(body) for name in (one.get("flyball") or {}).get("dropped", ())]


@pytest.mark.parametrize(("caller", "face"), ACROSS)
async def test_what_a_translation_leaves_out_is_named_once_wherever_the_head_goes_out(gateway, caller, face):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    gateway.upstream.then(Turn(), Turn(delay_seconds=0.2))

    in_time = await faces.ask(gateway, caller, stream=True, **TUNED[caller])
    async with early(gateway) as impatient:
        late = await faces.ask(impatient, caller, stream=True, **TUNED[caller])

    named = in_time.headers.get("x-flyball-dropped", "")
    assert "x-flyball-dropped" not in late.headers
    assert [*filter(None, named.split(", ")), *dropped_in(in_time.body)] == dropped_in(late.body)
    assert faces.text_of(caller, late.body, stream=True) == faces.text_of(caller, in_time.body, stream=True)


NOT_SENT = {CHAT: {"seed": 5, "top_k": 3}, RESPONSES: {"temperature": 0.5, "top_k": 3}}


@pytest.mark.parametrize("caller", NOT_SENT)
async def test_what_a_vendor_is_not_asked_in_its_own_words_is_a_comment_before_its_first_event(gateway, caller):
    gateway.know(models={"fast": at_openai(gateway.upstream, caller)})
    gateway.upstream.then(Turn(), Turn(delay_seconds=0.2))

    in_time = await faces.ask(gateway, caller, stream=True, **NOT_SENT[caller])
    async with early(gateway) as impatient:
        late = await faces.ask(impatient, caller, stream=True, **NOT_SENT[caller])

    named = in_time.headers["x-flyball-dropped"].encode()
    assert b"top_k" in named
    first = in_time.body.partition(b":")[0]
    assert late.body.count(b": x-flyball-dropped: " + named + b"\n" + first) == 1
    assert late.body.partition(named + b"\n")[0].count(b"data:") == 0
    assert faces.text_of(caller, late.body, stream=True) == faces.text_of(caller, in_time.body, stream=True)


@pytest.mark.parametrize("caller", CALLERS)
async def test_a_relayed_stream_of_which_nothing_was_left_out_is_the_vendors_alone(gateway, caller):
    gateway.know(models={"fast": faces.behind(gateway.upstream, caller)})
    gateway.upstream.then(Turn(), Turn(delay_seconds=0.2))

    in_time = await faces.ask(gateway, caller, stream=True)
    async with early(gateway) as impatient:
        late = await faces.ask(impatient, caller, stream=True)

    assert b"flyball" not in late.body
    events = [[one for one in faces.data_of(told.body) if one != {"type": "ping"}] for told in (in_time, late)]
    assert len(events[0]) == len(events[1])


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("pieces", [(), ("The ", "date.")], ids=["at once", "in pieces"])
async def test_what_a_function_does_not_read_is_named_in_its_last_event(gateway, runner, made, caller, pieces):
    said = made.answering(*[RunLine(delta=piece) for piece in pieces], RunLine(answer=made.answer))

    async def late(scope, body, send):
        await asyncio.sleep(0.2)
        await said(scope, body, send)

    runner.answer = late
    tuned = {"flyball": {"input": "When?"}, **TUNED[caller]}
    path = faces.path_of(caller, stream=True).replace("fast", "triage")
    body = faces.body_of(caller, stream=True, **tuned).replace(b'"fast"', b'"triage"')
    async with early(gateway) as impatient:
        told = await impatient.send("POST", path, body, authorization=f"Bearer {KEY}")

    assert set(TUNED[caller]) <= set(dropped_in(told.body))
    assert [one["flyball"]["function"] for one in faces.data_of(told.body) if one.get("flyball")] == ["triage"]


async def test_a_long_list_of_what_was_left_out_ends(gateway):
    marked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 300
    gateway.upstream.then(Turn(delay_seconds=0.2))

    async with early(gateway) as impatient:
        told = await faces.ask(impatient, ANTHROPIC, stream=True, messages=[{"role": "user", "content": marked}])

    *names, rest = dropped_in(told.body)
    assert names == [f"messages[0].content[{at}].cache_control" for at in range(100)]
    assert rest == "and 200 more"
