"""A gateway on a loopback port, over a scripted upstream, a scripted runner and a scripted control process.

The snapshot is made by hand: no database. `gateway.spans` is what was recorded.
"""

import asyncio
import contextlib
import random
import socket
from typing import NamedTuple

import msgspec
import openai
import pytest
from pyreqwest.client import ClientBuilder

from flyball.functions.records import Answer, Citation, LiveRelease, PinnedVariant
from flyball.gateway.admit import Gate
from flyball.gateway.app import GatewayApp
from flyball.gateway.errors import NotReadyError
from flyball.gateway.house import House
from flyball.gateway.orders import RunLine, RunOrder
from flyball.gateway.read import Limits
from flyball.gateway.snapshot import KnownFunction, KnownModel, KnownProject, Snapshot
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.infra.sockets.serving import Server
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret, token_hash
from flyball.llm.wire import Wire
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import Prices
from flyball.projects.records import ActiveKey
from flyball.testing import ScriptedUpstream

KEY = "fb_the-callers-own-key"
TEXT_INPUT = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
TWO_FIELDS = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    "required": ["a", "b"],
}


class ByHand:
    """A snapshot that a test sets."""

    def __init__(self):
        self.snapshot = None

    def in_force(self):
        if self.snapshot is None:
            raise NotReadyError
        return self.snapshot


class Recorded(list):
    """Spans, in a list."""

    def append(self, span):
        super().append(span)
        return True

    @property
    def root(self):
        roots = [span for span in self if span.kind == "gateway"]
        assert len(roots) == 1, f"{len(roots)} records of one call"
        return roots[0]

    @property
    def attempts(self):
        return [span for span in self if span.kind == "llm"]


class Peer:
    """A process behind a Unix socket; `answer` is what it does with a request."""

    def __init__(self, path):
        self.path = path
        self.requests = []
        self.hangups = 0
        self.answer = None

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append((scope, body))
        watch = asyncio.create_task(self._watch(receive))
        try:
            await self.answer(scope, body, send)
        finally:
            watch.cancel()

    async def _watch(self, receive):
        task = asyncio.current_task()
        await receive()
        if not task.cancelling():
            self.hangups += 1


class Answered(NamedTuple):
    """An answer as it came."""

    status: int
    headers: dict
    body: bytes

    @property
    def error(self):
        return msgspec.json.decode(self.body)["error"]


