"""Bodies of large requests lie in files beside the embedded database: as durable as rows, gone when their rows are."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flyball.health import store as health_store
from flyball.infra.context import Context
from flyball.infra.db.database import fetch_all
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.clock import FixedClock
from flyball.kit.errors import UnavailableError
from flyball.traces import aside, bodies, inbox_batches
from flyball.traces.alike import Foreign, Understood, understood
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request, spans_request
from flyball.traces.otlp.errors import IngestDiskAwayError, IngestDiskFullError, IngestUnansweredError
from flyball.traces.otlp.taking import take_request
from flyball.traces.signal_tables import LOGS
from flyball.traces.tables import SPANS
from flyball.traces.told import Told, ToldLog

NOW = 1_763_750_000_000_000_000
LARGE = "a" * bodies.LEAST_BYTES


@pytest.fixture
def ctx(ctx: Context) -> Context:
    """A context whose database is the embedded one, as far as it can see."""
    url = EmbeddedPostgres(ctx.layout.postgres, ctx.layout.sockets).url
    return replace(ctx, settings=msgspec.structs.replace(ctx.settings, database_url=url))


def a_span(text: str = LARGE) -> Told:
    return Told(
        trace_id=os.urandom(16).hex(), span_id=os.urandom(8).hex(), name="call", start_ns=NOW, end_ns=NOW + 5,
        attributes={"input.value": text},
    )  # fmt: skip


async def send(ctx: Context, *spans: Told) -> None:
    taken = await take_request(ctx, "traces", spans_request(spans).SerializeToString())
    assert taken.accepted == len(spans), taken.message


def files(ctx: Context) -> list[Path]:
    return sorted(ctx.layout.inbox.iterdir())


async def test_a_large_request_lies_in_a_file_until_it_is_in_its_table(ctx: Context) -> None:
    span = a_span()
    await send(ctx, span)
    (file,) = files(ctx)
    assert LARGE.encode() in file.read_bytes()
    await Flusher(ctx).flush()
    assert ctx.lake.query("select span_id from spans", tables=(SPANS,)) == [{"span_id": span.span_id}]
    assert files(ctx) == []


async def bodies_in_rows(ctx: Context) -> list[bool]:
    async with ctx.db.connection() as connection:
        rows = await fetch_all(connection, "select body is not null as here from inbox_batches order by id")
    return [row["here"] for row in rows]


def stored(ctx: Context) -> list[str]:
    return sorted(row["span_id"] for row in ctx.lake.query("select span_id from spans", tables=(SPANS,)))


async def test_a_small_request_lies_in_its_row(ctx: Context) -> None:
    await send(ctx, a_span("short"))
    assert (await bodies_in_rows(ctx), files(ctx)) == ([True], [])


async def test_where_other_machines_may_read_the_rows_all_bodies_lie_in_them(ctx: Context) -> None:
    elsewhere = msgspec.structs.replace(ctx.settings, database_url="postgresql://elsewhere/flyball")
    await send(replace(ctx, settings=elsewhere), a_span())
    assert (await bodies_in_rows(ctx), files(ctx)) == ([True], [])


async def test_logs_lie_in_files_as_well(ctx: Context) -> None:
    request = logs_request([ToldLog(time_ns=NOW, body=LARGE)])
    await take_request(ctx, "logs", request.SerializeToString())
    assert len(files(ctx)) == 1
    await Flusher(ctx).flush()
    assert ctx.lake.query("select length(body) as size from logs", tables=(LOGS,)) == [{"size": len(LARGE) + 2}]
    assert files(ctx) == []


async def test_requests_that_arrive_together_share_a_file_which_stays_until_the_last_of_them_is_moved(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [a_span() for _ in range(12)]
    await asyncio.gather(*(send(ctx, span) for span in spans))
    together = len(files(ctx))
    assert together < len(spans)
    monkeypatch.setattr("flyball.traces.moving.requests._MOST_REQUESTS", 1)
    flusher, left = Flusher(ctx), []
    while await flusher.flush():
        left.append(len(files(ctx)))
    assert stored(ctx) == sorted(span.span_id for span in spans)
    assert len(left) == len(spans)
    assert left[0] == together - (left[0] < together)  # one at most went with one request
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


async def test_a_request_that_is_repeated_leaves_no_second_file(ctx: Context) -> None:
    body = spans_request([a_span()]).SerializeToString()
    for _ in range(3):
        assert (await take_request(ctx, "traces", body)).accepted == 1
    assert len(files(ctx)) == 1
    await Flusher(ctx).flush()
    await take_request(ctx, "traces", body)
    assert files(ctx) == []


async def test_nothing_is_written_while_postgresql_is_away(ctx: Context) -> None:
    await ctx.db.across_projects().close()
    with pytest.raises(UnavailableError):
        await send(ctx, a_span())
    assert files(ctx) == []


async def test_a_file_is_durable_with_its_name_before_its_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    first, second = bodies.write(tmp_path, [b"one", b"another"])
    assert synced == [(tmp_path / first.file).stat().st_ino, tmp_path.stat().st_ino]
    assert (bodies.read(tmp_path, first, 3), bodies.read(tmp_path, second, 7)) == (b"one", b"another")
    assert (tmp_path / first.file).stat().st_mode & 0o077 == 0


async def test_what_cannot_be_written_is_not_acknowledged_and_leaves_nothing(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(IngestDiskFullError, match="no room"):
            await send(ctx, a_span())
    assert (await bodies_in_rows(ctx), files(ctx)) == ([], [])
    ctx.layout.inbox.rmdir()
    with pytest.raises(IngestDiskAwayError, match="cannot be written"):
        await send(ctx, a_span())
    ctx.layout.inbox.mkdir()
    await send(ctx, a_span())
    assert await bodies_in_rows(ctx) == [False]


async def test_a_disk_that_hangs_is_told_to_whoever_waits_and_holds_up_no_small_request_for_long(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(inbox_batches, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(os, "fsync", lambda _handle: goes_on.wait(20))
    try:
        with pytest.raises(IngestUnansweredError):
            await send(ctx, a_span())
        await send(ctx, a_span("short"))
    finally:
        goes_on.set()
    assert await bodies_in_rows(ctx) == [True]


async def test_a_disk_that_hangs_holds_nothing_of_those_who_were_told_to_come_again(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, given, submit = threading.Event(), [], ThreadPoolExecutor.submit

    def counted(pool: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any) -> Any:
        given.append(work)
        return submit(pool, work, *arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", counted)
    monkeypatch.setattr(inbox_batches, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(os, "fsync", lambda _handle: goes_on.wait(20))
    try:
        for _ in range(6):
            with pytest.raises(IngestUnansweredError):
                await send(ctx, a_span())
        assert given.count(bodies.write) == 2  # as many as there are threads
    finally:
        goes_on.set()
    async with asyncio.timeout(20):
        while files(ctx):  # nobody names them, so they go, and nobody says when
            await asyncio.sleep(0.01)
    await send(ctx, a_span())
    assert await bodies_in_rows(ctx) == [False]


async def test_files_that_a_killed_process_left_are_deleted_when_nobody_can_be_about_to_name_them(ctx: Context) -> None:
    await send(ctx, a_span())
    (claimed,) = files(ctx)
    begun, forgotten = (ctx.layout.inbox / bodies.write(ctx.layout.inbox, [b"x"])[0].file for _ in range(2))
    two_hours_ago = time.time() - 7200
    for file in (claimed, forgotten):
        os.utime(file, (two_hours_ago, two_hours_ago))
    clock = FixedClock(time.time_ns())
    flusher = Flusher(replace(ctx, clock=clock))
    await flusher.tidy()
    assert files(ctx) == sorted([claimed, begun, forgotten])
    clock.advance(301)
    await flusher.tidy()
    assert files(ctx) == sorted([claimed, begun])


class ClockThatIsSet(FixedClock):
    """The time is set forward, or the machine slept: what measures durations knows nothing of it."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


