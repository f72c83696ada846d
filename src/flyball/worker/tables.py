"""Every table of every room that the worker keeps in order: a flat table without logic."""

from flyball.datasets.rows import DATASET_ROWS
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.lake.schema import TableSchema
from flyball.traces.tables import PAYLOADS, SCORES, SPANS

TABLES: tuple[TableSchema, ...] = (SPANS, PAYLOADS, SCORES, DATASET_ROWS, EVALUATION_RESULTS)