class Gateway:
    """What tests drive and look at."""

    def __init__(self, base, house, upstream):
        self.base = base
        self.house = house
        self.upstream = upstream
        self.snapshots = house.snapshots
        self.spans = house.recorder

    def client(self, key=KEY, **options):
        return openai.AsyncOpenAI(base_url=f"{self.base}/v1", api_key=key, **{"max_retries": 0, **options})

    async def send(self, method, path, body=b"", **headers):
        """A request without a client library's opinions."""
        async with ClientBuilder().no_proxy().follow_redirects(enable=False).build() as client:
            request = client.request(method, self.base + path)
            for name, value in headers.items():
                request = request.header(name.replace("_", "-"), value)
            if body:
                request = request.body_bytes(body)
            answer = await request.build().send()
            return Answered(answer.status, dict(answer.headers.items()), bytes(await answer.bytes()))

    async def post(self, body, key=KEY):
        """A chat request."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.send("POST", "/v1/chat/completions", data, authorization=f"Bearer {key}")

    def know(self, **changes):
        """Replace parts of the default project or of the snapshot."""
        old = self.snapshots.snapshot
        project = old.projects["default"]
        parts = {name: changes.pop(name) for name in ("models", "functions") if name in changes}
        project = msgspec.structs.replace(project, **parts)
        self.snapshots.snapshot = msgspec.structs.replace(
            old, epoch=old.epoch + 1, projects={"default": project}, **changes
        )

    async def settled(self, count=1):
        """The spans, when `count` calls have been recorded."""
        for _ in range(300):
            if sum(span.kind == "gateway" for span in self.spans) >= count:
                return self.spans
            await asyncio.sleep(0.01)
        raise AssertionError(f"only {len(self.spans)} spans were recorded")


def model(upstreams, name="fast", **options):
    endpoints = tuple(
        ResolvedEndpoint("openai-compatible", upstream.base_url, "mock-small", Secret("sk-upstream"), weight)
        for upstream, weight in upstreams
    )
    return KnownModel(
        name=name,
        version=3,
        hash="sha256:m",
        endpoints=endpoints,
        prices=Prices(input="0.15", output="0.60"),
        **options,
    )


def variant(name="rules"):
    return PinnedVariant(
        function="triage", name=name, kind="rules", spec={"input": TEXT_INPUT, "output": {}}, hash=f"sha256:{name}"
    )


def function(shares=(("rules", 1.0),), name="triage", schema=TEXT_INPUT, text_field="question"):
    variants = {f"sha256:{n}": variant(n) for n, _ in shares}
    live = LiveRelease(
        project="default",
        function=name,
        release_id="rel_1",
        release_hash="sha256:r",
        shares=tuple((f"sha256:{n}", share) for n, share in shares),
    )
    return KnownFunction(name=name, input=schema, text_field=text_field, live=live, variants=variants)


CITATION = Citation(
    document_id="doc_1", title="datetime", source="stdlib", licence="PSF-2.0", document_hash="sha256:d",
    start=0, end=4, quote="date", index_version="ix_1", dataset_version="dv_1",
)  # fmt: skip
ANSWER = Answer(text="The date.\nToday's.", output="The date.", citations=(CITATION,))


def answering(*lines):
    """A runner that says these lines."""

    async def answer(scope, body, send):
        del scope, body
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for line in lines:
            await send({"type": "http.response.body", "body": msgspec.json.encode(line) + b"\n", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return answer


@contextlib.asynccontextmanager
async def serving(app, **where):
    server = Server(app)
    bound = socket.socket(socket.AF_UNIX if "path" in where else socket.AF_INET)
    bound.bind(str(where["path"]) if "path" in where else ("127.0.0.1", 0))
    address = bound.getsockname()
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([bound])
    try:
        yield address
    finally:
        server.force_exit = True
        await server.shutdown([bound])


@pytest.fixture
async def upstream():
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def runner(data_dir):
    peer = Peer(data_dir / "runner.sock")
    peer.answer = answering(RunLine(answer=ANSWER))
    async with serving(peer, path=peer.path):
        yield peer


@pytest.fixture
async def control(data_dir):
    peer = Peer(data_dir / "control.sock")
    async with serving(peer, path=peer.path):
        yield peer


@pytest.fixture
def seeded():
    random.seed(7)


@pytest.fixture
async def gateway(upstream, data_dir, seeded):
    snapshots = ByHand()
    key = ActiveKey(
        hash=token_hash(KEY), id="key_1", project="default", name="tests", permissions=frozenset({"gateway.call"})
    )
    snapshots.snapshot = Snapshot(
        epoch=1,
        keys={key.hash: key},
        projects={
            "default": KnownProject(models={"fast": model([(upstream, 1)])}, functions={"triage": function()}),
        },
    )
    async with Wire(SystemClock(), connect_seconds=1, idle_seconds=0.5) as wire:
        house = House(
            clock=SystemClock(),
            snapshots=snapshots,
            gate=Gate(most_calls=50, most_bytes=4_000_000),
            limits=Limits(body_bytes=1_000_000, json_depth=64),
            deadline_seconds=3,
            wire=wire,
            runner=HttpOverUnix(data_dir / "runner.sock"),
            control=HttpOverUnix(data_dir / "control.sock"),
            recorder=Recorded(),
        )
        async with serving(GatewayApp(house)) as address:
            yield Gateway(f"http://127.0.0.1:{address[1]}", house, upstream)
        house.runner.close()
        house.control.close()


@pytest.fixture
def order_of():
    """The order that the runner was given."""
    return lambda request: msgspec.json.decode(request[1], type=RunOrder)


@pytest.fixture
def made():
    """How tests make parts of a snapshot and of a runner's answer."""

    class Made:
        key = KEY
        answer = ANSWER
        two_fields = TWO_FIELDS
        model = staticmethod(model)
        function = staticmethod(function)
        answering = staticmethod(answering)

    return Made
