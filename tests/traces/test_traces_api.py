"""Traces, scores and questions over HTTP: bad input is named, other projects are out of reach."""

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.lake.errors import QuestionError, QuestionTookTooLongError
from flyball.traces import questions, service
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"


def a_span(**fields: object) -> dict[str, object]:
    basic = {"trace_id": TRACE, "span_id": "b7ad6b7169203331", "name": "ask", "start_ns": 10**18, "end_ns": 10**18 + 5}
    return basic | fields


async def make_key(admin, role="application") -> dict[str, str]:
    made = await admin.post("/api/keys", {"name": role, "role": role})
    return {"authorization": f"Bearer {made.json()['key']}"}


async def test_an_application_sends_spans_and_feedback_and_may_not_read(admin, public) -> None:
    key = await make_key(admin)
    body = {"spans": [a_span(output="hello")]}

    assert (await public.post("/api/traces/spans", body, headers=key)).json() == {"taken": 1, "new": 1}
    assert (await public.post("/api/traces/spans", body, headers=key)).json() == {"taken": 1, "new": 0}
    said = await public.post("/api/feedback", {"trace_id": TRACE, "value": 1}, headers=key)
    assert (said.status, said.json()["label"]) == (201, "up")
    assert (await public.get("/api/traces", headers=key)).status == 403
    assert (await public.post("/api/sql", {"sql": "select 1"}, headers=key)).status == 403
    assert (await public.post("/api/traces/spans", body)).status == 401


async def test_a_trace_is_listed_shown_and_read_whole(admin) -> None:
    await admin.post("/api/traces/spans", {"spans": [a_span(output="y" * 500, function="ask")]})
    listed = (await admin.get("/api/traces?function=ask&text=YYY")).json()
    tree = (await admin.get(f"/api/traces/{TRACE}")).json()
    text = await admin.get(f"/api/traces/{TRACE}/spans/b7ad6b7169203331/output")

    assert [row["trace_id"] for row in listed["items"]] == [TRACE]
    assert tree["trace"]["output_preview"] == "y" * 199 + "…"
    assert text.json() == {"text": "y" * 500}
    assert (await admin.get("/api/traces/counts")).json()["traces"] == 1
    assert (await admin.get("/api/traces?function=other")).json()["items"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"trace_id": "x"}, "trace_id"),
        ({"span_id": "0" * 15}, "span_id"),
        ({"start_ns": -1}, "start_ns"),
        ({"end_ns": 1}, "before it starts"),
        ({"name": "n" * 1_001}, "name"),
        ({"name": None}, "name"),
        ({"status": "fine"}, "status"),
        ({"start_ns": 10**30}, "start_ns"),
    ],
)
async def test_a_span_that_breaks_a_rule_is_refused_by_name(admin, fields, told) -> None:
    answered = await admin.post("/api/traces/spans", {"spans": [a_span(**fields)]})

    assert answered.status == 400
    assert told in answered.json()["error"]["message"]


async def test_what_is_unknown_or_not_ours_is_said(admin) -> None:
    assert (await admin.get(f"/api/traces/{'1' * 32}")).json()["error"]["code"] == "trace_not_found"
    assert (await admin.get(f"/api/traces/{TRACE}/spans/{'1' * 16}/output")).status == 404
    assert (await admin.get(f"/api/traces/{TRACE}/spans/{'1' * 16}/sideways")).status in {400, 404, 422}
    assert (await admin.get("/api/traces?cursor=nonsense")).status == 400
    assert (await admin.get("/api/traces?since_ns=-1")).status == 400
    assert (await admin.post("/api/feedback", {"trace_id": "x", "value": 1})).status == 404
    assert (await admin.post("/api/feedback", {"trace_id": TRACE, "value": 7})).status == 400
    assert (await admin.post("/api/sql", {"sql": "selec 1"})).json()["error"]["code"] == "question_refused"


async def test_scores_are_listed(admin) -> None:
    await admin.post("/api/traces/spans", {"spans": [a_span()]})
    await admin.post("/api/feedback", {"trace_id": TRACE, "value": -1, "comment": "no", "correction": "yes"})
    (score,) = (await admin.get(f"/api/scores?trace={TRACE}&name=feedback")).json()["items"]

    assert (score["label"], score["explanation"], score["correction"]) == ("down", "no", "yes")


