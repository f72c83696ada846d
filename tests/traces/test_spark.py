"""Spark itself reads the tables: the files that their log names, with the columns that docs/lake.md promises.

Spark lives in an environment of its own, which is made once from the package index and needs Java; without either the test
is skipped and says so. Its Delta reader is not on that index: what that demands of the log is held in `test_other_readers`.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from flyball.infra.context import Context
from flyball.traces import service
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.records import Span
from flyball.traces.tables import PAYLOADS, SCORES, SPANS
from flyball.traces.told import Told, ToldResource

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

ENVIRONMENT = Path(__file__).parents[2] / ".venv-spark"
SPARK = "pyspark==3.5.5"
NOW = 1_763_750_000_000_000_000
READ = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
said = {}
for name, paths in json.loads(sys.argv[1]).items():
    table = spark.read.option("mergeSchema", "true").parquet(*paths)
    said[name] = {"columns": dict(table.dtypes), "rows": [row.asDict() for row in table.collect()]}
print("\\n" + json.dumps(said))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of the environment, which is made where it is not there yet."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed here")
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".installed"
    if not stamp.exists() or stamp.read_text() != SPARK:
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SPARK]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"Spark cannot be installed: {made.stderr[-300:]}")
        stamp.write_text(SPARK)
    return python


def _read(python: Path, files: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Columns and rows of each table, as Spark has them."""
    said = subprocess.run([python, "-c", READ, json.dumps(files)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    found: dict[str, dict[str, Any]] = json.loads(said.stdout.splitlines()[-1])
    return found


async def test_spark_reads_what_was_stored(ctx: Context, python: Path) -> None:
    trace = "ab" * 16
    told = Told(
        trace_id=trace,
        span_id="1" * 16,
        name="chat",
        start_ns=NOW,
        end_ns=NOW + 5,
        attributes={"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7},
        resource=ToldResource(attributes={"service.name": "shop"}),
    )
    own = Span(trace_id=trace, span_id="2" * 16, name="n", start_ns=NOW, end_ns=NOW, input="x" * 900, tags=("b", "c"))
    await take_request(ctx, "traces", spans_request([told]).SerializeToString())
    await service.take_spans(ctx, [own])
    await Flusher(ctx).flush()
    await service.record_feedback(ctx, trace, 1)
    await Flusher(ctx).flush()

    tables = (SPANS, PAYLOADS, SCORES)
    files = {table.name: DeltaTable(str(ctx.layout.lake / table.name)).file_uris() for table in tables}
    found = _read(python, files)

    assert {name: set(found[name]["columns"]) for name in files} == {
        table.name: set(table.arrow.names) for table in tables
    }
    spans = {row["span_id"]: row for row in found["spans"]["rows"]}
    assert {row["name"]: (row["service"], row["kind"], row["input_tokens"]) for row in spans.values()} == {
        "chat": ("shop", "llm", 7),
        "n": ("", "chain", 0),
    }
    assert spans["2" * 16]["tags"] == ["b", "c"]
    assert [row["text"] for row in found["payloads"]["rows"]] == ["x" * 900]
    assert [(row["name"], row["value"], row["correction"]) for row in found["scores"]["rows"]] == [
        ("feedback", 1.0, "")
    ]
