"""What a stored span takes of the disk, against the same spans in SQLite with the usual indexes.

python bench/otlp_disk.py [--seconds 8] [--rate 4000] [--out FILE]

Spans of 1 kB go over OTLP into a real `flyball up`. What its table of spans takes is what the files of its log take, as the
flusher left them. In SQLite the same rows have the columns that any tool would keep, what was told as JSON, and no previews;
ids are unique, and there is an index by time, by session, by user, by model and by status.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from otlp import running
from otlp_load import Load, corpus

LIMIT = 0.5
COLUMNS = (
    "project", "trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "end_ns", "status", "error", "service",
    "session_id", "user_id", "provider", "model_requested", "model_response", "input_tokens", "output_tokens",
    "cost_nano_usd", "span_kind", "attributes", "events", "links", "resource", "otel_scope",
)  # fmt: skip
INDEXES = ("project, start_ns", "project, session_id, start_ns", "project, user_id, start_ns",
           "project, model_response, start_ns", "project, status, start_ns")  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rate", type=float, default=4_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "otlp_disk.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flyball-disk-") as folder:
        with running(Path(folder) / "data") as server:
            server.run(Load(100, 1_000, 2, options.seconds, options.rate), corpus())
        row = _measured(Path(folder))
    row |= {"limit": LIMIT, "when": time.strftime("%Y-%m-%d %H:%M:%S%z")}
    print(json.dumps(row, indent=1))
    options.out.write_text(json.dumps(row, indent=1) + "\n")


def _measured(folder: Path) -> dict[str, Any]:
    files = [Path(urlparse(uri).path) for uri in DeltaTable(str(folder / "data" / "lake" / "spans")).file_uris()]
    table = pa.concat_tables([pq.ParquetFile(file).read(columns=list(COLUMNS)) for file in files])
    ours, theirs = sum(file.stat().st_size for file in files), _sqlite(folder / "spans.db", table)
    return {
        "spans": table.num_rows,
        "files": len(files),
        "bytes a span": round(ours / table.num_rows),
        "SQLite bytes a span": round(theirs / table.num_rows),
        "ratio": round(ours / theirs, 3),
    }


def _sqlite(path: Path, table: pa.Table) -> int:
    with sqlite3.connect(path) as connection:
        connection.execute(f"create table spans ({', '.join(COLUMNS)}, unique (project, trace_id, span_id))")
        for index, columns in enumerate(INDEXES):
            connection.execute(f"create index by_{index} on spans ({columns})")
        marks = ", ".join("?" for _ in COLUMNS)
        rows = zip(*(table[name].to_pylist() for name in COLUMNS), strict=True)
        connection.executemany(f"insert into spans values ({marks})", rows)
    connection.execute("vacuum")
    connection.close()
    return path.stat().st_size


if __name__ == "__main__":
    main()
