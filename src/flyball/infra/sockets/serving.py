"""An ASGI application on a socket, as every process of flyball serves one: uvicorn's settings, its start and its stop.

Knows sockets and signals; knows no application.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from .guarded import Allowance, GuardedProtocol, watched
from .straight import StraightProtocol

BACKLOG = 2048
KEPT_SECONDS = 120  # an idle connection of ours, longer than whoever asks keeps it


def _silently() -> None:
    pass


class Server(uvicorn.Server):
    """Serves until told to stop, then takes no new request and gives the running ones `grace_seconds`.

    Args:
        app: the application.
        when_listening: called once, when the socket answers.
        grace_seconds: how long running requests may go on after the stop.
        kept_seconds: how long an idle connection is kept.
        allowance: what a client may take before its request is whole; None where only our own processes connect.
        certificate: the PEM files of a certificate and its key, where it speaks HTTPS.
        hears_signals: whether SIGTERM and SIGINT stop it; not where several servers share a process.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[Any]],
        *,
        when_listening: Callable[[], None] = _silently,
        grace_seconds: int = 10,
        kept_seconds: int = KEPT_SECONDS,
        allowance: Allowance | None = None,
        certificate: tuple[str, str] | None = None,
        hears_signals: bool = True,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(GuardedProtocol, allowance) if allowance else StraightProtocol,  # type: ignore[arg-type] # uvicorn asks for a class and calls it: whatever makes one does
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                ssl_certfile=certificate[0] if certificate else None,
                ssl_keyfile=certificate[1] if certificate else None,
                timeout_keep_alive=kept_seconds,
                timeout_graceful_shutdown=grace_seconds,
            )
        )
        self._when_listening = when_listening
        self._allowance = allowance
        self._hears_signals = hears_signals

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and do not repeat them when all is closed, as uvicorn would."""
        if self._hears_signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self.stop)
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, with an eye on clients that take more time than they may."""
        if self._allowance is None:
            await super().serve(sockets)
            return
        async with watched(self.server_state.connections, self._allowance.look_seconds):
            await super().serve(sockets)

    def stop(self) -> None:
        """Take no new request, let the running ones end."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._when_listening()


def bind_unix(path: Path) -> socket.socket:
    """A socket at the path, for the owner alone; one left behind by an earlier process is replaced."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    bound.setblocking(False)
    return bound
