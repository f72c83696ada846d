"""The official npm clients against every provider dialect. Each client's scenarios are run once, by node; here each result is judged."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import scenes
from stand import TARGETS, On

NODE = Path(__file__).parent / "node"
CLIENTS = {
    "openai-chat": ("openai_chat", ""),
    "openai-responses": ("openai_responses", ""),
    "anthropic-sdk": ("anthropic", ""),
    "google-genai": ("google", ""),
    "ai-openai-chat": ("ai_sdk", "openai_chat"),
    "ai-openai-responses": ("ai_sdk", "openai_responses"),
    "ai-anthropic": ("ai_sdk", "anthropic"),
    "ai-google": ("ai_sdk", "google"),
    "ai-openai-compatible": ("ai_sdk", "openai_compatible"),
}
FACTS = (
    "KEY", "PLAIN", "FUNCTION_ANSWER", "THOUGHT", "SECOND_THOUGHT", "SIGNATURE", "SECOND_SIGNATURE", "REDACTED",
    "IMAGE_URL", "PNG", "PDF", "WEATHER", "TOOLS",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed here"),
    pytest.mark.skipif(not (NODE / "node_modules" / ".installed").exists(), reason="the npm clients are not installed"),
    pytest.mark.timeout(300),
]


def told(on):
    """What the upstream was asked last, as JSON."""
    last = on.seen
    calls = last.parts("call")
    return {
        "stream": last.stream,
        "system": on.system,
        "words": last.words,
        "max_tokens": last.max_tokens,
        "stop": last.stop,
        "schema": last.schema,
        "tools": last.tools,
        "paired": on.paired,
        "answered": on.answered if calls and all("city" in (call[3] or {}) for call in calls) else {},
        "calls": [call[2:] for call in calls],
        "images": [part[1:] for part in last.parts("image")],
        "documents": [part[1:] for part in last.parts("document")],
        "redacted": [part[1] for part in last.parts("redacted")],
        "thoughts": [part[1] for part in last.parts("thought")],
        "signatures": on.own_signatures(last),
        "thought_before_call": bool(calls)
        and any(part[0] in ("thought", "redacted") for _, *part in last.flow)
        and min(at for at, (_, *part) in enumerate(last.flow) if part[0] in ("thought", "redacted"))
        < last.place("call"),
        "body": last.body,
    }


class Control(BaseHTTPRequestHandler):
    """How a scenario in node reaches the stand."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            answer, status = self._answer(asked), 200
        except Exception as error:  # noqa: BLE001 -- a scenario that failed says why
            answer, status = {"error": repr(error)}, 500
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, asked):
        if self.path == "/facts":
            return {name: getattr(scenes, name) for name in FACTS} | {"TARGETS": TARGETS}
        on = On(self.server.stand, asked["target"])
        if self.path == "/then":
            on.then(*asked["scenes"])
            return {}
        return told(on)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def control(stand):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Control)
    server.stand = stand
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def run_of(stand, control):
    """All results of one client, run at its first use."""
    known = {}

    def run(client):
        if client not in known:
            file, variant = CLIENTS[client]
            done = subprocess.run(
                ["node", "run.mjs", file, variant, stand.address, control],
                cwd=NODE, capture_output=True, text=True, timeout=240, check=False,
            )  # fmt: skip
            known[client] = [json.loads(line) for line in done.stdout.splitlines()]
            assert done.returncode == 0, done.stderr
        return known[client]

    return run


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_npm_client_gets_everything_from_a_provider_of_any_dialect(run_of, client, target):
    results = [one for one in run_of(client) if one["target"] == target]

    assert len(results) >= 12
    assert {one["name"]: one["failure"] for one in results if one["failure"]} == {}
