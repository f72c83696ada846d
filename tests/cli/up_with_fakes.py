"""`flyball` whose children are small programs of the tests: `up_with_fakes.py up --data DIR`. Everything else is the real thing."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

from flyball.infra.processes.child import ChildSpec
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.kit.layout import Layout


class Control(BaseHTTPRequestHandler):
    """The routes that a start asks."""

    def do_GET(self) -> None:
        self._answer({"items": []})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/api/sign-in-links":
            return self._answer({"path": "/sign-in/once"})
        if "frobnicate" in sent["text"]:
            refusal = {
                "code": "configuration_invalid",
                "message": "flyball.yaml:1:1: unknown key",
                "next_step": "correct it",
            }
            return self._answer({"error": refusal}, 400)
        return self._answer({"items": [{"kind": "prompt", "name": "ask", "action": "create"}]})

    def _answer(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        pass


def child(name: str) -> None:
    """What runs in a child: waits, says that it is ready, notes how it was stopped."""
    layout = Layout(Path(os.environ["FLYBALL_DATA"]))
    wait_to_begin()
    if (layout.root / f"{name}.broken").exists():
        sys.exit("the snapshot cannot be read")
    signal.signal(signal.SIGTERM, lambda *_: stopped(layout, name))
    if name == "control":
        with ThreadingUnixStreamServer(str(layout.socket("admin")), Control) as server:
            say_ready()
            server.serve_forever()
    say_ready()
    while True:
        time.sleep(60)


def stopped(layout: Layout, name: str) -> None:
    with (layout.root / "stopped").open("a") as file:
        file.write(f"{name} {os.environ['FLYBALL_DATABASE_URL'].partition('@')[0]}\n")
    os._exit(0)


def fake_children(settings: Any, layout: Layout, database_url: str, listener: int) -> list[ChildSpec]:
    knobs = {"FLYBALL_DATA": str(layout.root), "FLYBALL_DATABASE_URL": database_url}
    return [
        ChildSpec(
            name=name,
            command=(sys.executable, __file__, "--child", name),
            knobs=knobs,
            stop_wave=wave,
            sockets=(layout.socket("admin"),) if name == "control" else (),
        )
        for wave, name in enumerate(("gateway-1", "worker", "control"))
    ]


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        child(sys.argv[2])
    from flyball import cli
    from flyball.cli import serving

    serving.children = fake_children
    cli.main()
