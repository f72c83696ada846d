"""`python tests/instrumentors/record.py NAME …`: what instrumentors send of the scenes, recorded anew into `recorded/`.

Ids are numbered and what names this machine is left out; times are as they were.
"""

import asyncio
import getpass
import gzip
import http.server
import json
import re
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from environments import HERE, ROOT, TURNS, play

from flyball.testing import ScriptedUpstream
from flyball.traces.otlp.json_writing import json_object
from flyball.traces.otlp.signals import SIGNALS

_IDS = re.compile(r'"(?:traceId|spanId|parentSpanId)": "([0-9a-f]+)"')
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def main(*names: str) -> None:
    """Record each of the named."""
    for name in names:
        upstream, listener = _Upstream(), _Listener()
        try:
            play(name, upstream=upstream.address, address=listener.address)
        finally:
            upstream.stop()
            listener.shutdown()
        written = _settled(json.dumps(listener.said, indent=1, ensure_ascii=False))
        (HERE / "recorded" / f"{name}.json").write_text(written + "\n")


class _Upstream:
    """The scripted upstream in a thread of its own, with the turns of the scenes."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._upstream = ScriptedUpstream()
        asyncio.run_coroutine_threadsafe(self._upstream.start(), self._loop).result(10)
        self._upstream.then(*TURNS)
        self.address = self._upstream.root_url

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._upstream.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)


class _Listener(http.server.ThreadingHTTPServer):
    """Whatever is sent by OTLP, as its JSON."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.said: dict[str, list[Any]] = {"traces": [], "logs": []}
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Taking(http.server.BaseHTTPRequestHandler):
    server: _Listener

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.rpartition("/")[2]
        if signal in self.server.said:
            self.server.said[signal].append(json_object(SIGNALS[signal].request.FromString(body)))
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers["content-length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _settled(said: str) -> str:
    for place in (str(Path(sys.prefix)), str(ROOT), str(Path.home()), socket.gethostname(), getpass.getuser() + "@"):
        said = said.replace(place, "")
    for number, known in enumerate(dict.fromkeys(_IDS.findall(said)), 1):
        said = said.replace(known, f"{number:0{len(known)}x}")
    for number, known in enumerate(dict.fromkeys(_UUID.findall(said)), 1):
        said = said.replace(known, f"00000000-0000-4000-8000-{number:012x}")
    return said


if __name__ == "__main__":
    main(*sys.argv[1:])
