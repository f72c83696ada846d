"""What is older than is kept goes by whole days; what is erased is in no file any more."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from flyball.audit import store as audit_store
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.jobs.immediate import run_immediately
from flyball.projects import tenants
from flyball.runs import service as runs
from flyball.traces import erasing, inbox, jobs, media, parts, retention, service
from flyball.traces.errors import ErasureInvalidError, ErasureTooEarlyError, RetentionInvalidError, TraceNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.media_records import Media
from flyball.traces.otlp.encoding import logs_request, points_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.own_blobs import own_blobs
from flyball.traces.parts import Place
from flyball.traces.records import Span
from flyball.traces.signal_tables import LOGS, METRICS
from flyball.traces.tables import PAYLOADS, SCORES, SPANS
from flyball.traces.told import Told, ToldLog, ToldPoint
from flyball.worker.retaining import retain

DAY = 86_400 * 10**9
ADA = "ada-lovelace-of-the-analytical-engine"
GRACE = "grace-hopper-of-the-first-compiler"


def told(user: str, start_ns: int, **fields: object) -> Told:
    basic = {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex(), "name": "call", "start_ns": start_ns}
    attributes = {
        "user.id": user,
        "session.id": f"s-{user}",
        "input.value": f"I am {user}. " * 30,
        "large": f"{user} " * 9_000,
    }
    return Told(**(basic | {"end_ns": start_ns + 5, "attributes": attributes} | fields))


async def send(ctx: Context, *spans: Told) -> None:
    assert (await take_request(ctx, "traces", spans_request(spans).SerializeToString())).accepted == len(spans)


def counts(ctx: Context) -> dict[str, int]:
    tables = (SPANS, PAYLOADS, SCORES, LOGS, METRICS)
    return {
        table.name: ctx.lake.query(f"select count(*) as n from {table.name}", tables=(table,))[0]["n"]
        for table in tables
    }


def holding(folder: Path, word: str) -> list[str]:
    """The files below a folder in which a word stands, in Parquet's compressed columns too."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if word.encode() in path.read_bytes() or (
            path.suffix == ".parquet" and word in str(pq.read_table(path, partitioning=None).to_pylist())
        ):
            found.append(str(path))
    return found


@pytest.fixture
async def two_users(ctx: Context) -> dict[str, Told]:
    """Both have told spans, a log record, a point, a span by the API with a long text and one larger than a row, and scores."""
    now_ns = ctx.clock.now_ns()
    spans = {}
    for user in (ADA, GRACE):
        span = spans[user] = told(user, now_ns, attributes={"user.id": user, "huge": f"{user} " * 50_000})
        await send(ctx, span, told(user, now_ns))
        log = ToldLog(time_ns=now_ns, body=f"{user} said", trace_id=span.trace_id, attributes={"a": 1})
        loose = ToldLog(time_ns=now_ns, body=f"{user} logged in", attributes={"user.id": user})
        await take_request(ctx, "logs", logs_request([log, loose]).SerializeToString())
        point = ToldPoint(name="calls", kind="sum", time_ns=now_ns, value=1, attributes={"user.id": user})
        await take_request(ctx, "metrics", points_request([point]).SerializeToString())
        for size in (100, 20_000):
            await service.take_spans(
                ctx,
                [
                    Span(
                        trace_id=os.urandom(16).hex(), span_id=os.urandom(8).hex(), name="native", start_ns=now_ns,
                        end_ns=now_ns, user_id=user, input=f"{user} asked " * size,
                    )
                ],
            )  # fmt: skip
    await Flusher(ctx).flush()
    for user, span in spans.items():
        await service.record_feedback(ctx, span.trace_id, 1, f"{user} liked it")
    await Flusher(ctx).flush()
    return spans


