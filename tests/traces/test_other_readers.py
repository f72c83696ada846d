"""The tables are anybody's: Polars, plain DuckDB and what Spark demands of files read the columns that docs/lake.md promises."""

import os
import re
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from flyball.infra.context import Context
from flyball.traces import service
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request, points_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.records import Span
from flyball.traces.signal_tables import LOGS, METRICS
from flyball.traces.tables import PAYLOADS, SCORES, SPANS
from flyball.traces.told import Told, ToldLog, ToldPoint, ToldResource

TABLES = (SPANS, PAYLOADS, SCORES, LOGS, METRICS)
DOCS = Path(__file__).parents[2] / "docs" / "lake.md"
NOW = 1_763_750_000_000_000_000
SPARK_TYPES = (
    pa.string(),
    pa.int64(),
    pa.float64(),
    pa.bool_(),
    pa.list_(pa.string()),
)  # as Parquet and Spark both have them


@pytest.fixture
async def lake(ctx: Context) -> Path:
    """One row of everything, and a table that compaction has been at."""
    trace = os.urandom(16).hex()
    resource = ToldResource(attributes={"service.name": "shop"})
    for number in range(3):
        span = Told(
            trace_id=trace,
            span_id=f"{number + 1:016x}",
            name=f"call {number}",
            start_ns=NOW + number,
            end_ns=NOW + 5,
            resource=resource,
        )
        await take_request(ctx, "traces", spans_request([span]).SerializeToString())
        await Flusher(ctx).flush()
    log = ToldLog(time_ns=NOW, body="said", trace_id=trace, resource=resource)
    point = ToldPoint(name="calls", kind="sum", time_ns=NOW, value=2)
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await take_request(ctx, "metrics", points_request([point]).SerializeToString())
    await service.take_spans(
        ctx, [Span(trace_id=trace, span_id="ab" * 8, name="n", start_ns=NOW, end_ns=NOW, input="x" * 900)]
    )
    await Flusher(ctx).flush()
    await service.record_feedback(ctx, trace, 1)
    await Flusher(ctx).flush()
    ctx.lake.compact(SPANS)
    return ctx.layout.lake


async def test_polars_reads_every_table(lake: Path) -> None:
    counts = {table.name: pl.read_delta(str(lake / table.name)).height for table in TABLES}
    names = pl.scan_delta(str(lake / "spans")).filter(pl.col("service") == "shop").select("name").collect()

    assert counts == {"spans": 4, "payloads": 1, "scores": 1, "logs": 1, "metrics": 1}
    assert sorted(names["name"].to_list()) == ["call 0", "call 1", "call 2"]


async def test_plain_duckdb_reads_every_table_by_the_files_of_its_log(lake: Path) -> None:
    connection = duckdb.connect()
    for table in TABLES:
        files = DeltaTable(str(lake / table.name)).file_uris()
        found = connection.execute("select * from read_parquet($files, union_by_name = true)", {"files": files})
        assert {column[0] for column in found.description} == set(table.arrow.names)
        assert found.fetchall()
    (total,) = connection.execute(
        "select sum(end_ns - start_ns) from read_parquet($files) where service = 'shop'",
        {"files": DeltaTable(str(lake / "spans")).file_uris()},
    ).fetchone()
    assert total == 5 + 4 + 3


async def test_files_and_logs_are_what_spark_reads(lake: Path) -> None:
    """What Spark's Delta reader and its Parquet reader demand; Spark itself reads them in `test_spark`."""
    for table in TABLES:
        delta = DeltaTable(str(lake / table.name))
        protocol = delta.protocol()
        assert (protocol.min_reader_version, protocol.reader_features) == (1, None), table.name
        assert {field.type for field in table.arrow} <= set(SPARK_TYPES)
        for path in delta.file_uris():
            file = pq.ParquetFile(path)
            held = {field.name: field.type for field in file.schema_arrow}
            assert held.items() <= {field.name: field.type for field in table.arrow}.items()
            assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in held), "Spark refuses ' ,;{}()\\n\\t='"
            assert {file.metadata.row_group(0).column(n).compression for n in range(file.metadata.num_columns)} == {
                "ZSTD"
            }


def test_every_column_is_documented_and_nothing_else() -> None:
    text = DOCS.read_text()
    for table in TABLES:
        section = text.split(f"### `{table.name}`\n", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
        documented = [
            name
            for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
            for name in re.findall(r"`(\w+)`", row)
        ]
        assert sorted(documented) == sorted(table.arrow.names), table.name


async def test_one_file_holds_one_project_and_one_day(lake: Path) -> None:
    for table in TABLES:
        for path in DeltaTable(str(lake / table.name)).file_uris():
            rows = pq.ParquetFile(path).read(columns=["project", "day"])
            assert len(set(rows["project"].to_pylist())) == len(set(rows["day"].to_pylist())) == 1
