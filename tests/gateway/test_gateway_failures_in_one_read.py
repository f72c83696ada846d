"""Content and the failure behind it in one piece of the network: the caller and the record have the content, once, and then the failure."""

import faces
import pytest
from faces import ANTHROPIC, CHAT
from surroundings import CHUNK

from flyball.testing import Turn

SAID = b"data: " + CHUNK + b"\n\n"
FAILURES = {
    "an error": b'data: {"error":{"message":"no more of it"}}\n\n',
    "nonsense": b"data: {nonsense\n\n",
    "an end that is none": b"",
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
@pytest.mark.parametrize("before", [b"", SAID], ids=["at the beginning", "later"])
async def test_content_that_comes_with_a_failure_is_passed_on_before_it(gateway, caller, failure, before):
    gateway.upstream.then(Turn(raw=tuple(piece for piece in (before, SAID + failure) if piece), pause_seconds=0.02))

    told = await faces.ask(gateway, caller, stream=True)

    words = "hihi" if before else "hi"
    answer, _, error = told.body.rpartition(b"data: ")
    assert faces.text_of(caller, answer.rpartition(b"event: error")[0] or answer, stream=True) == words
    assert b'"error"' in error
    assert faces.ENDS[caller] not in told.body
    assert len(gateway.upstream.requests) == 1
    assert (await gateway.settled()).root.output == words
    assert gateway.spans.root.status == "error"


@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
async def test_what_opens_a_stream_and_fails_with_it_is_tried_again_unseen(gateway, caller):
    opening = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
    gateway.upstream.then(Turn(raw=opening + FAILURES["nonsense"]), Turn(text="whole"))

    told = await faces.ask(gateway, caller, stream=True)

    assert faces.text_of(caller, told.body, stream=True) == "whole"
    assert (await gateway.settled()).root.output == "whole"