async def test_a_user_is_erased_from_every_file_and_nobody_else_is(ctx: Context, two_users: dict[str, Told]) -> None:
    before = counts(ctx)
    for table in (SPANS, PAYLOADS, SCORES, LOGS, METRICS):
        ctx.lake.compact(table)  # what was joined lies on the disk as it was, too
    assert holding(ctx.layout.root, ADA)

    erased = await erasing.erase(ctx, "user", ADA)

    assert holding(ctx.layout.root, ADA) == []
    assert holding(ctx.layout.root, GRACE)
    assert counts(ctx) == {name: count // 2 for name, count in before.items()}
    assert (erased.traces, erased.rows) == (4, sum(before.values()) // 2)
    with pytest.raises(TraceNotFoundError):
        await service.get_trace(ctx, two_users[ADA].trace_id)
    kept = two_users[GRACE]
    assert (
        GRACE
        in (await service.export_trace(ctx, kept.trace_id)).traces["resourceSpans"][0]["scopeSpans"][0]["spans"][0][
            "attributes"
        ][1]["value"]["stringValue"]
    )
    async with ctx.db.connection() as connection:
        assert await fetch_all(connection, "select * from inbox") == []


async def test_nothing_is_left_in_the_files_of_postgresqls_tables(
    ctx: Context, postgres: EmbeddedPostgres, two_users: dict[str, Told]
) -> None:
    base = postgres.directory / "base"
    async with ctx.db.owner_connection() as connection:
        await connection.execute("checkpoint")
    assert any(GRACE.encode() in path.read_bytes() for path in base.rglob("*") if path.is_file())

    await erasing.erase(ctx, "user", ADA)

    async with ctx.db.owner_connection() as connection:
        await connection.execute("checkpoint")
    assert [path for path in base.rglob("*") if path.is_file() and ADA.encode() in path.read_bytes()] == []
    assert two_users


async def test_the_worker_takes_old_days_out_by_itself(ctx: Context) -> None:
    await send(ctx, told(ADA, ctx.clock.now_ns() - 9 * DAY), told(GRACE, ctx.clock.now_ns()))
    await Flusher(ctx).flush()
    keeping = asyncio.create_task(
        retain(with_settings(ctx, trace_retention_days=3), first_seconds=0, look_seconds=0.05)
    )
    events = []
    async with asyncio.timeout(20), ctx.db.connection() as connection:
        while not events:
            await asyncio.sleep(0.05)
            events = await audit_store.newest(connection, ctx.project, before_seq=None, most=10)
    keeping.cancel()

    assert counts(ctx)["spans"] == 1
    assert [event.action for event in events] == ["traces.expire"]


async def test_what_is_on_its_way_or_still_running_is_erased_too(ctx: Context) -> None:
    running = told(ADA, ctx.clock.now_ns(), end_ns=0)
    await send(ctx, running)
    flusher = Flusher(ctx)
    await flusher.flush()
    async with ctx.db.transaction() as connection:
        child = Span(
            trace_id=running.trace_id,
            span_id="ab" * 8,
            name="n",
            start_ns=5,
            end_ns=5,
            project=ctx.project,
            input=ADA,
        )
        await inbox.append(connection, [inbox.span_item(child)], now_ns=ctx.clock.now_ns())
    flushing = asyncio.create_task(flusher.run())
    await erasing.erase(ctx, "session", f"s-{ADA}")
    flushing.cancel()

    assert holding(ctx.layout.root, ADA) == []
    async with ctx.db.connection() as connection:
        for table in ("inbox", "inbox_batches", "open_spans"):
            assert await fetch_all(connection, f"select * from {table}") == [], table


async def test_the_same_user_of_another_project_keeps_their_traces(ctx: Context) -> None:
    other = ctx.within((await tenants.create_project(ctx, "other")).id, ctx.actor)
    await send(ctx, told(ADA, ctx.clock.now_ns()))
    await send(other, told(ADA, ctx.clock.now_ns()))
    await Flusher(ctx).flush()
    erased = await erasing.erase(other, "user", ADA)

    assert erased.traces == 1
    assert counts(ctx)["spans"] == 1
    assert (await service.list_traces(other)).items == ()
    assert len((await service.list_traces(ctx)).items) == 1


async def test_a_blob_that_another_trace_refers_to_is_not_deleted(ctx: Context) -> None:
    now_ns, text = ctx.clock.now_ns(), "shared " * 50_000
    one, two = (told(user, now_ns, attributes={"user.id": user, "huge": text}) for user in (ADA, GRACE))
    await send(ctx, one, two)
    await Flusher(ctx).flush()

    assert (await erasing.erase(ctx, "user", ADA)).blobs == 0
    assert await service.export_trace(ctx, two.trace_id)
    assert (await erasing.erase(ctx, "trace", two.trace_id)).blobs == 1


async def test_old_days_go_and_the_day_of_the_limit_stays(ctx: Context) -> None:
    now_ns = ctx.clock.now_ns()
    ages = {days: told(f"user {days}", now_ns - days * DAY) for days in (0, 2, 3, 4, 400)}
    await send(ctx, *ages.values())
    await Flusher(ctx).flush()
    await retention.set_retention(ctx, 3)
    expired = await retention.expire(ctx)

    assert expired.files == 2
    rows = ctx.lake.query("select user_id from spans order by 1", tables=(SPANS,))
    assert [row["user_id"] for row in rows] == ["user 0", "user 2", "user 3"]
    assert (await retention.expire(ctx)).files == 0


async def test_expiry_takes_the_blobs_of_what_went(ctx: Context) -> None:
    old = told(ADA, ctx.clock.now_ns() - 9 * DAY, attributes={"huge": ADA * 20_000})
    await send(ctx, old)
    await Flusher(ctx).flush()
    await retention.set_retention(ctx, 3)

    assert (await retention.expire(ctx)).blobs == 1
    assert holding(ctx.layout.blobs, ADA) == []


async def test_the_setting_counts_until_the_project_says_otherwise(ctx: Context) -> None:
    ctx = with_settings(ctx, trace_retention_days=30)
    assert (await retention.get_retention(ctx)).days == 30
    assert await retention.days_of_projects(ctx) == {"default": 30}
    assert await retention.set_retention(ctx, 0) == retention.Retention(days=0, own=True)
    assert await retention.days_of_projects(ctx) == {}
    assert await retention.set_retention(ctx, None) == retention.Retention(days=30, own=False)
    with pytest.raises(RetentionInvalidError):
        await retention.set_retention(ctx, -1)


def with_settings(ctx: Context, **settings: object) -> Context:
    return replace(ctx, settings=msgspec.structs.replace(ctx.settings, **settings))


async def test_asking_is_recorded_without_the_name_and_done_as_a_job(ctx: Context) -> None:
    span = told(ADA, ctx.clock.now_ns())
    await send(ctx, span)
    await Flusher(ctx).flush()
    run = await erasing.erase_later(ctx, "user", ADA)
    result = await run_immediately(ctx, jobs.JOBS[0], run.arguments, run_id=run.id)

    assert result["traces"] == 1
    async with ctx.db.connection() as connection:
        events = await audit_store.newest(connection, ctx.project, before_seq=None, most=10)
    assert [(event.action, ADA in repr(event)) for event in events] == [("traces.erase", False)]
    with pytest.raises(ErasureInvalidError):
        await erasing.erase_later(ctx, "trace", "nonsense")
    assert (await runs.get(ctx, run.id)).kind == "traces.erase"


async def test_files_and_parts_of_spans_are_erased_with_their_trace(ctx: Context, postgres: EmbeddedPostgres) -> None:
    going, staying = os.urandom(16).hex(), os.urandom(16).hex()
    for trace_id, user in ((going, ADA), (staying, GRACE)):
        await parts.add_parts(ctx, {Place(trace_id, "1" * 16): {"input": f"told in parts by {user}"}})
        await keep_file(ctx, trace_id, f"a file of {user}".encode())

    erased = await erasing.erase(ctx, "trace", going)

    async with ctx.db.owner_connection() as connection:
        await connection.execute("checkpoint")
    assert erased.blobs == 1
    for folder in (ctx.layout.blobs, postgres.directory / "base"):
        assert holding(folder, ADA) == []
        assert holding(folder, GRACE)


async def test_a_file_that_another_trace_has_too_stays(ctx: Context) -> None:
    traces = [os.urandom(16).hex() for _ in range(2)]
    other = ctx.within((await tenants.create_project(ctx, "files")).id, ctx.actor)
    await keep_file(ctx, traces[0], b"the same bytes")
    kept = await keep_file(other, traces[1], b"the same bytes")

    assert (await erasing.erase(ctx, "trace", traces[0])).blobs == 0
    assert await media.fetch(other, (await media.get_media(other, kept)).ticket) == b"the same bytes"
    assert (await erasing.erase(other, "trace", traces[1])).blobs == 1


async def test_erasing_a_span_leaves_what_other_rooms_keep_of_the_same_bytes(ctx: Context) -> None:
    text = "the source of a function " * 5_000
    hash_ = ctx.blobs.put(text.encode())
    async with ctx.db.connection() as connection:
        await execute(
            connection,
            "insert into datasets (id, project, name, kind, declaration, created_ns, created_by) "
            "values ('d', %s, 'd', 'rows', %s, 1, 'x')",
            ctx.project,
            f'{{"location": "blob:{hash_}"}}',
        )
    trace_id = os.urandom(16).hex()
    now_ns = ctx.clock.now_ns()
    span = Span(trace_id=trace_id, span_id="1" * 16, name="call", start_ns=now_ns, end_ns=now_ns + 1, input=text)
    await service.take_spans(ctx, [span])
    await Flusher(ctx).flush()

    assert (await erasing.erase(ctx, "trace", trace_id)).blobs == 1
    assert ctx.blobs.get(hash_) == text.encode()


async def test_nothing_is_erased_while_what_was_sent_before_still_waits(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_CATCH_UP_SECONDS", 0.2)
    sent = told(ADA, ctx.clock.now_ns())
    await send(ctx, sent)

    with pytest.raises(ErasureTooEarlyError, match="nothing was erased"):
        await erasing.erase(ctx, "trace", sent.trace_id)

    await Flusher(ctx).flush()
    assert (await erasing.erase(ctx, "trace", sent.trace_id)).traces == 1


async def keep_file(ctx: Context, trace_id: str, data: bytes) -> str:
    """A file beside a trace; its id."""
    described = Media(
        project=ctx.project, media_id="", hash="", content_type="text/plain", bytes=len(data), created_ns=0, created_by="",
        trace_id=trace_id,
    )  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    announced = await media.announce(ctx, described, digest)

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    await media.take(ctx, announced.ticket, pieces())
    return announced.media.media_id


async def announced(ctx: Context, content: bytes, trace_id: str) -> media.Announced:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    new = Media(
        project=ctx.project, media_id="", hash="", content_type="text/plain", bytes=len(content), created_ns=0,
        created_by="", trace_id=trace_id,
    )  # fmt: skip
    return await media.announce(ctx, new, digest)


async def sent(ctx: Context, content: bytes, trace_id: str) -> Media:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    told_of = await announced(ctx, content, trace_id)
    return await media.take(ctx, told_of.ticket, pieces())


async def test_files_go_with_the_days_that_are_kept_no_longer_unless_they_are_still_spoken_of(ctx: Context) -> None:
    class Earlier:
        def now_ns(self) -> int:
            return ctx.clock.now_ns() - 9 * DAY

        def monotonic_ns(self) -> int:
            return ctx.clock.monotonic_ns()

    then = replace(ctx, clock=Earlier())
    old, again, item = [
        await sent(then, word, trace) for word, trace in ((b"a", "1" * 32), (b"b", "2" * 32), (b"c", ""))
    ]
    await announced(ctx, b"b", "3" * 32)
    await retention.set_retention(ctx, 3)

    expired = await retention.expire(ctx)

    assert (expired.media, expired.blobs) == (1, 1)
    assert not own_blobs(ctx).has(old.hash)
    for kept in (again, item):
        assert await media.fetch(ctx, (await media.get_media(ctx, kept.media_id)).ticket)
