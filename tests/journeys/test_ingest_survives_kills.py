"""SIGKILL at random moments to random processes while exporters send spans by OTLP: what was acknowledged is there, once.

An exporter does as the real ones do: it sends the same bytes again until they are acknowledged. Now and then it sends spans
again in another request, as a program does that was itself cut off before it knew of the answer.
"""

import http.client
import os
import random
import threading
import time
from collections import Counter

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .killing import Killer, tell

EXPORTERS = 3
SPANS = 20  # of a request
AGAIN = (429, 502, 503, 504)


class Exporter(threading.Thread):
    """Sends requests one after the other until it is told to stop; `acknowledged` is what a 200 was given for."""

    def __init__(self, number: int, port: int, key: str, crowd: "Crowd", seed: int) -> None:
        super().__init__(name=f"exporter-{number}", daemon=True)
        self.acknowledged: list[tuple[str, str]] = []
        self.requests = self.repeated = self.sent_twice = 0
        self.failed: BaseException | None = None
        self._port = port
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/x-protobuf"}
        self._crowd = crowd
        self._chance = random.Random(f"{seed}/{number}")

    def run(self) -> None:
        """In the end `failed` says what no exporter can repeat."""
        try:
            last: list[tuple[str, str]] = []
            while not self._crowd.stop.is_set():
                fresh = [(self._id(16), self._id(8)) for _ in range(SPANS)]
                mixed = fresh + (self._chance.sample(last, 5) if last and self._chance.random() < 0.1 else [])
                self._send_until_acknowledged(self._body(mixed))
                self.sent_twice += len(mixed) - len(fresh)
                self.acknowledged += fresh
                last = fresh
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test has to say it
            self.failed = error
            self._crowd.stop.set()

    def _id(self, size: int) -> str:
        return self._chance.randbytes(size).hex()

    def _body(self, ids: list[tuple[str, str]]) -> bytes:
        words = self._chance.choice((10, 60))  # so that some lie in their rows and some in files
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for trace_id, span_id in ids:
            now = time.time_ns()
            span = scope.spans.add(
                trace_id=bytes.fromhex(trace_id),
                span_id=bytes.fromhex(span_id),
                name="work",
                start_time_unix_nano=now - 1_000_000,
                end_time_unix_nano=now,
            )
            span.attributes.add(key="input.value").value.string_value = f"what {span_id} was asked " * words
        return request.SerializeToString()

    def _send_until_acknowledged(self, body: bytes) -> None:
        deadline = time.monotonic() + 300
        self.requests += 1
        while True:
            said = self._send(body)
            if said == 200:
                return
            assert said in (0, *AGAIN), f"an exporter was answered {said}, which it does not repeat"
            assert time.monotonic() < deadline, f"a request was not acknowledged for 300 s; the last answer: {said}"
            self.repeated += 1
            time.sleep(0.2)

    def _send(self, body: bytes) -> int:
        """The status of the answer; 0: there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.request("POST", "/v1/traces", body, self._headers)
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        assert answer.status != 200 or not told, f"a part was refused: {told!r}"
        return answer.status


class Crowd:
    """What the exporters do together, and how the killer tells them that all is over."""

    step = "exporting"

    def __init__(self) -> None:
        self.stop = threading.Event()

    @property
    def give_up(self) -> threading.Event:
        """Set when flyball does not start any more."""
        return self.stop


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("kills", "longest_pause"), [(4, 4.0), pytest.param(100, 2.0, marks=pytest.mark.long), pytest.param(1000, 2.0, marks=pytest.mark.long)]
)  # fmt: skip
def test_no_kill_loses_or_doubles_an_acknowledged_span(kills, longest_pause, begin):
    seed = int(os.environ.get("FLYBALL_JOURNEY_SEED") or random.randrange(10**6))
    tell(f"seed {seed}: FLYBALL_JOURNEY_SEED={seed} repeats the choices")
    flyball = begin()
    flyball.start()
    key = flyball.ask("keys", "create", "exporter")["key"]
    flyball.stop()
    crowd = Crowd()
    killer = Killer(flyball, crowd, moments=kills, longest_pause=longest_pause, chance=random.Random(seed))
    exporters = [Exporter(number, flyball.port, key, crowd, seed) for number in range(EXPORTERS)]
    for thread in (killer, *exporters):
        thread.start()
    killer.join()
    flyball.until(lambda: flyball.run("doctor").code == 0, "flyball does not recover")
    crowd.stop.set()
    for exporter in exporters:
        exporter.join()

    assert [one.failed for one in (killer, *exporters) if one.failed is not None] == []
    assert len(killer.killed) == kills
    acknowledged = {span for exporter in exporters for span in exporter.acknowledged}
    tell(f"killed {Counter(one.role for one in killer.killed)}; {len(acknowledged):,} spans acknowledged")
    tell(f"repeated {sum(one.repeated for one in exporters)} times; twice {sum(one.sent_twice for one in exporters)}")
    (counted,) = flyball.until(
        lambda: _all_there(flyball, len(acknowledged)), "the spans do not all arrive", show=lambda: _count(flyball)
    )
    assert counted == {"spans": len(acknowledged), "different": len(acknowledged)}
    assert _ids(flyball, acknowledged) == acknowledged
    flyball.stop()


def _count(flyball) -> list[dict[str, int]]:
    return flyball.sql("select count(*) as spans, count(distinct trace_id || span_id) as different from spans")


def _all_there(flyball, wanted: int) -> list[dict[str, int]] | None:
    counted = _count(flyball)
    return counted if counted[0]["different"] >= wanted else None


def _ids(flyball, acknowledged) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    while len(found) < len(acknowledged):
        rows = flyball.sql(
            f"select trace_id, span_id from spans order by trace_id, span_id limit 10000 offset {len(found)}"
        )
        if not rows:
            break
        found |= {(row["trace_id"], row["span_id"]) for row in rows}
    return found
