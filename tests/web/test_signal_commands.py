"""The commands of log records and metrics against a control process that runs."""

import json
import time

import pytest
from test_control_commands import flyball  # noqa: F401 -- a fixture

from flyball.traces.flusher import Flusher
from flyball.traces.otlp.decoding import told_logs, told_points
from flyball.traces.otlp.encoding import logs_request, points_request
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.otlp.taking import take_request
from flyball.traces.told import ToldLog, ToldPoint, ToldResource

MINUTE = 60 * 1_000_000_000
TRACE = "ab" * 16
SHOP = ToldResource(attributes={"service.name": "shop"})


@pytest.fixture
async def told(ctx):
    """What an application said in the last minutes."""
    now_ns = time.time_ns()
    logs = [
        ToldLog(time_ns=now_ns - number * MINUTE, severity=9 + 8 * (number % 2), body=f"line {number}", resource=SHOP)
        for number in range(4)
    ]
    logs.append(ToldLog(time_ns=now_ns, body={"\x1b[31m": 1}, trace_id=TRACE))
    points = [
        ToldPoint("coal", "sum", now_ns - number * MINUTE, unit="kg", value=9 - number, temporality=1, resource=SHOP)
        for number in range(3)
    ]
    await take_request(ctx, "logs", logs_request(logs).SerializeToString())
    await take_request(ctx, "metrics", points_request(points).SerializeToString())
    await Flusher(ctx).flush()
    return logs, points


async def test_log_records_are_listed_and_written_as_they_came(flyball, told):  # noqa: F811 -- likewise
    logs, _ = told
    code, out, _ = await flyball("logs", "list", "--level", "error", "--service", "shop")
    assert code == 0
    assert "line 1" in out
    assert "line 0" not in out
    code, out, _ = await flyball("logs", "list", "--trace", TRACE)
    assert "\x1b" not in out
    code, out, _ = await flyball("logs", "export")
    assert code == 0
    (line,) = out.splitlines()
    body, _ = request_from_json("logs", line.encode())
    assert sorted(map(repr, told_logs(body))) == sorted(map(repr, logs))
    code, out, error = await flyball("logs", "list", "--since", "yesterday")
    assert code == 2
    assert "neither a date nor a time" in error


async def test_metrics_are_listed_shown_and_written_as_they_came(flyball, told):  # noqa: F811 -- likewise
    _, points = told
    code, out, _ = await flyball("metrics", "list", "--text", "OA")
    assert code == 0
    assert "coal" in out
    code, out, _ = await flyball("metrics", "show", "coal", "--steps", "2")
    assert code == 0
    assert "by how much it grew" in out
    assert "24" in out
    code, out, _ = await flyball("metrics", "show", "coal", "--json")
    assert json.loads(out)["series"][0]["shows"] == "increase"
    code, out, _ = await flyball("metrics", "export", "--name", "coal")
    (line,) = out.splitlines()
    body, _ = request_from_json("metrics", line.encode())
    assert sorted(map(repr, told_points(body))) == sorted(map(repr, points))
    code, _, error = await flyball("metrics", "show", "nothing")
    assert code == 7
    assert "flyball metrics list" in error
