"""Several servers in one event loop, each on its own Unix socket, stopped together. Knows sockets, no route."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp

from flyball.infra.sockets.serving import Server, bind_unix

_GRACE_SECONDS = 10


class Listening:
    """Serves applications on Unix sockets, by path."""

    def __init__(self, applications: Mapping[Path, ASGIApp]) -> None:
        self._sockets = {path: bind_unix(path) for path in applications}
        self._silent = set(applications)
        self._listen = asyncio.Event()
        self._servers = {path: self._server(path, app) for path, app in applications.items()}

    async def serve_until_told(self, ready: asyncio.Event) -> None:
        """Serve; set `ready` when every socket answers; return after SIGTERM or SIGINT, when running requests ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        async with asyncio.TaskGroup() as tasks:
            for path, server in self._servers.items():
                tasks.create_task(server.serve([self._sockets[path]]))
            await self._listen.wait()
            ready.set()

    def stop(self) -> None:
        """Take no new request, let the running ones end."""
        for server in self._servers.values():
            server.stop()

    def _server(self, path: Path, app: ASGIApp) -> Server:
        def listens() -> None:
            self._silent.discard(path)
            if not self._silent:
                self._listen.set()

        return Server(app, when_listening=listens, grace_seconds=_GRACE_SECONDS, hears_signals=False)
