"""A flusher that hangs is told of by /metrics, the commands and the page, and the measure survives the process that measures."""

import contextlib
import json
import os
import signal
from http.client import HTTPConnection

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

TOKEN = "scrape-0123456789abcdef"  # noqa: S105 -- of this test


def ask(flyball, method: str, path: str, bearer: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and text of what the public port answers."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    with contextlib.closing(HTTPConnection("127.0.0.1", flyball.port, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def scrape(flyball, token: str = TOKEN) -> dict[tuple[str, ...], float]:
    """What Prometheus is told; nothing while the control process is not there, nor to whoever may not know."""
    status, text = ask(flyball, "GET", "/metrics", token)
    if status != 200:
        return {}
    return {(one.name, *one.labels.values()): one.value for family in read_text(text) for one in family.samples}


def send_span(flyball, key: str, number: int) -> None:
    span = {
        "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
    }  # fmt: skip
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    assert ask(flyball, "POST", "/v1/traces", key, body)[0] == 200


def process(flyball, *words: str):
    [found] = [one for one in flyball.processes() if set(words) <= {*one.cmdline()}]
    return found.pid


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_flusher_that_hangs_is_told_and_what_was_measured_outlives_who_measured(begin):
    flyball = begin({"FLYBALL_METRICS_TOKEN": TOKEN, "FLYBALL_OTLP_GRPC_PORT": "0"})
    flyball.start()
    key = flyball.ask("keys", "create", "app")["key"]
    flyball.until(lambda: scrape(flyball).get(("flyball_process_up", "flusher")) == 1, "the flusher is not told of")
    assert scrape(flyball, "another") == {}

    send_span(flyball, key, 1)
    flyball.until(lambda: scrape(flyball).get(("flyball_records_stored_total", "traces")) == 1, "it is not stored")
    flusher = process(flyball, "flyball.worker", "flusher")
    os.kill(flusher, signal.SIGSTOP)
    send_span(flyball, key, 2)
    flyball.until(lambda: scrape(flyball).get(("flyball_lag_seconds", "traces"), 0) > 3, "the lag does not grow")
    flyball.until(lambda: scrape(flyball)["flyball_lag_missed_minutes",] >= 1, "no minute is missed")
    flyball.until(lambda: scrape(flyball).get(("flyball_finding", "flusher")) == 3, "the flusher is not told to hang")
    doctor = {row["check"]: row["state"] for row in flyball.ask("doctor", allowed=(0, 1))}
    health = flyball.ask("health", allowed=(1,))
    os.kill(process(flyball, "flyball.web", "control"), signal.SIGKILL)
    flyball.until(lambda: not scrape(flyball), "control is still there")
    os.kill(flusher, signal.SIGCONT)
    flyball.until(lambda: scrape(flyball).get(("flyball_inbox_records", "traces")) == 0, "it is not stored after all")
    after = flyball.until(
        lambda: (found := scrape(flyball)).get(("flyball_finding", "flusher"), 3) < 2 and found,
        "the flusher is not well",
    )

    assert doctor["flusher"] == "failed"
    assert health["state"] == "bad"
    assert after["flyball_lag_missed_minutes",] >= 1
    flyball.stop()