async def test_a_file_that_looks_old_because_the_clock_was_set_stays_until_its_rows_name_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, span = ClockThatIsSet(time.time_ns()), a_span()
    flusher = Flusher(replace(ctx, clock=clock))

    async def after_hours(*statement: Any) -> list[dict[str, Any]]:
        for _ in range(2):
            clock.ahead_ns += 2 * 3600 * 10**9
            await flusher.tidy()
        return await fetch_all(*statement)

    monkeypatch.setattr(inbox_batches, "fetch_all", after_hours)
    await send(ctx, span)
    await flusher.flush()
    assert stored(ctx) == [span.span_id]


async def tidied(ctx: Context) -> list[Path]:
    """What is left in the end."""
    clock = FixedClock(time.time_ns() + 2 * 3600 * 10**9)
    flusher = Flusher(replace(ctx, clock=clock))
    for _ in range(3):
        await flusher.tidy()
        clock.advance(301)
    return files(ctx)


async def test_files_that_rows_of_another_database_may_name_are_kept(ctx: Context) -> None:
    bodies.write(ctx.layout.inbox, [b"x"])
    elsewhere = msgspec.structs.replace(ctx.settings, database_url="postgresql://elsewhere/flyball")
    assert len(await tidied(replace(ctx, settings=elsewhere))) == 1
    assert await tidied(ctx) == []


