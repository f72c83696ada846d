"""A gateway over one scripted upstream for each dialect that providers speak, all on loopback in a thread of their own.

The official clients block, so what they talk to runs beside them. `then` says what an upstream does next.
"""

import asyncio
import itertools
import json
import re
import threading
from contextlib import AsyncExitStack

import msgspec
import scenes
import surroundings
from seen import ANTHROPIC, BEDROCK, CHAT, GEMINI, RESPONSES, seen

from flyball.gateway.admit import Gate
from flyball.gateway.app import GatewayApp
from flyball.gateway.house import House
from flyball.gateway.orders import RunLine, RunOrder
from flyball.gateway.read import Limits
from flyball.gateway.snapshot import KnownModel
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.llm.providers.protocol import Upstream
from flyball.llm.wire import Wire
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import Prices
from flyball.testing import ScriptedUpstream

VENDORS = {
    CHAT: ("openai", "openai_chat"),
    RESPONSES: ("openai", "openai_responses"),
    ANTHROPIC: ("anthropic", ""),
    GEMINI: ("gemini", ""),
    BEDROCK: ("bedrock", ""),
}
MODELS = {
    CHAT: "mock-small",
    RESPONSES: "gpt-5-mini",
    ANTHROPIC: "claude-sonnet-4-5",
    GEMINI: "gemini-2.5-flash",
    BEDROCK: "anthropic.claude-sonnet-4-5-20250929-v1:0",
}
TARGETS = tuple(VENDORS)


class Stand:
    """Everything that runs. `address` is the gateway's."""

    def __init__(self, folder):
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()
        self.address = ""
        self.upstreams = {}
        self.runner = None

    def __enter__(self):
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_):
        self._do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def then(self, target, *names):
        """What this provider's upstream does next, by the names of scenes or by turns; everything before is forgotten."""
        self._do(self._then(target, names))

    def requests(self, target):
        """What this provider was asked since."""
        return [request for request in self.upstreams[target].requests if request.method == "POST"]

    @property
    def given(self):
        """What the function was given last."""
        return msgspec.json.decode(self.runner.requests[-1][1], type=RunOrder).input

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _then(self, target, names):
        upstream = self.upstreams[target]
        upstream.requests.clear()
        upstream.forget()
        upstream.issued.responses.add("resp_1")  # that callers go on from
        upstream.then(*(scenes.turn(name, target) if isinstance(name, str) else name for name in names))

    async def _start(self):
        enter = self._stack.enter_async_context
        for target in TARGETS:
            self.upstreams[target] = await enter(ScriptedUpstream(strict=True))
        runner_socket = self._folder / "runner.sock"
        self.runner = surroundings.Peer(runner_socket)
        self.runner.answer = surroundings.answering(RunLine(answer=surroundings.ANSWER))
        await enter(surroundings.serving(self.runner, path=runner_socket))
        wire = await enter(Wire(SystemClock(), connect_seconds=1, idle_seconds=2))
        snapshots = surroundings.ByHand()
        models = [self._model(target) for target in TARGETS]
        models += [self._model(first, second) for first, second in itertools.permutations(TARGETS, 2)]
        snapshots.snapshot = surroundings.snapshot(
            {model.name: model for model in models}, {"triage": surroundings.function()}
        )
        house = House(
            clock=SystemClock(),
            snapshots=snapshots,
            gate=Gate(most_calls=50, most_bytes=40_000_000),
            limits=Limits(body_bytes=10_000_000, json_depth=64),
            deadline_seconds=5,
            wire=wire,
            runner=HttpOverUnix(runner_socket),
            control=HttpOverUnix(self._folder / "control.sock"),
            recorder=surroundings.Recorded(),
            till=surroundings.FreeTill(),
        )
        self._stack.callback(house.runner.close)
        self._stack.callback(house.control.close)
        host, port = await enter(surroundings.serving(GatewayApp(house)))
        self.address = f"http://{host}:{port}"

    def _model(self, *targets):
        """A model at the first of these; at the next only where that one fails."""
        endpoints = tuple(self._endpoint(target, 1e-9**number) for number, target in enumerate(targets))
        name = f"on-{'-or-'.join(targets)}"
        return KnownModel(
            name=name, version=1, hash="sha256:m", endpoints=endpoints, prices=Prices(input="1", output="2")
        )

    def _endpoint(self, target, weight):
        vendor, spoken = VENDORS[target]
        upstream = self.upstreams[target]
        base = upstream.base_url if target in (CHAT, RESPONSES) else upstream.root_url
        key = Secret("sk-upstream")
        reached = Upstream(
            vendor=vendor,
            base_url=base,
            model=MODELS[target],
            api_key=None if target == BEDROCK else key,
            access_key_id="AKIAEXAMPLE" if target == BEDROCK else "",
            secret_access_key=Secret("wJalrEXAMPLE") if target == BEDROCK else None,
            region="eu-central-1" if target == BEDROCK else "",
            dialect=spoken,
        )
        return ResolvedEndpoint(vendor, base, MODELS[target], reached.api_key, weight, reached)


class On:
    """One provider dialect of the stand, as a test sees it."""

    def __init__(self, stand, target):
        self._stand = stand
        self.target = target
        self.model = f"on-{target}"
        self.upstream = re.escape(f"the upstream of model {MODELS[target]!r}")
        # facts of the vendors
        self.redacts = target in (ANTHROPIC, BEDROCK)
        self.hears = target in (CHAT, GEMINI, BEDROCK)
        self.stops = target != RESPONSES
        self.names_the_stop = target in (ANTHROPIC, BEDROCK)

    def then(self, *names):
        """What the upstream does next: the names of scenes."""
        self._stand.then(self.target, *names)

    @property
    def requests(self):
        """What the upstream was asked."""
        return self._stand.requests(self.target)

    @property
    def seen(self):
        """The last of it, in plain words."""
        return seen(self.target, self.requests[-1])

    @property
    def system(self):
        """The instructions, one by one; where the dialect has one text for all of them, cut as they were joined."""
        return [words for text in self.seen.system for words in text.split("\n\n")]

    @property
    def paired(self):
        """Whether every result names a call that stands before it."""
        calls = {part[1] for part in self.seen.parts("call")}
        return all(part[1] in calls or not part[1] for part in self.seen.parts("result"))

    @property
    def answered(self):
        """The city of each call, and what was answered. Without ids a result belongs to the call in its place."""
        calls, results = self.seen.parts("call"), self.seen.parts("result")
        texts = {part[1]: part[2] for part in results}
        if not all(texts):
            return {call[3]["city"]: result[2] for call, result in zip(calls, results, strict=True)}
        return {call[3]["city"]: texts[call[1]] for call in calls}

    @property
    def plainly_answered(self):
        """The same, of results in Google's way: the words under `result`, where the provider gets the object."""
        return {city: _plain(text) for city, text in self.answered.items()}

    def signed(self, *signatures):
        """Those that a provider of this dialect gives, of those named."""
        return [] if self.target == CHAT else list(signatures)

    def own_signatures(self, request):
        """The signatures that were given back to it."""
        return request.signatures

    def drops(self, caller, **fields):
        """What the header names, of fields that only some providers take: `seed`, and what biases tokens."""
        assert caller == "openai_chat"
        lost = {CHAT: (), GEMINI: ("bias",)}.get(self.target, ("bias", "seed"))
        return ", ".join(fields[name] for name in lost)


def _plain(text):
    try:
        return json.loads(text)["result"]
    except (ValueError, KeyError, TypeError):
        return text
