"""A gateway on a loopback port, over a scripted upstream, a scripted runner and a scripted control process.

The snapshot is made by hand: no database. `gateway.spans` is what was recorded.
"""

import asyncio
import contextlib
import random
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import openai
import pytest
from pyreqwest.client import ClientBuilder
from surroundings import (
    ANSWER,
    KEY,
    TWO_FIELDS,
    ByHand,
    FreeTill,
    Peer,
    Recorded,
    answering,
    function,
    model,
    serving,
    snapshot,
)

from flyball.gateway.admit import Gate
from flyball.gateway.app import GatewayApp
from flyball.gateway.exchange import NO_LINGER
from flyball.gateway.house import House
from flyball.gateway.orders import RunLine, RunOrder
from flyball.gateway.read import Limits
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.kit.clock import SystemClock
from flyball.llm.wire import Wire
from flyball.testing import ScriptedUpstream


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

    def __init__(self, base, house, upstream, app=None):
        self.base = base
        self.app = app
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
        names = ("models", "functions", "quotas", "organisation")
        parts = {name: changes.pop(name) for name in names if name in changes}
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
def till():
    """Who promises what calls may cost: here everything, to everybody."""
    return FreeTill()


@pytest.fixture
def linger():
    """How long answers are read whose caller has left: here they are cut off at once."""
    return NO_LINGER


@pytest.fixture
async def gateway(upstream, data_dir, seeded, till, linger):
    snapshots = ByHand()
    snapshots.snapshot = snapshot({"fast": model([(upstream, 1)])}, {"triage": function()})
    async with Wire(SystemClock(), connect_seconds=1, idle_seconds=0.5) as wire:
        house = House(
            clock=SystemClock(),
            snapshots=snapshots,
            gate=Gate(most_calls=50, most_bytes=4_000_000),
            limits=Limits(body_bytes=1_000_000, json_depth=64),
            deadline_seconds=3,
            linger=linger,
            wire=wire,
            runner=HttpOverUnix(data_dir / "runner.sock"),
            control=HttpOverUnix(data_dir / "control.sock"),
            recorder=Recorded(),
            till=till,
        )
        app = GatewayApp(house)
        async with serving(app) as address:
            yield Gateway(f"http://127.0.0.1:{address[1]}", house, upstream, app)
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


async def _only(piece):
    yield piece


@pytest.fixture
async def saying(gateway, made):
    """Have the model `fast` answered with these bytes, or with those that an iterator makes, whatever is asked."""
    servers, handling, seen = [], set(), []

    async def say(answer, provider="openai-compatible"):
        async def handle(reader, writer):
            handling.add(asyncio.current_task())
            length = 0
            while (line := await reader.readline()) not in (b"\r\n", b""):
                seen.append(line)
                length = int(line.split()[1]) if line.startswith(b"content-length:") else length
            await reader.readexactly(length)
            with contextlib.suppress(ConnectionError):
                async for piece in answer() if callable(answer) else _only(answer):
                    writer.write(piece)
                    await writer.drain()
                await asyncio.sleep(0.05)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        place = SimpleNamespace(base_url=f"http://127.0.0.1:{port}/v1")
        gateway.know(models={"fast": made.model([(place, 1)], provider=provider)})
        return seen

    yield say
    for server in servers:
        server.close()
    await asyncio.gather(*handling)
