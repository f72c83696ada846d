"""A blob goes when nothing refers to it any more, and only then: whatever is stored at the same moment, and wherever it lies."""

import asyncio
import os
import re
import threading
from pathlib import Path

import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import execute
from flyball.kit.hashing import bytes_hash
from flyball.traces import blob_use, erasing, inbox, texts
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.own_blobs import own_blobs
from flyball.traces.records import Span
from flyball.traces.told import Told

NOW = 1_763_750_000_000_000_000
TEXT = "the same long text " * 20_000


def a_span(user: str, text: str = TEXT) -> Told:
    ids = {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex()}
    return Told(**ids, name="call", start_ns=NOW, end_ns=NOW + 5, attributes={"user.id": user, "input.value": text})


async def store(ctx: Context, span: Told) -> None:
    await take_request(ctx, "traces", spans_request([span]).SerializeToString())
    await Flusher(ctx).flush()


async def whole(ctx: Context, span: Told) -> str:
    return await texts.read_text(ctx, span.trace_id, span.span_id, "input")


async def test_what_is_told_again_while_it_is_deleted_stays(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    again, loop, looked = a_span("grace"), asyncio.get_running_loop(), blob_use._used

    def look_then_store(*given: object) -> set[str]:
        found = looked(*given)
        asyncio.run_coroutine_threadsafe(store(ctx, again), loop).result()
        return found

    await store(ctx, a_span("ada"))
    monkeypatch.setattr(blob_use, "_used", look_then_store)
    erased = await erasing.erase(ctx, "user", "ada")

    assert erased.blobs == 0
    assert await whole(ctx, again) == TEXT


async def test_what_a_batch_that_is_on_its_way_refers_to_stays(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    append, reached, go_on = type(ctx.lake).append, threading.Event(), threading.Event()

    def slow(lake, table, data, **options):
        def pieces():
            for piece in data():
                reached.set()
                go_on.wait(30)
                yield piece

        return append(lake, table, pieces if callable(data) else data, **options)

    await store(ctx, a_span("ada"))
    again = a_span("grace")
    monkeypatch.setattr(type(ctx.lake), "append", slow)
    storing = asyncio.create_task(store(ctx, again))
    await asyncio.to_thread(reached.wait, 30)
    hashes = {bytes_hash(f'{{"v":"{TEXT}"}}'.encode())}
    assert all(map(own_blobs(ctx).has, hashes))
    monkeypatch.setattr(blob_use, "_used", lambda *_: set())  # its row is in no table yet
    deleting = asyncio.create_task(blob_use.delete_unused(ctx, hashes))
    await asyncio.sleep(0.2)
    go_on.set()
    await storing

    assert await deleting == 0
    assert await whole(ctx, again) == TEXT


async def test_what_an_earlier_version_kept_among_all_blobs_is_erased_too(ctx: Context) -> None:
    span = Span(
        trace_id="ab" * 16,
        span_id="cd" * 8,
        name="n",
        start_ns=NOW,
        end_ns=NOW,
        project=ctx.project,
        user_id="ada",
        input=TEXT,
    )
    async with ctx.db.transaction() as connection:
        await inbox.append(connection, [inbox.span_item(span)], now_ns=NOW)
    await Flusher(ctx).flush()
    hash_ = ctx.blobs.put(TEXT.encode())
    own_blobs(ctx).delete(hash_)  # as it lay then
    assert await texts.read_text(ctx, span.trace_id, span.span_id, "input") == TEXT

    await erasing.erase(ctx, "user", "ada")

    assert not ctx.blobs.has(hash_)


async def test_bytes_that_another_room_has_too_stay(ctx: Context) -> None:
    hash_ = ctx.blobs.put(TEXT.encode())
    async with ctx.db.connection() as connection:
        await execute(
            connection,
            "insert into datasets (id, project, name, kind, declaration, created_ns, created_by) "
            "values ('d', %s, 'd', 'rows', %s, 1, 'x')",
            ctx.project,
            f'{{"location": "blob:{hash_}"}}',
        )

    assert await blob_use.delete_unused(ctx, {hash_}) == 0
    assert ctx.blobs.has(hash_)


def test_whoever_keeps_blobs_among_those_of_all_rooms_is_known_to_who_deletes():
    source = Path(blob_use.__file__).parents[1]
    keeping = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"(?<!own_)\bblobs\.put|_blobs\.put", path.read_text()) and "infra" not in path.parts
    }

    assert keeping == {"configuration/service.py", "functions/service.py", "models/files.py"}
