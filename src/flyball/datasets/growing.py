"""Adding a row to a dataset: how a trace with a corrected answer becomes something to learn from.

The new version names its parent and the trace, and shares the parent's rows: nothing is copied.
"""

import asyncio
from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.kit.ids import new_id

from .errors import DatasetKindError, RowInvalidError
from .publishing import publish
from .reading import get_row, get_version
from .records import DEFAULT_SPLIT, UNKNOWN_LICENCE, Card, DatasetVersion, Parent, Part, Row
from .rows import DATASET_ROWS, made_of, next_hash, to_columns
from .sources.found import Found

_TRIES = 20
_LONGEST_ROW = 1_000_000


async def add_row_from_trace(
    ctx: Context,
    name: str,
    *,
    trace_id: str,
    data: dict[str, Any],
    row_id: str = "",
    split: str = DEFAULT_SPLIT,
    licence: str = "",
) -> tuple[DatasetVersion, Row]:
    """A new version of the dataset with one more row, made from a trace; the row's lineage names the trace.

    `data` is the row as the dataset's other rows are: the trace's input with the corrected answer. Adding the same again
    changes nothing and returns the version that has it.

    Raises:
        DatasetNotFoundError, DatasetVersionNotFoundError: there is nothing to add to.
        DatasetKindError: it holds documents.
        RowInvalidError: the id is taken by another row, or the row is too large or empty.
    """
    row_id = row_id or str(data.get("id") or f"trace-{trace_id}")
    _check(data)
    for _ in range(_TRIES):
        parent = await get_version(ctx, name)
        if parent.kind != "rows":
            raise DatasetKindError(name, parent.kind, "rows")
        found = Found(
            row_id=row_id,
            title=_text(data, "title", "name") or row_id,
            text=_text(data, "text", "question", "input"),
            source=f"trace:{trace_id}",
            licence=licence or UNKNOWN_LICENCE,
            data={"id": row_id, **data},
            split=split,
        )
        row = made_of(found, parent.rows, {"trace": trace_id, "added_by": ctx.actor.id})
        there = await get_row(ctx, parent, row_id)
        if there is not None:
            if there.hash == row.hash:
                return parent, there
            raise RowInvalidError(
                f"the dataset {name!r} version {parent.version} has another row {row_id!r}",
                next_step="give the new row an id of its own (--id)",
            )
        version = await _grow(ctx, parent, row, trace_id)
        if version is not None:
            return version, row
    raise RowInvalidError(f"the dataset {name!r} changed {_TRIES} times while the row was added", next_step="try again")


async def _grow(ctx: Context, parent: DatasetVersion, row: Row, trace_id: str) -> DatasetVersion | None:
    now_ns = ctx.clock.now_ns()
    part = Part(id=new_id("dsv", now_ns), rows=1)
    named = {"project": parent.project, "dataset_id": parent.dataset_id, "part_id": part.id}
    await asyncio.to_thread(
        ctx.lake.append, DATASET_ROWS, [{**to_columns(row), **named}], writer=f"dataset:{part.id}", sequence=0
    )
    version = msgspec.structs.replace(
        parent,
        id=part.id,
        hash=next_hash(parent.hash, row.hash),
        rows=parent.rows + 1,
        parts=(*parent.parts, part),
        parents=(
            Parent(kind="dataset_version", id=parent.id, hash=parent.hash),
            Parent(kind="trace", id=trace_id),
        ),
        licences=_one_more(parent.licences, row.licence),
        splits=_one_more(parent.splits, row.split),
        card=Card(
            summary=f"version {parent.version} and the row {row.row_id!r} from trace {trace_id}",
            counts=_one_more(parent.card.counts, "row"),
        ),
        run_id="",
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    return await publish(ctx, version, after=parent)


def _check(data: dict[str, Any]) -> None:
    size = len(msgspec.json.encode(data))
    if not data or size > _LONGEST_ROW:
        raise RowInvalidError(
            f"a row of {size:,} bytes cannot be added" if data else "a row without any field cannot be added",
            next_step=f"send a JSON object of at most {_LONGEST_ROW:,} bytes",
        )


def _one_more(counts: dict[str, int], name: str) -> dict[str, int]:
    return dict(sorted({**counts, name: counts.get(name, 0) + 1}.items()))


def _text(data: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := data.get(name), str) and value), "")
