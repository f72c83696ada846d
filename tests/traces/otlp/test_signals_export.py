"""Log records and points that went through the store come out of an export as they came in: sent again, they are the same rows."""

import json
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from told_strategies import logs as some_log
from told_strategies import points as some_point

from flyball.infra.context import Context
from flyball.projects import tenants
from flyball.traces import service
from flyball.traces.columns import Origin
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.decoding import told_logs, told_points
from flyball.traces.otlp.encoding import logs_request, points_request
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.otlp.taking import take_request
from flyball.traces.pruning import of_project
from flyball.traces.signal_records import LogFilter, PointFilter
from flyball.traces.signal_tables import LOGS, METRICS, point_columns
from flyball.traces.told import PointKind, ToldLog, ToldPoint, ToldResource, ToldScope
from flyball.traces.told_rows import told_of_point

NOW = 1_763_750_000_000_000_000
TRACE, SPAN = "ab" * 16, "cd" * 8
SHOP = ToldResource(attributes={"service.name": "shop", "host": "a"}, schema_url="https://x/1.41.0", dropped=2)
SCOPE = ToldScope(name="an.instrumentor", version="1", attributes={"a": [1]}, schema_url="https://y", dropped=1)
BODIES = ["text", "", True, 7, 2**63 - 1, -1.5, float("inf"), b"\x00\xff", [1, "a", None], {"$x": {"b": 1.0}}, None]
EXEMPLAR = {"time_ns": NOW, "value": 3, "trace_id": TRACE, "span_id": SPAN, "attributes": {"user": "ada"}}
DETAILS: dict[PointKind, dict[str, Any]] = {
    "gauge": {"exemplars": [EXEMPLAR, EXEMPLAR | {"value": 0.5, "trace_id": "", "span_id": ""}]},
    "sum": {"metadata": {"why": "told"}},
    "histogram": {
        "count": 2**64 - 1, "bucket_counts": [1, 2, 0], "explicit_bounds": [0.5, 1.0], "min": 0.1, "max": 2.0,
        "exemplars": [EXEMPLAR],
    },
    "exponential_histogram": {
        "count": 9, "scale": -2, "zero_count": 1, "zero_threshold": 0.25, "positive": {"offset": -3, "bucket_counts": [1, 2]},
        "negative": {"offset": 4, "bucket_counts": [5]}, "min": -1e9, "max": 8.0, "exemplars": [EXEMPLAR],
    },
    "summary": {"count": 4, "quantile_values": [{"quantile": 0.5, "value": 1.5}, {"quantile": 1.0, "value": float("inf")}]},
}  # fmt: skip
OWN = {"project", "key_id", "received_ns"}  # whose a row is, and when it came, is told by who sends it


def a_log(**fields: Any) -> ToldLog:
    basic = {"time_ns": NOW, "observed_ns": NOW + 1, "severity": 9, "resource": SHOP, "scope": SCOPE}
    return ToldLog(**(basic | fields))


def a_point(kind: PointKind = "gauge", **fields: Any) -> ToldPoint:
    temporal = {} if kind in ("gauge", "summary") else {"temporality": 2}
    basic = {"name": f"a.{kind}", "kind": kind, "time_ns": NOW, "unit": "s", "description": "it is", "value": 2.5}
    more = {"detail": DETAILS[kind], "attributes": {"a": 1}, "resource": SHOP, "scope": SCOPE, "start_ns": NOW - 9}
    return ToldPoint(**(basic | more | temporal | {"monotonic": kind == "sum"} | fields))


async def send(ctx: Context, signal: str, body: bytes) -> None:
    assert (await take_request(ctx, signal, body)).rejected == 0
    await Flusher(ctx).flush()


async def send_logs(ctx: Context, *logs: ToldLog) -> None:
    await send(ctx, "logs", logs_request(logs).SerializeToString())


async def send_points(ctx: Context, *points: ToldPoint) -> None:
    await send(ctx, "metrics", points_request(points).SerializeToString())


async def pages(ctx: Context, export: Any, wanted: Any) -> list[bytes]:
    """Every page of an export, as it is written in lines."""
    cursor, lines = "", []
    while cursor is not None:
        page = await export(ctx, wanted, cursor=cursor)
        lines.append(json.dumps(page.request).encode())
        cursor = page.next
    return lines


def rows(ctx: Context, table: Any) -> list[str]:
    found = ctx.lake.query(f"select * from {table.name}", tables=(table,), where={table.name: of_project(ctx.project)})
    return sorted(repr({name: value for name, value in row.items() if name not in OWN}) for row in found)


async def elsewhere(ctx: Context) -> Context:
    return ctx.within((await tenants.create_project(ctx, f"p{secrets.token_hex(4)}")).id, ctx.actor)


async def imported(ctx: Context, signal: str, lines: list[bytes]) -> Context:
    """A project into which these lines were imported, through the door for JSON."""
    other = await elsewhere(ctx)
    for line in lines:
        body, unread = request_from_json(signal, line)
        assert unread.rejected == 0
        await send(other, signal, body)
    return other


