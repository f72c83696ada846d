"""A stream whose last event lacks its empty line: the caller gets that event whole, as the record says."""

import json

import faces
import pytest
from faces import CALLERS, CHAT, GEMINI
from surroundings import KEY

from flyball.testing import Turn

ENDS = {"line feeds": b"\n", "returns": b"\r", "both": b"\r\n"}


@pytest.fixture(params=CALLERS)
async def streamed(request, gateway):
    """A dialect that caller and upstream speak, and a sound stream in it."""
    gateway.know(models={"fast": faces.behind(gateway.upstream, request.param)})
    gateway.upstream.then(Turn())
    told = await faces.ask(gateway, request.param, stream=True)
    gateway.spans.clear()
    return request.param, told.body.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("size", [0, 1], ids=["at once", "byte by byte"])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("missing", [0, 1, 2])
async def test_an_event_at_the_end_that_was_left_open_reaches_the_caller_closed(gateway, streamed, end, missing, size):
    caller, body = streamed
    sent = body[: len(body) - missing].replace(b"\n", end)
    gateway.upstream.then(Turn(raw=sent, chunk_bytes=size))

    told = await faces.ask(gateway, caller, stream=True)

    assert told.body.startswith(sent)
    assert told.body[len(sent) :] in (missing * end, missing * b"\n")
    assert told.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") == body
    assert (await gateway.settled()).root.status == "ok"


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("missing", [0, 1, 2])
async def test_an_array_of_googles_has_the_last_object_of_a_stream_too(gateway, end, missing):
    gateway.know(models={"fast": faces.behind(gateway.upstream, GEMINI)})
    gateway.upstream.then(Turn())
    body = (await faces.ask(gateway, GEMINI, stream=True)).body.replace(b"\r\n", b"\n")
    gateway.upstream.then(Turn(raw=body[: len(body) - missing].replace(b"\n", end)))

    path = "/v1beta/models/fast:streamGenerateContent"
    told = await gateway.send("POST", path, faces.body_of(GEMINI), x_goog_api_key=KEY)

    assert json.loads(told.body) == faces.data_of(body)


async def test_a_last_event_that_broke_off_is_no_event(gateway):
    gateway.upstream.then(Turn())
    body = (await faces.ask(gateway, CHAT, stream=True)).body
    gateway.upstream.then(Turn(raw=body[:-6]))

    told = await faces.ask(gateway, CHAT, stream=True)

    assert b"[DONE" not in told.body
    assert b'"error"' in told.body
