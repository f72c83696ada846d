"""A mixed run through a real gateway worker over the scripted provider: its calls, its faults, and what both sides say of money."""

import asyncio
import contextlib
import random
import socket
from collections import Counter
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from surroundings import listening as serving_on

from flyball.functions import service as functions
from flyball.functions.records import FunctionSpec, PromptVariant
from flyball.functions.tools import open_tools
from flyball.gateway.app import GatewayApp
from flyball.infra.db.database import fetch_all
from flyball.infra.sockets.serving import Server, bind_unix
from flyball.kit.clock import SystemClock
from flyball.ledger import quotas
from flyball.ledger.declared import QuotaWish
from flyball.models import service as models
from flyball.models.reaching import reaching
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import keys
from flyball.prompts import service as prompts
from flyball.releases import service as releases
from flyball.releases import serving
from flyball.releases.records import Proposal
from flyball.testing import ScriptedUpstream, Turn
from flyball.web.gateway import open_house
from flyball.worker.runner import RunnerApp

CHAT, RESPONSES, ANTHROPIC, GEMINI = "openai_chat", "openai_responses", "anthropic_messages", "gemini"
CALLERS = (CHAT, RESPONSES, ANTHROPIC, GEMINI)
VENDORS = {
    "chat": ("openai-compatible", "mock-small", "/v1"),
    "responses": ("openai", "gpt-5-mini", "/v1"),
    "claude": ("anthropic", "claude-sonnet-4-5", ""),
    "google": ("gemini", "gemini-2.5-flash", ""),
    "aws": ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
}
FUNCTION = "triage"
FAULTS = (
    "status", "status", "status", "reset", "reset_midway", "cut", "unfinished", "malformed", "html", "empty", "error_in_200",
    "error_midway", "no_usage", "pings", "unknown_events", "stall", "stall_midway",
)  # fmt: skip
WORDS = "What does a governor do when the engine runs too fast for its load?"


class Price(NamedTuple):
    """Nano-dollars a token."""

    fresh: int
    cached: int
    written: int
    output: int


PRICES = {name: Price(150 * n, 50 * n, 200 * n, 600 * n) for n, name in enumerate(VENDORS, 1)}


class Provider(ScriptedUpstream):
    """Answers as chance will have it; every answer has counts of its own, so that each bill can be told from every other."""

    def __init__(self, seed, *, faulty):
        super().__init__()
        self._chance = random.Random(seed)
        self._faulty = faulty
        self._number = 0

    def take_turn(self, model):
        self._number += 1
        chance = self._chance
        fault = chance.choice(FAULTS) if chance.random() < self._faulty else ""
        if fault.startswith("stall") and chance.random() < 0.7:
            fault = "status"  # a second each
        written = chance.randrange(20) if "claude" in model else 0
        return Turn(
            fault=fault,
            status=200 if fault == "html" else chance.choice((429, 500, 502, 503, 400)),
            after_chunks=chance.randrange(8),
            text="The governor measures the output and corrects the input.",
            prompt_tokens=100 + self._number,
            cached_tokens=chance.choice((0, 0, chance.randrange(50))),
            cache_write_tokens=written,
            completion_tokens=9 + chance.randrange(40),
            reasoning_tokens=chance.choice((0, 0, 5)),
            **chance.choice(({}, {}, {"pause_seconds": 0.01}, {"chunk_bytes": 7}, {"chunk_bytes": 40})),
        )


class World(NamedTuple):
    """A gateway worker that serves, and what is around it."""

    port: int
    key: str
    house: object
    provider: Provider


async def furnish(ctx, provider):
    """Five models of five vendors, a function of two variants, a key, and budgets and limits at every level."""
    async with ctx.db.transaction() as connection:
        for name, (vendor, model, path) in VENDORS.items():
            place = Endpoint(
                provider=vendor,
                base_url=provider.root_url + path,
                model=model,
                api_key="env:MOCK_KEY",
                region="eu-central-1" if vendor == "bedrock" else "",
            )
            usd = [f"{nano // 1000}.{nano % 1000:03}" for nano in PRICES[name]]  # per million tokens
            per_million = Prices(input=usd[0], cache_read=usd[1], cache_write=usd[2], output=usd[3])
            await models.put(connection, ctx, name, ModelSpec(endpoints=(place,), prices=per_million))
        source = "---\nvariables: [question]\n---\n--- user\n{{ question }}\n"
        await prompts.put(connection, ctx, "ask", "ask.md", source)
        question = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
        variants = {name: PromptVariant(prompt="ask", model=name) for name in ("chat", "claude")}
        await functions.put(connection, ctx, FUNCTION, FunctionSpec(input=question, variants=variants), {})
    proposal = Proposal(function=FUNCTION, shares={"chat": 50, "claude": 50}, reason="both", override="a test")
    release = await releases.propose(ctx, proposal)
    await releases.decide(ctx, release.id)
    await serving.serve(ctx, release.id)
    made = await keys.create_key(ctx, "app")
    for scope, unit, amount, window in (
        ("project", "nano_usd", 10**15, "month"),
        ("key app", "requests", 10**9, "hour"),
        ("model claude", "tokens", 10**12, "minute"),
        (f"function {FUNCTION}", "parallel", 6, "total"),
        ("organisation", "nano_usd", 10**16, "total"),
        ("tag scarce", "nano_usd", 2_000_000, "total"),
        ("tag watched", "requests", 10**9, "rolling:3600"),
    ):
        await quotas.set_quota(ctx, QuotaWish(scope=scope, unit=unit, amount=amount, window=window))
    return made.secret.reveal()


