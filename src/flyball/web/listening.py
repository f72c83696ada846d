"""Several uvicorn servers in one event loop, each on its own Unix socket, stopped together. Knows sockets, no route."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 1024
_GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs several of them, and tells when it listens."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=120,  # longer than the gateway keeps an idle connection
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self.listens = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self.listens.set()


class Listening:
    """Serves applications on Unix sockets, by path."""

    def __init__(self, applications: Mapping[Path, ASGIApp]) -> None:
        self._sockets = {path: _bind(path) for path in applications}
        self._servers = {path: _Server(app) for path, app in applications.items()}

    async def serve_until_told(self, ready: asyncio.Event) -> None:
        """Serve; set `ready` when every socket answers; return after SIGTERM or SIGINT, when running requests ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with asyncio.TaskGroup() as tasks:
            for path, server in self._servers.items():
                tasks.create_task(server.serve([self._sockets[path]]))
            for server in self._servers.values():
                await server.listens.wait()
            ready.set()

    def stop(self) -> None:
        """Take no new request, let the running ones end."""
        for server in self._servers.values():
            server.should_exit = True


def _bind(path: Path) -> socket.socket:
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
