"""A caller who leaves: read on, what its provider bills is known to the token; cut off, what was used is estimated and never free."""

import asyncio

import msgspec
import pytest
from faces import ANTHROPIC, BEDROCK, CHAT, GEMINI, RESPONSES, behind, body_of, path_of
from memory_bank import MemoryBank
from surroundings import KEY

from flyball.gateway.exchange import NO_LINGER, Linger
from flyball.kit.clock import SystemClock
from flyball.ledger.lender import Lender
from flyball.ledger.records import Quota
from flyball.testing.script import Turn

PRICE_OF_A_TURN = 11 * 150 + 9 * 600
CALLING = (
    b'data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"tool_calls":'
    b'[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"word "}}]}}]}\n\n'
)
SLOWLY = Turn(pause_seconds=0.02)


class Kept(list):
    has_room = True

    def append(self, entry):
        super().append(entry)
        return True


@pytest.fixture
async def till():
    kept, bank = Kept(), MemoryBank(SystemClock().now_ns)
    lender = Lender(bank, kept, SystemClock(), "worker-1")
    lender.entries, lender.bank = kept, bank
    async with lender.at_work():
        yield lender


@pytest.fixture
def linger():
    return Linger(seconds=5, bytes=100_000)


async def entry_of(till):
    for _ in range(500):
        if till.entries:
            [entry] = till.entries
            return entry
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was settled")


async def ask_and_leave(gateway, caller=CHAT, *, stream=True, heard=b"data:", seconds=0.0):
    """Ask, hear something of the answer, and be gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]))
    body = body_of(caller, stream=stream)
    head = f"POST {path_of(caller, stream=stream)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    if heard:
        await reader.readuntil(heard)
    await asyncio.sleep(seconds)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("caller", [CHAT, RESPONSES, ANTHROPIC, GEMINI])
@pytest.mark.parametrize("face", [CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK])
async def test_a_stream_that_is_read_on_settles_by_what_its_provider_tells(gateway, upstream, till, caller, face):
    gateway.know(models={"fast": behind(upstream, face)})
    upstream.then(SLOWLY)

    await ask_and_leave(gateway, caller)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated, entry.nano_usd) == ("cancelled", False, PRICE_OF_A_TURN)
    assert upstream.hangups == 0
    assert (await gateway.settled()).root.attributes["error_code"] == "client_closed_request"
    assert gateway.house.gate.calls == gateway.house.gate.bytes == 0


async def test_an_answer_in_one_piece_is_read_on_too(gateway, upstream, till):
    upstream.then(Turn(delay_seconds=0.3))

    await ask_and_leave(gateway, stream=False, heard=b"", seconds=0.1)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated, entry.nano_usd) == ("cancelled", False, PRICE_OF_A_TURN)


async def test_reading_on_ends_with_its_time_and_what_was_seen_is_estimated(gateway, upstream, till):
    object.__setattr__(gateway.house, "linger", Linger(seconds=0.2, bytes=100_000))
    upstream.then(Turn(fault="stall_midway", after_chunks=4))

    await ask_and_leave(gateway)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated, entry.output_tokens) == ("cancelled", True, 3)
    await asyncio.sleep(0.05)
    assert upstream.hangups == 1


async def test_reading_on_ends_with_its_bytes(gateway, upstream, till):
    object.__setattr__(gateway.house, "linger", Linger(seconds=5, bytes=1_000))
    upstream.then(Turn(text="word " * 500, pause_seconds=0.001))

    await ask_and_leave(gateway)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated) == ("cancelled", True)
    assert entry.output_tokens < 100


async def test_nobody_is_asked_anew_for_a_caller_who_has_left(gateway, upstream, till):
    upstream.then(Turn(fault="status", status=503, delay_seconds=0.2), Turn())

    await ask_and_leave(gateway, heard=b"", seconds=0.1)
    entry = await entry_of(till)

    assert (entry.state, entry.nano_usd, len(upstream.requests)) == ("cancelled", 0, 1)


async def test_a_call_that_is_read_on_keeps_its_place_among_those_at_once(gateway, upstream, till):
    quota = Quota(
        id="quota_1", organisation="org_1", project="default", unit="parallel", scope_kind="project", amount=1,
        window="total",
    )  # fmt: skip
    await till.bank.declare(quota)
    gateway.know(quotas={("project", ""): (quota,)}, organisation="org_1")
    upstream.then(Turn(pause_seconds=0.05))
    await ask_and_leave(gateway)

    refused = await gateway.post(msgspec.json.decode(body_of(CHAT)))
    await entry_of(till)

    assert refused.status == 429
    assert (await gateway.post(msgspec.json.decode(body_of(CHAT)))).status == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_before_the_answer_pays_for_the_question(gateway, upstream, till, stream):
    object.__setattr__(gateway.house, "linger", NO_LINGER)
    upstream.then(Turn(fault="stall"))

    await ask_and_leave(gateway, stream=stream, heard=b"", seconds=0.1)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated) == ("cancelled", True)
    assert entry.input_tokens > 0
    assert entry.nano_usd == entry.input_tokens * 150


@pytest.mark.parametrize("face", [ANTHROPIC, GEMINI])
async def test_counts_that_were_told_at_the_beginning_are_no_whole_bill(gateway, upstream, till, face):
    gateway.know(models={"fast": behind(upstream, face)})
    object.__setattr__(gateway.house, "linger", NO_LINGER)
    upstream.then(Turn(fault="stall_midway", after_chunks=6))

    await ask_and_leave(gateway, face, seconds=0.1)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated, entry.input_tokens) == ("cancelled", True, 11)
    assert entry.output_tokens >= 5


async def test_who_hangs_up_pays_for_a_tools_arguments_too(gateway, upstream, till):
    object.__setattr__(gateway.house, "linger", NO_LINGER)
    upstream.then(Turn(raw=(*[CALLING] * 40, *[b": wait\n\n"] * 100), pause_seconds=0.005))

    await ask_and_leave(gateway, seconds=0.4)
    entry = await entry_of(till)

    assert (entry.state, entry.estimated) == ("cancelled", True)
    assert entry.output_tokens >= 30
