"""What the scripted upstream would bill: what it generated, and whether it told."""

import asyncio
import contextlib

import msgspec
import pytest

from flyball.kit.clock import SystemClock
from flyball.llm.errors import UpstreamError
from flyball.llm.wire import Order, Wire
from flyball.testing import ScriptedUpstream, Turn


@pytest.mark.parametrize(
    ("turn", "told", "output"),
    [
        (Turn(), True, 9),
        (Turn(fault="cut", after_chunks=3), False, 3),
        (Turn(fault="no_usage"), False, 9),
        (Turn(fault="status"), None, None),
        (Turn(fault="error_in_200"), None, None),
        (Turn(fault="reset"), None, None),
    ],
)
async def test_it_keeps_what_it_would_bill(turn, told, output):
    async with ScriptedUpstream() as upstream, Wire(SystemClock()) as wire:
        upstream.then(turn)
        with contextlib.suppress(UpstreamError):
            async with wire.send(_order(upstream), seconds=5) as reply:
                await reply.read_all()
        await asyncio.sleep(0.05)

    bills = [(bill.model, bill.told, bill.fresh_tokens, bill.output_tokens) for bill in upstream.bills]
    assert bills == ([] if told is None else [("mock-small", told, 11, output)])


def _order(upstream):
    asked = {
        "model": "mock-small", "messages": [], "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    return Order(f"{upstream.base_url}/chat/completions", (), msgspec.json.encode(asked), "the upstream")
