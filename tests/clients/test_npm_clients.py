"""The official npm clients against every provider dialect. Each client's scenarios are run once, by node; here each result is judged.

Where they are absent the tests are skipped, and the end of the run says that no npm client was proved. FLYBALL_TEST_NPM=required makes
their absence a failure.
"""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import scenes
from npm import NODE, absence
from stand import TARGETS, On

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
# The AI SDK's packages share their core: one of them says in the suite what the others say in the long tests.
LONG = {"ai-openai-chat", "ai-openai-responses", "ai-google", "ai-openai-compatible"}
FACTS = (
    "KEY", "PLAIN", "FUNCTION_ANSWER", "THOUGHT", "SECOND_THOUGHT", "SIGNATURE", "SECOND_SIGNATURE", "REDACTED",
    "IMAGE_URL", "PNG", "PDF", "WEATHER", "TOOLS",
)  # fmt: skip

needs_npm = pytest.mark.skipif(bool(absence()), reason=absence())


def test_the_npm_clients_are_here_where_they_have_to_be_proved():
    if os.environ.get("FLYBALL_TEST_NPM") != "required":
        pytest.skip("FLYBALL_TEST_NPM is not 'required'")

    assert not absence(), (
        f"{absence()}: run `scripts/install dev` and see why `npm ci` fails, or unset FLYBALL_TEST_NPM"
    )


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


@needs_npm
@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "client", [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in CLIENTS]
)
def test_an_npm_client_gets_everything_from_a_provider_of_any_dialect(run_of, client, target):
    results = [one for one in run_of(client) if one["target"] == target]

    assert len(results) >= 12
    assert {one["name"]: one["failure"] for one in results if one["failure"]} == {}
