"""The runner: executes variants for the gateway, over a Unix socket that only this system's owner reaches.

Here live the operator's code and the retrieval libraries, so that neither lives in the gateway. A run needs no SQL: an order
names everything by version and hash, and secrets are known beforehand. Knows orders and lines; how a variant runs is `functions.execution`'s business.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import msgspec
import uvloop

from flyball.functions.completion import OnDelta
from flyball.functions.errors import VariantError
from flyball.functions.execution import run_variant
from flyball.functions.records import CallIds
from flyball.functions.rules import MOST_THREADS, wasted
from flyball.functions.tools import Tools, open_tools
from flyball.gateway.orders import LEFT_PATH, RUN_PATH, RunLine, RunOrder, RunRefusal
from flyball.indexes import engines
from flyball.infra.blobs.store import Blobs
from flyball.infra.db.database import Database
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.vitals import told
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.sockets.serving import Server, bind_unix
from flyball.kit.clock import Clock, SystemClock
from flyball.kit.errors import FlyballError, InvalidInputError
from flyball.kit.layout import Layout
from flyball.kit.tally import Tally
from flyball.models.reaching import Reach, following
from flyball.secrets.following import FollowedSecrets
from flyball.settings import Settings

from .accounts import Accounts

_GRACE_SECONDS = 15
_LOOK_SECONDS = 2.0
_MOST_WASTED_SECONDS = 10.0
_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """The process `python -m flyball.worker runner`: serve until SIGTERM or SIGINT."""
    wait_to_begin()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Open the tools, serve on `runner.sock`, and let the running executions end when told to stop."""
    layout = Layout(settings.data_path)
    layout.create()
    blobs = Blobs(settings.blobs_url or layout.blobs.as_uri())
    clock = SystemClock()
    async with (
        told(layout, "runner", clock, Tally()),
        _followed(settings, Keyring(settings, layout, clock)) as reach,
        open_tools(layout=layout, blobs=blobs, clock=clock, settings=settings, reach=reach) as tools,
    ):
        # The engine is loaded beside the first orders: whoever needs none does not wait for it.
        loading = asyncio.create_task(engines.load())
        server = Server(RunnerApp(tools, clock), when_listening=_listens, grace_seconds=_GRACE_SECONDS)
        watching = asyncio.create_task(_leave_when_rules_do_not_stop(server))
        await server.serve([bind_unix(layout.socket("runner"))])
        watching.cancel()
        await loading


@asynccontextmanager
async def _followed(settings: Settings, keyring: Keyring) -> AsyncIterator[Reach]:
    """Secrets are the one thing of the database that the runner needs; it hears of them beforehand, so that no run waits."""
    database = Database(settings.database_url, most=1, application="flyball runner")
    try:
        await database.open()
        secrets = FollowedSecrets(database, keyring)
        async with secrets.kept_fresh():
            yield following(secrets)
    finally:
        await database.close()


async def _leave_when_rules_do_not_stop(server: Server) -> None:
    """End this process, as after SIGTERM, when rules that were told to stop burn its time; the supervisor starts it anew."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        lost = wasted()
        if lost.threads > MOST_THREADS // 2 or lost.seconds > _MOST_WASTED_SECONDS:
            _logger.error(
                "%d rules do not stop and used %.0f s of CPU since; the runner starts anew", lost.threads, lost.seconds
            )
            server.stop()
            return


def _listens() -> None:
    _logger.info("runner listens")
    say_ready()


class RunnerApp:
    """An order comes in, lines go out; and where nobody read them to their end, what they cost can be asked for."""

    def __init__(self, tools: Tools, clock: Clock) -> None:
        self._tools = tools
        self._accounts = Accounts(clock)

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """One order. It is given up when the gateway hangs up."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        lines = _Lines(send)
        if scope["path"] == LEFT_PATH and body is not None:
            await lines.end(RunLine(refusal=await self._left(body)))
            return
        if scope["path"] != RUN_PATH or scope["method"] != "POST" or body is None:
            await lines.end(
                RunLine(refusal=RunRefusal(status=404, code="unknown_path", message="POST /run is all there is"))
            )
            return
        running = asyncio.create_task(self._run(body, lines))
        hung_up = asyncio.create_task(_hung_up(receive))
        try:
            await asyncio.wait([running, hung_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (running, hung_up):
                task.cancel()
            await asyncio.gather(running, hung_up, return_exceptions=True)

    async def _run(self, body: bytes, lines: "_Lines") -> None:
        try:
            order = msgspec.json.decode(body, type=RunOrder)
            on_delta = lines.delta if order.stream else None
            tools = self._tools.guarded() if order.guarded else self._tools
            running = asyncio.current_task()
            assert running is not None  # noqa: S101 -- narrows the type: it is one of ours
            self._accounts.begin(order.ids, running)
            last = await self._outcome(order, tools, on_delta)
        except msgspec.MsgspecError as error:
            last = RunLine(refusal=_refusal(InvalidInputError(f"the order cannot be understood: {error}")))
        except Exception as error:  # -- the door: a mistake of ours is an answer too, and the runner goes on
            _logger.exception("an execution failed")
            last = RunLine(
                refusal=RunRefusal(status=500, code="internal_error", message=f"the runner failed: {error!r:.200}")
            )
        await lines.end(last)

    async def _outcome(self, order: RunOrder, tools: Tools, on_delta: OnDelta | None) -> RunLine:
        """The answer, or why there is none; in either case what was done."""
        try:
            answer = await run_variant(
                order.variant,
                order.input,
                tools=tools,
                ids=order.ids,
                on_delta=on_delta,
                when_cancelled=partial(self._accounts.cancelled, order.ids),
            )
        except FlyballError as error:
            refusal = _refusal(error)
            self._accounts.ended(order.ids, refusal.spans)
            return RunLine(refusal=refusal)
        self._accounts.ended(order.ids, answer.spans)
        return RunLine(answer=answer)

    async def _left(self, body: bytes) -> RunRefusal:
        """What became of a run whose caller has gone."""
        try:
            ids = msgspec.json.decode(body, type=CallIds)
        except msgspec.MsgspecError as error:
            return _refusal(InvalidInputError(f"the ids cannot be understood: {error}"))
        spans = await self._accounts.of(ids)
        return RunRefusal(status=499, code="cancelled", message="its caller has gone", spans=spans)


class _Lines:
    """Writes the answer's lines; the head goes out with the first."""

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._begun = False

    async def delta(self, text: str) -> None:
        """A piece of text."""
        if text:
            await self._write(RunLine(delta=text), more=True)

    async def end(self, line: RunLine) -> None:
        """The last line."""
        await self._write(line, more=False)

    async def _write(self, line: RunLine, *, more: bool) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", b"application/x-ndjson")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": msgspec.json.encode(line) + b"\n", "more_body": more})


async def _body(receive: _Receive) -> bytes | None:
    """The whole body, None where the gateway hung up before its end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _hung_up(receive: _Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(error: FlyballError) -> RunRefusal:
    spans = error.spans if isinstance(error, VariantError) else ()
    return RunRefusal(
        status=error.status, code=error.code, message=error.message, next_step=error.next_step, spans=spans
    )