async def test_what_lies_among_the_files_and_is_none_holds_nothing_up(ctx: Context) -> None:
    folder, link = ctx.layout.inbox / "lost+found", ctx.layout.inbox / "link"
    folder.mkdir()
    link.symlink_to(ctx.layout.root)
    bodies.write(ctx.layout.inbox, [b"x"])
    assert await tidied(ctx) == sorted([folder, link])


@pytest.mark.parametrize("harm", [Path.unlink, lambda file: os.truncate(file, 9)])
async def test_a_request_whose_file_is_gone_is_set_aside_and_told_and_the_others_get_on(
    ctx: Context, harm: Callable[[Path], None]
) -> None:
    await send(ctx, a_span())
    (file,) = files(ctx)
    others = [a_span(), a_span("short")]
    for span in others:
        await send(ctx, span)
    harm(file)
    assert await Flusher(ctx).finish()
    assert stored(ctx) == sorted(span.span_id for span in others)
    (lost,) = (await aside.list_aside(ctx)).items
    assert (lost.records, lost.error) == (1, "BodyGoneError")
    assert (await aside.show_aside(ctx, lost.id)).holds is None


async def test_of_a_request_in_a_file_what_cannot_be_moved_is_set_aside_and_the_rest_is_moved(ctx: Context) -> None:
    def understand(foreign: Sequence[Foreign]) -> Understood:
        if any(told.name == "poison" for _, told, _ in foreign):
            raise ZeroDivisionError
        return understood(foreign, lambda _project: None)

    good, bad = a_span(), msgspec.structs.replace(a_span(), name="poison")
    await send(ctx, good, bad)
    assert await Flusher(ctx, understand).finish()
    assert stored(ctx) == [good.span_id]
    (one,) = (await aside.list_aside(ctx)).items
    shown = (await aside.show_aside(ctx, one.id)).holds
    assert shown["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "poison"
    assert await tidied(ctx) == []  # its rest lies in its row since: nobody needs the file


async def test_what_waits_in_files_is_counted_with_what_waits(ctx: Context) -> None:
    await send(ctx, a_span())
    async with ctx.db.connection() as connection:
        waiting = await health_store.waiting(connection)
    assert waiting["traces"]["bytes"] > len(LARGE)