@settings(max_examples=60, deadline=None)
@given(some_point)
def test_a_point_reads_back_from_its_columns_as_it_was_told(point: ToldPoint) -> None:
    (row,) = point_columns([(Origin("p", "k", 1), point)]).to_pylist()

    assert repr(told_of_point(row)) == repr(point)


async def test_log_records_with_every_kind_of_body_are_the_same_rows_after_export_and_import(ctx: Context) -> None:
    await send_logs(ctx, *(a_log(body=body, attributes={"n": body}) for body in BODIES))
    await send_logs(ctx, a_log(time_ns=0), a_log(trace_id=TRACE, span_id=SPAN, flags=1, dropped=3, event_name="e"))

    other = await imported(ctx, "logs", await pages(ctx, service.export_logs, LogFilter()))

    assert len(rows(ctx, LOGS)) == len(BODIES) + 2
    assert rows(other, LOGS) == rows(ctx, LOGS)


async def test_points_of_every_kind_are_the_same_rows_after_export_and_import(ctx: Context) -> None:
    await send_points(ctx, *(a_point(kind) for kind in DETAILS), a_point("sum", value=2**60, temporality=1))
    await send_points(ctx, a_point(value=None, flags=1), a_point(resource=ToldResource(), scope=ToldScope(), value=-3))

    other = await imported(ctx, "metrics", await pages(ctx, service.export_points, PointFilter()))

    assert len(rows(ctx, METRICS)) == len(DETAILS) + 3
    assert rows(other, METRICS) == rows(ctx, METRICS)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(some_log, min_size=5, max_size=20), st.lists(some_point, min_size=5, max_size=20))
async def test_whatever_was_told_is_the_same_row_after_export_and_import(
    ctx: Context, logs: list[ToldLog], points: list[ToldPoint]
) -> None:
    ctx = await elsewhere(ctx)
    await send_logs(ctx, *logs)
    await send_points(ctx, *points)

    other = await imported(ctx, "logs", await pages(ctx, service.export_logs, LogFilter()))
    third = await imported(ctx, "metrics", await pages(ctx, service.export_points, PointFilter()))

    assert rows(other, LOGS) == rows(ctx, LOGS)
    assert rows(third, METRICS) == rows(ctx, METRICS)


async def test_an_export_comes_page_by_page_and_holds_every_record_once(ctx: Context) -> None:
    logs = [a_log(time_ns=NOW + number // 700, body=number) for number in range(2_500)]
    await send_logs(ctx, *logs)

    lines = await pages(ctx, service.export_logs, LogFilter())

    told = [list(told_logs(request_from_json("logs", line)[0])) for line in lines]
    assert [len(page) for page in told] == [1_000, 1_000, 500]
    assert sorted(log.body for page in told for log in page) == list(range(2_500))


async def test_a_page_of_an_export_stays_small_where_records_are_large(ctx: Context) -> None:
    await send_logs(ctx, *(a_log(time_ns=NOW + number, body="x" * 5_000_000) for number in range(4)))

    lines = await pages(ctx, service.export_logs, LogFilter())

    assert [len(list(told_logs(request_from_json("logs", line)[0]))) for line in lines] == [2, 2]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LogFilter(since_ns=NOW + 10, until_ns=NOW + 20), [NOW + 10, NOW + 20]),
        (LogFilter(trace_id=TRACE), [NOW + 20]),
        (LogFilter(level="warn"), [NOW + 30]),
        (LogFilter(service="other"), []),
    ],
)
async def test_log_records_are_exported_by_time_and_by_trace(ctx: Context, wanted: LogFilter, found: list[int]) -> None:
    logs = [a_log(time_ns=NOW), a_log(time_ns=NOW + 10), a_log(time_ns=NOW + 20, trace_id=TRACE)]
    await send_logs(ctx, *logs, a_log(time_ns=NOW + 30, severity=17))

    (line,) = await pages(ctx, service.export_logs, wanted)

    assert [log.time_ns for log in told_logs(request_from_json("logs", line)[0])] == found


async def test_points_are_exported_by_time_and_by_the_trace_that_an_exemplar_names(ctx: Context) -> None:
    await send_points(ctx, a_point("sum"), a_point("histogram", time_ns=NOW + 5), a_point("summary", time_ns=NOW + 9))

    names = []
    for wanted in (PointFilter(trace_id=TRACE), PointFilter(since_ns=NOW + 6), PointFilter(name="a.sum")):
        (line,) = await pages(ctx, service.export_points, wanted)
        names.append([point.name for point in told_points(request_from_json("metrics", line)[0])])

    assert names == [["a.histogram"], ["a.summary"], ["a.sum"]]


async def test_nothing_is_exported_of_another_project(ctx: Context) -> None:
    other = await elsewhere(ctx)
    await send_logs(other, a_log())
    await send_points(other, a_point())

    assert (await service.export_logs(ctx, LogFilter())).records == 0
    assert (await service.export_points(ctx, PointFilter())).request == {}
