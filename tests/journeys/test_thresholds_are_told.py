"""A budget's thresholds reach a webhook from a real flyball, once each, although the process that tells them is killed in between."""

import hmac
import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from openai import OpenAI, OpenAIError

from .scanning import set_by_command

SEED = "correct horse battery staple"
CONFIGURATION = """\
project: default
models:
  fast:
    endpoints: [{{provider: openai-compatible, base_url: "http://127.0.0.1:{port}/v1", model: small}}]
    prices: {{input: 1, output: 1}}
budgets:
  - {{usd: 0.001, per: total, stop: soft, alerts: [50, 100]}}
"""
ANSWER = {
    "id": "a", "object": "chat.completion", "created": 1, "model": "small",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250},
}  # fmt: skip


class Both(BaseHTTPRequestHandler):
    """A provider that bills 250 tokens a call, and a webhook's receiver that keeps what is well signed."""

    told: list[dict]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/hook":
            signed = self.headers["flyball-timestamp"].encode() + b"." + body
            assert self.headers["flyball-signature"] == "v1=" + hmac.digest(SEED.encode(), signed, "sha256").hex()
            self.told.append(json.loads(body))
        answer = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def outside():
    Both.told = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Both)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def call():
    """Call the model once with a key; the client is given back with the test."""
    clients: dict[str, OpenAI] = {}

    def ask(flyball, key):
        client = clients.setdefault(
            key, OpenAI(base_url=f"{flyball.address}/v1", api_key=key, max_retries=0, timeout=30)
        )
        return client.chat.completions.create(model="fast", messages=[{"role": "user", "content": "well?"}])

    yield ask
    for client in clients.values():
        client.close()


@pytest.mark.timeout(180)
def test_each_threshold_is_told_once_although_who_tells_is_killed(begin, call, tmp_path, outside):
    (tmp_path / "flyball.yaml").write_text(CONFIGURATION.format(port=outside))
    flyball = begin({"FLYBALL_ALLOWED_NETWORKS": "127.0.0.1"})
    flyball.start("--config", str(tmp_path / "flyball.yaml"))
    set_by_command(flyball, "hook", SEED, "--host", f"127.0.0.1:{outside}")
    flyball.ask("notifications", "add", f"http://127.0.0.1:{outside}/hook", "--secret", "secret:hook")
    key = flyball.ask("keys", "create", "desk")["key"]

    flyball.until(lambda: _answers(call, flyball, key), "the model is not in force")
    for _ in range(2):
        call(flyball, key)  # 0.00075 of 0.001 USD by now, or a quarter more
    flyball.until(lambda: Both.told, "nobody was told")
    (control,) = [one for one in flyball.processes() if {"flyball.web", "control"} <= {*one.cmdline()}]
    os.kill(control.pid, signal.SIGKILL)
    for _ in range(3):
        call(flyball, key)
    flyball.until(lambda: len(Both.told) >= 2, "what was passed while nobody looked is not told")
    shown = flyball.until(lambda: _delivered(flyball), "the budget does not say that both arrived")

    assert [one["threshold_percent"] for one in Both.told] == [50, 100]
    assert len({one["id"] for one in Both.told}) == 2
    assert [one["threshold"] for one in shown["passed"]] == [100, 50]
    flyball.stop()


def _answers(call, flyball, key):
    try:
        return call(flyball, key)
    except OpenAIError:
        return False


def _delivered(flyball):
    done = flyball.run("budgets", "show", "project")
    passed = done.told["passed"] if done.code == 0 else []
    states = [one["state"] for each in passed for one in each["told"]]
    return done.told if states == ["delivered"] * 2 else None
