"""Which blobs spans refer to, and deleting those that no span refers to any more.

Knows the columns that hold hashes; knows not why rows went.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.db.database import fetch_all
from flyball.infra.lake import parquet

from .large import hashes_of
from .own_blobs import own_blobs
from .tables import PAYLOADS, SPANS

COLUMNS = ("input_ref", "output_ref", "large")
_BLOB = "sha256:"

_USED = """
    select input_ref, output_ref, large from spans
    where input_ref in (select unnest($hashes)) or output_ref in (select unnest($hashes)) or large <> ''
"""
_IN_ROWS = "select distinct hash from payloads where hash in (select unnest($hashes))"


def referred(rows: Iterable[dict[str, Any]]) -> set[str]:
    """The hashes in rows of `spans`."""
    found: set[str] = set()
    for row in rows:
        found |= {row[name] for name in COLUMNS[:2] if (row[name] or "").startswith(_BLOB)}
        found |= hashes_of(row["large"] or "")
    return found


def referred_in(files: Iterable[str]) -> set[str]:
    """The hashes in files of `spans`."""
    found: set[str] = set()
    for path in files:
        rows = parquet.read(Path(path), COLUMNS)
        for name in COLUMNS:  # files that are older than a column lack it
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        found |= referred(rows.to_pylist())
    return found


async def files_among(ctx: Context, hashes: set[str]) -> set[str]:
    """Those of the hashes that are of files beside spans, of any project."""
    async with ctx.db.across_projects().connection() as connection:
        rows = await fetch_all(connection, "select distinct hash from media where hash = any(%s)", sorted(hashes))
    return {row["hash"] for row in rows}


def delete_unused(ctx: Context, hashes: set[str]) -> int:
    """Delete the blobs that no span of any project refers to any more; how many. Call it when the rows are gone."""
    if not hashes:
        return 0
    asked = {"hashes": sorted(hashes)}
    used = referred(ctx.lake.query(_USED, asked, tables=(SPANS,), deadline_seconds=600))
    used |= {row["hash"] for row in ctx.lake.query(_IN_ROWS, asked, tables=(PAYLOADS,), deadline_seconds=600)}
    return sum(own_blobs(ctx).delete(hash_) for hash_ in hashes - used)
