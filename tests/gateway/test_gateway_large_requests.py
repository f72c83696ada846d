"""Large requests are put into another dialect beside the others, not before them."""

import asyncio
import threading
from dataclasses import replace

import faces
import pytest
from faces import ACROSS, ANTHROPIC, CALLERS, CHAT
from surroundings import KEY, serving

from flyball.gateway import attempts
from flyball.gateway.app import GatewayApp
from flyball.gateway.beside import LONG
from flyball.gateway.read import Limits
from flyball.testing import Turn


@pytest.fixture
async def roomy(gateway):
    """The same gateway, for larger bodies; with time for them also where many share a core, since none of these is about time."""
    house = replace(gateway.house, limits=Limits(body_bytes=3_000_000, json_depth=64), deadline_seconds=60)
    async with serving(GatewayApp(house)) as address:
        yield type(gateway)(f"http://127.0.0.1:{address[1]}", house, gateway.upstream)


def many(caller):
    """A conversation of more turns than anybody has."""
    ((name, turns),) = [(name, value) for name, value in faces.QUESTIONS[caller].items() if name in INPUTS]
    one = {"role": "user", "content": "a"} if isinstance(turns, str) else turns[0]
    return {name: [one] * (2 * LONG // len(str(one)))}


INPUTS = ("messages", "input", "contents")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_small_call_is_answered_while_a_large_one_is_translated(roomy, monkeypatch, stream):
    translating, answered = threading.Event(), threading.Event()
    worded = attempts.question
    done = []

    def slowly(asked, *others, **named):
        if len(asked.fields["messages"]) > LONG:
            translating.set()
            assert answered.wait(5), "the small call waited for the large one"
        return worded(asked, *others, **named)

    monkeypatch.setattr(attempts, "question", slowly)

    async def asking(**fields):
        told = await faces.ask(roomy, ANTHROPIC, stream=stream, **fields)
        done.append("large" if fields else "small")
        return told

    large = asyncio.create_task(asking(**many(ANTHROPIC)))
    while not translating.is_set():
        await asyncio.sleep(0.01)
    small = await asking()
    answered.set()

    assert [small.status, (await large).status] == [200, 200]
    assert done == ["small", "large"]


@pytest.mark.parametrize(("caller", "face"), [*ACROSS, *((one, one) for one in CALLERS)])
async def test_a_large_request_is_answered_as_a_small_one_is(roomy, caller, face):
    roomy.know(models={"fast": faces.behind(roomy.upstream, face)})
    roomy.upstream.then(Turn(text="yes"))

    told = await faces.ask(roomy, caller, **many(caller))

    assert (told.status, faces.text_of(caller, told.body)) == (200, "yes")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_large_request_loses_or_lacks_is_told_as_a_small_ones_is(roomy, stream):
    roomy.know(models={"fast": faces.behind(roomy.upstream, ANTHROPIC)})

    lossy = await faces.ask(roomy, CHAT, stream=stream, seed=5, **many(CHAT))
    wrong = await faces.ask(roomy, CHAT, stream=stream, tools=5, **many(CHAT))

    assert (lossy.status, lossy.headers["x-flyball-dropped"]) == (200, "seed")
    assert (wrong.status, wrong.error["type"]) == (400, "invalid_request_error")


async def test_a_caller_who_leaves_while_its_large_request_is_translated_is_recorded_as_gone(roomy, monkeypatch):
    translating, let_go = threading.Event(), threading.Event()
    worded = attempts.question

    def slowly(*asked, **named):
        translating.set()
        let_go.wait(5)
        return worded(*asked, **named)

    monkeypatch.setattr(attempts, "question", slowly)
    body = faces.body_of(ANTHROPIC, **many(ANTHROPIC))
    host, port = roomy.base.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    while not translating.is_set():
        await asyncio.sleep(0.01)

    writer.close()

    assert (await roomy.settled()).root.attributes["error_code"] == "client_closed_request"
    let_go.set()
    assert not roomy.upstream.requests