@asynccontextmanager
async def world(ctx, *, seed=7, faulty=0.15, **knobs):
    """A gateway worker and a runner in this process, as their processes open them, and PostgreSQL behind them."""
    # Longer than a busy machine takes for a sound answer: what is given up here, its provider has billed and told nobody.
    settings = msgspec.structs.replace(
        ctx.settings,
        first_byte_timeout_seconds=5,
        idle_timeout_seconds=5,
        request_deadline_seconds=20,
        **{"cancelled_calls": "drain", **knobs},
    )
    async with contextlib.AsyncExitStack() as stack:
        provider = await stack.enter_async_context(Provider(seed, faulty=faulty))
        key = await furnish(ctx, provider)
        tools = await stack.enter_async_context(
            open_tools(layout=ctx.layout, blobs=ctx.blobs, clock=SystemClock(), settings=settings, reach=reaching(ctx))
        )
        runner = RunnerApp(tools, SystemClock())
        await stack.enter_async_context(
            serving_on(Server(runner, hears_signals=False), bind_unix(ctx.layout.socket("runner")))
        )
        house = await stack.enter_async_context(open_house(settings, SystemClock()))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        await stack.enter_async_context(serving_on(Server(GatewayApp(house), hears_signals=False), listening))
        yield World(listening.getsockname()[1], key, house, provider)
        async with asyncio.timeout(60):  # those whose callers have left
            while house.gate.calls:
                await asyncio.sleep(0.05)


async def run(world, calls, *, at_once=32, seed=11, leaving=0.1):
    """So many calls, a bounded number at once; how they were answered, by status, and `left` of those who did not wait."""
    chance = random.Random(seed)
    waiting = iter(range(calls))
    told = Counter()

    async def caller():
        for _ in waiting:
            told[await _call(world, chance, leaves=chance.random() < leaving)] += 1

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return told


async def _call(world, chance, *, leaves):
    caller, stream = chance.choice(CALLERS), chance.random() < 0.6
    name = FUNCTION if chance.random() < 0.2 else chance.choice(tuple(VENDORS))
    tags = chance.choice(([], [], ["watched"], ["watched", "scarce"]))
    path, body = question_of(caller, name, tags, stream=stream)
    if not leaves:
        return await ask(world, path, body)
    heard = stream and chance.random() < 0.7
    await leave(world, path, body, seconds=0 if heard else chance.random() * 0.02, heard=heard)
    return "left"


async def ask(world, path, body):
    """Wait for the answer; its status."""
    async with _asked(world, path, body) as reader:
        return int((await reader.read()).split(b" ", 2)[1])


async def leave(world, path, body, *, seconds, heard=False):
    """Be gone after a while, or with the first of the answer."""
    async with _asked(world, path, body) as reader:
        if heard:
            await reader.read(1)
        await asyncio.sleep(seconds)


@asynccontextmanager
async def _asked(world, path, body):
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    try:
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def question_of(caller, name, tags, *, stream):
    ours = {"flyball": {"tags": tags}}
    if caller == GEMINI:
        verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
        body = {"contents": [{"role": "user", "parts": [{"text": WORDS}]}]}
        return f"/v1beta/models/{name}:{verb}", msgspec.json.encode(body | ours)
    asked = {"model": name, "stream": stream} | ours
    if caller == RESPONSES:
        return "/v1/responses", msgspec.json.encode({"input": WORDS} | asked)
    said = {"messages": [{"role": "user", "content": WORDS}], "max_tokens": 100} | asked
    return ("/v1/messages" if caller == ANTHROPIC else "/v1/chat/completions"), msgspec.json.encode(said)


class Line(NamedTuple):
    """What was used and what it costs, on a bill or in the ledger."""

    upstream_model: str
    fresh: int
    cached: int
    written: int
    output: int
    nano_usd: int


def billed(provider):
    """The lines of all bills that were told, and how many were not, by the vendors' names of their models."""
    named = {model: PRICES[name] for name, (_, model, _) in VENDORS.items()}
    lines, untold = Counter(), Counter()
    for bill in provider.bills:
        if not bill.told:
            untold[bill.model] += 1
            continue
        price = named[bill.model]
        cost = (
            bill.fresh_tokens * price.fresh
            + bill.cached_tokens * price.cached
            + bill.written_tokens * price.written
            + bill.output_tokens * price.output
        )
        used = (bill.fresh_tokens, bill.cached_tokens, bill.written_tokens, bill.output_tokens)
        lines[Line(bill.model, *used, cost)] += 1
    return lines, untold


class Kept(NamedTuple):
    """What the ledger holds of attempts at models."""

    lines: Counter  # exact ones that cost something
    guessed: Counter  # estimated or unknown, by the vendors' names of their models
    free: int  # nobody began to answer, or refused
    states: Counter


async def kept(ctx):
    """The ledger's entries."""
    rows = await entries(ctx)
    lines, guessed, free = Counter(), Counter(), 0
    for row in [row for row in rows if row["upstream_model"]]:
        if row["estimated"] or row["nano_usd"] is None:
            guessed[row["upstream_model"]] += 1
        elif row["nano_usd"]:
            used = [row[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write", "output")]
            used[-1] += row["reasoning_tokens"]
            lines[Line(row["upstream_model"], *used, row["nano_usd"])] += 1
        else:
            free += 1
    states = Counter(row["state"] for row in rows)
    return Kept(lines, guessed, free, states)


async def entries(ctx):
    """All of them, in their order."""
    async with ctx.db.connection() as connection:
        return await fetch_all(connection, "select * from ledger order by at_ns, requests desc, state desc, id")
