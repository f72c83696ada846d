"""The tables of the lake, as their logs tell, and how the worker that joins their files keeps up."""

from flyball.datasets.rows import DATASET_ROWS
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema
from flyball.infra.processes.vitals import Vitals
from flyball.traces.flusher import TABLES as TRACES

from .records import Table

TABLES: tuple[TableSchema, ...] = (*TRACES, DATASET_ROWS, EVALUATION_RESULTS)
MANY_SMALL = 240  # files; the worker joins them long before there are so many
_WORKER = "worker"


def measure(lake: Lake) -> tuple[Table, ...]:
    """Each table that holds something. Reads logs: call it in a thread."""
    return tuple(found for table in TABLES if (found := _measure(lake, table)).files or found.error)


def _measure(lake: Lake, table: TableSchema) -> Table:
    try:
        extent = lake.extent(table)
    except LakeAwayError as error:
        return Table(name=table.name, rows=0, bytes=0, files=0, small=0, behind=False, error=error.message)
    return Table(
        name=table.name,
        rows=extent.rows,
        bytes=extent.bytes,
        files=extent.files,
        small=extent.small,
        behind=extent.small >= MANY_SMALL,
    )


def with_compactions(table: Table, vitals: tuple[Vitals, ...]) -> Table:
    """The table with what the worker told of joining its files."""
    worker = next((one for one in vitals if one.role == _WORKER), None)
    if worker is None:
        return table
    last = worker.level_of("compacted_ns", table.name)
    return Table(
        name=table.name,
        rows=table.rows,
        bytes=table.bytes,
        files=table.files,
        small=table.small,
        behind=table.behind,
        compactions=int(worker.sum_of("compactions", table.name)),
        joined=int(worker.sum_of("files_joined", table.name)),
        last_compaction_ns=None if last is None else int(last),
        error=table.error or worker.words.get(f"compaction_error {table.name}", ""),
    )
