"""Log records are listed newest first, page by page, narrowed, whatever times they tell and however many are of one moment."""

import os
from typing import Any

import pytest

from flyball.infra.context import Context
from flyball.traces import log_lists, service
from flyball.traces.columns import Origin
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.signal_records import LogFilter, LogRow, level_of
from flyball.traces.signal_tables import LOGS, log_columns
from flyball.traces.told import ToldLog, ToldResource

NOW = 1_763_750_000_000_000_000
HOUR = 3_600 * 1_000_000_000
TRACE, SPAN = "ab" * 16, "cd" * 8


async def tell(ctx: Context, *logs: ToldLog) -> None:
    assert (await take_request(ctx, "logs", logs_request(logs).SerializeToString())).rejected == 0
    await Flusher(ctx).flush()


async def listed(ctx: Context, *, limit: int = 200, **wanted: Any) -> list[LogRow]:
    """All pages."""
    rows: list[LogRow] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await service.list_logs(ctx, LogFilter(**wanted), cursor=cursor, limit=limit)
        rows += page.items
        cursor = page.next
    return rows


def test_a_level_is_read_from_the_protocols_numbers() -> None:
    assert [level_of(severity) for severity in (0, 1, 4, 5, 9, 13, 17, 20, 21, 24, 25, -1)] == [
        "", "trace", "trace", "debug", "info", "warn", "error", "error", "fatal", "fatal", "", "",
    ]  # fmt: skip


async def test_every_record_is_listed_once_though_a_thousand_are_of_one_moment(ctx: Context) -> None:
    await tell(ctx, *(ToldLog(time_ns=NOW, body=number) for number in range(950)))
    await tell(ctx, *(ToldLog(time_ns=NOW - 1 - number * HOUR, body=1_000 + number) for number in range(50)))

    rows = await listed(ctx, limit=70)

    assert sorted(row.body for row in rows) == [*range(950), *range(1_000, 1_050)]
    assert [row.at_ns for row in rows] == sorted((row.at_ns for row in rows), reverse=True)


async def test_a_record_stands_where_it_was_observed_or_arrived_if_it_tells_no_time(ctx: Context) -> None:
    observed = ToldLog(time_ns=0, observed_ns=NOW, body="observed")
    await tell(ctx, observed)
    await tell(ctx, ToldLog(time_ns=NOW - HOUR, body="before"), ToldLog(time_ns=0, body="arrived"))

    rows = await listed(ctx)

    assert [row.body for row in rows] == ["arrived", "observed", "before"]
    assert [row.body for row in await listed(ctx, since_ns=NOW, until_ns=NOW)] == ["observed"]
    assert rows[0].at_ns == rows[0].received_ns


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"level": "error"}, ["by its text", "bad"]),
        ({"level": "warn", "service": "shop"}, ["bad"]),
        ({"trace_id": TRACE}, ["of a span", "of a trace"]),
        ({"trace_id": TRACE, "span_id": SPAN}, ["of a span"]),
        ({"text": 'VALVE "7"'}, ['the valve "7" is stuck']),
        ({"text": "über"}, [{"what": "ÜBERDRUCK"}]),
        ({"text": "stoker-3"}, ["bad"]),
        ({"event": "gen_ai.choice"}, ["of a span"]),
        ({"text": "%"}, []),
        ({"since_ns": NOW + 1, "until_ns": NOW + 2}, ["by its text"]),
    ],
)  # fmt: skip
async def test_log_records_are_narrowed(ctx: Context, wanted: dict[str, Any], found: list[Any]) -> None:
    shop = ToldResource(attributes={"service.name": "shop"})
    await tell(
        ctx,
        ToldLog(time_ns=NOW, severity=17, body="bad", attributes={"user": "stoker-3"}, resource=shop),
        ToldLog(time_ns=NOW + 1, severity_text="ERROR", body="by its text"),
        ToldLog(time_ns=NOW + 3, body="of a trace", trace_id=TRACE),
        ToldLog(time_ns=NOW + 4, body="of a span", trace_id=TRACE, span_id=SPAN, event_name="gen_ai.choice"),
        ToldLog(time_ns=NOW + 5, body='the valve "7" is stuck'),
        ToldLog(time_ns=NOW + 6, body={"what": "ÜBERDRUCK"}, resource=shop),
    )

    assert [row.body for row in await listed(ctx, **wanted)] == found


