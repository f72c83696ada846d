"""Results in the lake: one row per item and variant, appended once per chunk of a run. Knows the table, not what is judged.

A chunk's number is the append's transaction number, so a chunk that is worked on again after a crash is not doubled.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.lake.schema import TableSchema

from .records import Result

EVALUATION_RESULTS = TableSchema(
    name="evaluation_results",
    arrow=pa.schema(
        [
            ("project", pa.string()),
            ("run_id", pa.string()),
            ("evaluation", pa.string()),
            ("chunk", pa.int32()),
            ("position", pa.int64()),
            ("item_id", pa.string()),
            ("item_hash", pa.string()),
            ("variant", pa.string()),
            ("variant_hash", pa.string()),
            ("status", pa.string()),
            ("error", pa.string()),
            ("scores", pa.string()),  # JSON: metric -> score
            ("unscored", pa.string()),  # JSON: metric -> why there is none
            ("text", pa.string()),
            ("retrieved", pa.string()),  # JSON: titles, best first
            ("latency_ns", pa.int64()),
            ("cost_nano_usd", pa.int64()),
            ("created_ns", pa.int64()),
        ]
    ),
    sort_by=("run_id", "position"),
)

_JSON = {"scores": dict[str, float], "unscored": dict[str, str], "retrieved": tuple[str, ...]}


async def append(ctx: Context, run_id: str, evaluation: str, chunk: int, results: Sequence[Result]) -> bool:
    """Keep a chunk's results; False where that chunk is there already."""
    added = {
        "project": ctx.project,
        "run_id": run_id,
        "evaluation": evaluation,
        "chunk": chunk,
        "created_ns": ctx.clock.now_ns(),
    }
    rows = [{**_row(result), **added} for result in results]
    return await asyncio.to_thread(
        ctx.lake.append, EVALUATION_RESULTS, rows, writer=f"evaluations:{run_id}", sequence=chunk
    )


async def of_run(ctx: Context, run_id: str, *, item_id: str | None = None) -> list[Result]:
    """A run's results, in the order of the dataset; those of one item where asked."""
    found = await asyncio.to_thread(
        ctx.lake.query,
        """
        select position, item_id, item_hash, variant, variant_hash, status, error, scores, unscored, text, retrieved,
               latency_ns, cost_nano_usd
        from evaluation_results
        where project = $project and run_id = $run_id and item_id = coalesce($item_id, item_id)
        order by position, variant
        """,
        {"project": ctx.project, "run_id": run_id, "item_id": item_id},
        tables=[EVALUATION_RESULTS],
    )
    return [_result(row) for row in found]


async def between(ctx: Context, run_ids: Sequence[str], first: int, count: int) -> list[Result]:
    """The results of some runs for the items from a position on."""
    found = await asyncio.to_thread(
        ctx.lake.query,
        """
        select position, item_id, item_hash, variant, variant_hash, status, error, scores, unscored, text, retrieved,
               latency_ns, cost_nano_usd
        from evaluation_results
        where project = $project and list_contains($run_ids, run_id) and position >= $first and position < $first + $count
        order by created_ns, position, variant
        """,
        {"project": ctx.project, "run_ids": list(run_ids), "first": first, "count": count},
        tables=[EVALUATION_RESULTS],
    )
    return [_result(row) for row in found]


def _row(result: Result) -> dict[str, object]:
    row: dict[str, object] = msgspec.to_builtins(result)
    return row | {name: msgspec.json.encode(row[name]).decode() for name in _JSON}


def _result(row: dict[str, object]) -> Result:
    decoded = {name: msgspec.json.decode(str(row[name]), type=shape) for name, shape in _JSON.items()}
    return msgspec.convert(row | decoded, Result)
