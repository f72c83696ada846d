"""flyball's two doors for OTLP meet every clause of the published suite; and the suite says so when an endpoint does not."""

import asyncio
import http.server
import subprocess
import sys
import threading

import pytest
from otlp_doors import grpc_door, http_door
from otlp_requests import make_key

from flyball.testing.otlp_conformance import CLAUSES, Target, run

__all__ = ["grpc_door", "http_door"]


@pytest.fixture
async def target(http_door, grpc_door, admin):
    key = await make_key(admin)
    headers = {"authorization": f"Bearer {key}"}
    return Target(http_door, headers, f"127.0.0.1:{grpc_door}", bomb_bytes=64 * 1024 * 1024)


async def test_flyball_meets_every_clause_over_http_and_grpc(target):
    outcomes = await asyncio.to_thread(lambda: list(run(target)))

    assert [
        f"{each.clause.says} ({each.signal}, {each.encoding}): {each.why}" for each in outcomes if each.state != "met"
    ] == []
    assert len(outcomes) > 100
    assert {outcome.clause for outcome in outcomes} == set(CLAUSES)


class _SaysYes(http.server.BaseHTTPRequestHandler):
    """Answers whatever comes with 200 and a word."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def yes_sayer():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _SaysYes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_endpoint_that_says_yes_to_everything_is_found_out(yes_sayer):
    command = [sys.executable, "-m", "flyball.testing.otlp_conformance", yes_sayer, "--bomb-mb", "1"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)

    unmet = {line.split(": ", 1)[0].split("  ")[-1] for line in ran.stdout.splitlines() if line.startswith("not met")}
    assert ran.returncode == 1, ran.stdout + ran.stderr
    for section in ("Response", "Full Success", "Bad Data", "Failures", "Request"):
        assert any(section in said for said in unmet), section


def test_an_endpoint_that_is_not_there_meets_nothing():
    outcomes = list(run(Target("http://127.0.0.1:9", grpc="")))

    assert {outcome.state for outcome in outcomes if outcome.clause.transport == "http"} == {"not met", "not asked"}
    assert not any(outcome.state == "met" for outcome in outcomes)
    assert {outcome.state for outcome in outcomes if outcome.clause.transport == "grpc"} == {"not asked"}


def test_a_clause_has_a_section_a_level_and_words_of_its_own():
    said = [(clause.transport, clause.section, clause.says) for clause in CLAUSES]

    assert len(said) == len(set(said))
    assert {clause.level for clause in CLAUSES} == {"must", "should"}
