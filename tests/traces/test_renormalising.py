"""Stored spans are read again with a newer mapping: its columns change, what was told, and what only then was known, does not."""

import os
from collections.abc import Sequence

import msgspec
import pytest

from flyball.infra.context import Context
from flyball.infra.jobs.immediate import run_immediately
from flyball.traces import jobs, records, renormalising, service
from flyball.traces.alike import Foreign, Understood
from flyball.traces.columns import columns_of
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.own_blobs import own_blobs
from flyball.traces.records import MAP_VERSION, Span
from flyball.traces.tables import SPANS
from flyball.traces.told import Told

NOW = 1_763_750_000_000_000_000


def a_call(**fields: object) -> Told:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 7,
        "huge": "x" * 300_000,
    }
    basic = {
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "name": "chat",
        "start_ns": NOW,
        "end_ns": NOW + 5,
    }
    return Told(**(basic | {"attributes": attributes} | fields))


def as_of_old(foreign: Sequence[Foreign]) -> Understood:
    """A mapping that knew nothing but the price."""
    spans = [
        Span(
            trace_id=told.trace_id, span_id=told.span_id, name=told.name, start_ns=told.start_ns, end_ns=told.end_ns,
            scope=records.APPLICATION, dialect="old", cost_nano_usd=99, price_version="declared:then",
        )
        for _, told, _ in foreign
    ]  # fmt: skip
    return Understood(list(range(len(spans))), columns_of(spans))


@pytest.fixture
async def old(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    spans = [a_call(), a_call(start_ns=NOW + 100, end_ns=NOW + 105)]
    assert (await take_request(ctx, "traces", spans_request(spans).SerializeToString())).accepted == 2
    await service.take_spans(ctx, [Span(trace_id="ab" * 16, span_id="cd" * 8, name="native", start_ns=NOW, end_ns=NOW)])
    with monkeypatch.context() as patch:
        patch.setattr("flyball.traces.columns.MAP_VERSION", MAP_VERSION - 1)
        await Flusher(ctx, as_of_old).flush()
    return spans


def rows(ctx: Context) -> list[dict[str, object]]:
    wanted = "name, kind, model_requested, input_tokens, cost_nano_usd, price_version, map_version, key_id, received_ns > 0 as received"
    return ctx.lake.query(f"select {wanted} from spans order by start_ns, name", tables=(SPANS,))


async def test_the_columns_are_those_of_the_newest_mapping_and_the_rest_stays(ctx: Context, old: list[Told]) -> None:
    run = await renormalising.renormalise_later(ctx)
    result = await run_immediately(ctx, jobs.JOBS[2], run.arguments)
    first, native, second = rows(ctx)

    assert result == {"spans": 2, "files": 1}
    assert first == second == {
        "name": "chat", "kind": "llm", "model_requested": "gpt-5", "input_tokens": 7, "cost_nano_usd": 99,
        "price_version": "declared:then", "map_version": MAP_VERSION, "key_id": ctx.actor.id, "received": True,
    }  # fmt: skip
    assert native["name"] == "native"
    exported = await service.export_trace(ctx, old[0].trace_id)
    attributes = exported.traces["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    assert attributes[3]["value"]["stringValue"] == "x" * 300_000
    assert (await renormalising.renormalise(ctx, 0)).spans == 0


async def test_only_spans_since_a_time_are_read_again(ctx: Context, old: list[Told]) -> None:
    assert (await renormalising.renormalise(ctx, old[1].start_ns)).spans == 1
    assert [row["model_requested"] for row in rows(ctx)] == ["", "", "gpt-5"]


async def test_a_span_of_which_a_large_value_is_gone_stays_as_it_is(ctx: Context, old: list[Told]) -> None:
    (found,) = ctx.lake.query("select large from spans where start_ns = $at", {"at": old[1].start_ns}, tables=(SPANS,))
    (hash_,) = msgspec.json.decode(found["large"])["attributes"].values()
    own_blobs(ctx).delete(hash_)
    await renormalising.renormalise(ctx, 0)

    assert [row["name"] for row in rows(ctx)] == ["chat", "native", "chat"]
    assert [row["map_version"] for row in rows(ctx)] == [MAP_VERSION - 1, MAP_VERSION, MAP_VERSION - 1]