async def test_a_question_sees_what_was_flushed_and_the_audit_record(ctx: Context) -> None:
    await service.take_spans(ctx, [msgspec.convert(a_span(), Span)])
    await Flusher(ctx).flush()
    async with ctx.db.transaction() as connection:
        await audit.record(connection, ctx, action="keys.create", object_kind="key", object_id="k")

    spans = await questions.ask(ctx, "select name, end_ns - start_ns as took from spans")
    assert spans.rows == [{"name": "ask", "took": 5}]
    events = await questions.ask(ctx, "with a as (select action from audit) select * from a")
    assert events.rows == [{"action": "keys.create"}]
    assert (await questions.ask(ctx, "select count(*) as n from scores")).rows == [{"n": 0}]
    many = await questions.ask(ctx, "select * from range(100)", limit=10)
    assert (len(many.rows), many.truncated) == (10, True)


async def test_a_question_is_answered_for_one_project_and_reaches_nothing_else(ctx: Context, tmp_path) -> None:
    from dataclasses import replace

    from flyball.infra.db.database import execute
    from flyball.traces.tables import SPANS

    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('other', 'default', 'other', 'other', 0)",
        )
    other = replace(ctx, project="other")
    await service.take_spans(ctx, [msgspec.convert(a_span(), Span)])
    await service.take_spans(other, [msgspec.convert(a_span(name="secret"), Span)])
    await Flusher(ctx).flush()
    files = ctx.lake.files(SPANS, where="project = 'other'")
    (tmp_path / "passwords").write_text("secret")

    assert (await questions.ask(ctx, "select name from spans")).rows == [{"name": "ask"}]
    for attempt in (
        f"select * from read_parquet('{files[0]}')",
        f"select * from '{files[0]}'",
        f"select * from read_parquet('{ctx.layout.lake}/spans/*.parquet')",
        f"select * from read_text('{tmp_path}/passwords')",
        "select * from read_csv('/etc/passwd')",
        f"copy (select 1) to '{tmp_path}/out.csv'",
        "create table t as select 1",
        "insert into spans select * from spans",
        "attach ':memory:' as other",
        "set enable_external_access = true",
        "pragma database_list",
        "install httpfs",
        "load httpfs",
        "select 1; select 2",
        "",
        "select getenv('HOME')",
        "call pragma_version()",
        f"select * from glob('{tmp_path}/*')",
    ):
        with pytest.raises(QuestionError):
            await questions.ask(ctx, attempt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["passwords"]


async def test_a_question_without_the_permission_sees_no_audit(ctx: Context) -> None:
    from dataclasses import replace

    reader = replace(ctx, actor=replace(ctx.actor, permissions=frozenset({"traces.read"})))

    with pytest.raises(QuestionError, match="audit"):
        await questions.ask(reader, "select * from audit")


async def test_a_question_that_does_not_end_is_stopped(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_DEADLINE_SECONDS", 0.3)

    with pytest.raises(QuestionTookTooLongError):
        await questions.ask(
            ctx, "select count(*) from range(100000) a, range(100000) b where a.range * b.range % 7 = 3"
        )


@pytest.mark.parametrize(("field", "most"), [("comment", 10_000), ("correction", 100_000), ("identifier", 200)])
async def test_a_feedback_is_no_place_for_books(admin, field: str, most: int) -> None:
    await admin.post("/api/traces/spans", {"spans": [a_span()]})

    refused = await admin.post("/api/feedback", {"trace_id": TRACE, "value": 1, field: "x" * (most + 1)})
    kept = await admin.post("/api/feedback", {"trace_id": TRACE, "value": 1, field: "x" * most})

    assert (refused.status, kept.status) == (400, 201)
    assert field in refused.json()["error"]["message"]


@pytest.mark.parametrize("field", ["trace_id", "span_id", "parent_id"])
async def test_an_id_does_not_end_with_a_line_feed(admin, field: str) -> None:
    sound = a_span() | {"parent_id": "c" * 16}

    refused = await admin.post("/api/traces/spans", {"spans": [sound | {field: sound[field] + "\n"}]})

    assert refused.status == 400
