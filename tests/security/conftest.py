"""Who attacks: a browser that is signed in, keys of each role, and a line of bytes into the gateway with the control process behind it."""

import asyncio
import contextlib
import re
import socket

import pytest
from surroundings import listening as serving_on

from flyball.gateway.admit import Gate
from flyball.gateway.app import GatewayApp
from flyball.gateway.house import House
from flyball.gateway.read import Limits
from flyball.gateway.snapshot import KnownProject, Snapshot
from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.infra.sockets.serving import Server, bind_unix
from flyball.kit.clock import SystemClock
from flyball.llm.wire import Wire
from flyball.projects import keys
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient

NO_CHANGES = (".read", ".read_rows", ".export", ".show", ".list", ".refuse")
_FORM = re.compile(r'<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


@pytest.fixture
async def browser(application, settings, admin):
    """A browser in which the first owner is signed in."""
    browser = AsgiClient(Shield(application, door="public", settings=settings))
    link = (await admin.post("/api/sign-in-links", {})).json()["path"]
    page = (await browser.get(link)).text
    form = next(form for form in _FORM.findall(page) if 'name="csrf_token"' in form[1])
    signed_in = await browser.send("POST", form[0], form=dict(_HIDDEN.findall(form[1])))
    assert signed_in.status in (200, 303)
    assert "flyball_session" in browser.cookies
    return browser


@pytest.fixture
async def key_of(ctx, application, settings):
    """A client that presents a key of a role."""

    async def key_of(role: str) -> AsgiClient:
        made = await keys.create_key(ctx, f"attacker-{role}", role)
        client = AsgiClient(Shield(application, door="public", settings=settings))
        client.headers["authorization"] = f"Bearer {made.secret.reveal()}"
        return client

    return key_of


@pytest.fixture
def changes(ctx):
    """What the audit record of every project has noted, but for what was merely read, or refused."""

    async def changes() -> list[str]:
        async with ctx.db.across_projects().connection() as connection:
            cursor = await connection.execute("select action from audit_events")
            return [row["action"] for row in await cursor.fetchall() if not row["action"].endswith(NO_CHANGES)]

    return changes


class Front:
    """The one public port. `arrived` are the requests that reached the control process, as it read them."""

    def __init__(self, port: int, arrived: list[dict]) -> None:
        self.port = port
        self.arrived = arrived

    async def say(self, data: bytes, *, seconds: float = 0.4, pieces: int = 0) -> bytes:
        """Send bytes as they are, or in pieces of so many, and read what comes until the line is silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        said = b""
        try:
            with contextlib.suppress(TimeoutError, ConnectionError):
                for start in range(0, len(data), pieces or len(data)):
                    writer.write(data[start : start + (pieces or len(data))])
                    await asyncio.sleep(0)
                await writer.drain()
                while True:
                    async with asyncio.timeout(seconds):
                        piece = await reader.read(65_536)
                    if not piece:
                        break
                    said += piece
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return said


class _Nothing:
    def append(self, span) -> bool:
        return bool(span)


class _Empty:
    def in_force(self) -> Snapshot:
        return Snapshot(epoch=1, keys={}, projects={"default": KnownProject(models={}, functions={})})


@pytest.fixture
async def front(application, settings, layout):
    """Gateway and control application, each on a socket of its own, as they stand behind one another in production."""
    arrived: list[dict] = []
    shield = Shield(application, door="public", settings=settings)

    async def watched(scope, receive, send):
        arrived.append({"method": scope["method"], "path": scope["raw_path"], "headers": scope["headers"]})
        await shield(scope, receive, send)

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    async with contextlib.AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire(SystemClock(), connect_seconds=1, idle_seconds=1))
        control, runner = HttpOverUnix(layout.socket("public")), HttpOverUnix(layout.socket("runner"))
        house = House(
            clock=SystemClock(), snapshots=_Empty(), gate=Gate(most_calls=10, most_bytes=1_000_000),
            limits=Limits(body_bytes=1_000_000, json_depth=64), deadline_seconds=3, wire=wire, runner=runner,
            control=control, recorder=_Nothing(), till=_Nothing(),
        )  # fmt: skip
        await stack.enter_async_context(
            serving_on(Server(watched, hears_signals=False), bind_unix(layout.socket("public")))
        )
        gateway = Server(GatewayApp(house), hears_signals=False, allowance=Allowance())
        await stack.enter_async_context(serving_on(gateway, listening))
        yield Front(listening.getsockname()[1], arrived)
        control.close()
        runner.close()