async def test_a_search_for_a_text_looks_at_so_many_records_and_goes_on(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lists, "_TEXT", 100)
    await tell(ctx, *(ToldLog(time_ns=NOW - number, body=f"line {number}") for number in range(350)))

    first = await service.list_logs(ctx, LogFilter(text="line 349"))

    assert first.items == ()
    assert [row.body for row in await listed(ctx, text="line 349")] == ["line 349"]


async def test_a_page_of_a_hundred_thousand_records_costs_little(ctx: Context, costs_at_most: Any) -> None:
    origin = Origin(ctx.project, "k", NOW)
    for part in range(4):
        numbers = range(part * 25_000, (part + 1) * 25_000)
        logs = [ToldLog(time_ns=NOW - number * HOUR // 600, body=f"line {number}" * 20) for number in numbers]
        ctx.lake.append(LOGS, log_columns([(origin, log) for log in logs]), writer="w", sequence=part)

    with costs_at_most(20):
        first = await service.list_logs(ctx, LogFilter())
        again = await service.list_logs(ctx, LogFilter(), cursor=first.next or "")
        none = await service.list_logs(ctx, LogFilter(service="nothing"))

    assert [row.body[:7] for row in again.items[:2]] == ["line 50", "line 51"]
    assert (none.items, none.next) == ((), None)


async def test_what_is_long_is_cut_in_a_list_and_says_so(ctx: Context) -> None:
    await tell(ctx, ToldLog(time_ns=NOW, body="é" * 50_000, attributes={"a": "x" * 50_000}))

    (row,) = await listed(ctx)

    assert row.cut
    assert len(row.body) == log_lists.LONGEST
    assert row.attributes == {}


async def test_values_that_json_cannot_say_are_listed_as_the_table_writes_them(ctx: Context) -> None:
    await tell(ctx, ToldLog(time_ns=NOW, body=[b"\x00", float("nan"), 2**63 - 1, None]))

    assert (await listed(ctx))[0].body == [{"$bytes": "AA=="}, {"$double": "NaN"}, 2**63 - 1, None]


async def test_log_records_are_read_over_http_by_whoever_may_read_traces(ctx: Context, admin: Any, public: Any) -> None:
    key = (await admin.post("/api/keys", {"name": "a", "role": "application"})).json()["key"]
    await tell(ctx, ToldLog(time_ns=NOW, severity=17, body="bad", trace_id=TRACE))
    listed = (await admin.get(f"/api/logs?trace={TRACE}&level=error")).json()
    exported = (await admin.get(f"/api/logs/otlp?trace={TRACE}")).json()

    assert [row["body"] for row in listed["items"]] == ["bad"]
    assert exported["request"]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] == {"stringValue": "bad"}
    assert (await public.get("/api/logs", headers={"authorization": f"Bearer {key}"})).status == 403
    assert (await public.get("/api/logs/otlp")).status == 401
    assert (await admin.get("/api/logs?level=loud")).status == 400
    events = (await admin.get("/api/audit/events")).json()["items"]
    assert "logs.read" in {event["action"] for event in events}


async def test_a_page_shows_log_records_and_a_trace_shows_its_own(ctx: Context, admin: Any) -> None:
    span = {"trace_id": TRACE, "span_id": SPAN, "name": "stoke", "start_ns": NOW, "end_ns": NOW + 9}
    await admin.post("/api/traces/spans", {"spans": [span]})
    log = ToldLog(time_ns=NOW + 5, severity=13, body="<b>hot</b>", trace_id=TRACE, span_id=SPAN, attributes={"a": 1})
    await tell(ctx, log, ToldLog(time_ns=NOW, body="elsewhere", trace_id=os.urandom(16).hex()))
    page = (await admin.get("/logs?level=warn")).text
    trace = (await admin.get(f"/traces/{TRACE}")).text

    assert "&lt;b&gt;hot" in page
    assert "elsewhere" not in page
    assert "&lt;b&gt;hot" in trace
    assert "elsewhere" not in trace
    assert f"/logs?trace={TRACE}" in trace
