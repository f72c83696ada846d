"""Every table of every room that the worker keeps in order: a flat table without logic."""

from flyball.datasets.rows import DATASET_ROWS
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.lake.schema import TableSchema
from flyball.traces.flusher import TABLES as TRACES

TABLES: tuple[TableSchema, ...] = (*TRACES, DATASET_ROWS, EVALUATION_RESULTS)
