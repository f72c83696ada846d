"""Every job of every room: a flat table without logic."""

from flyball.datasets.jobs import JOBS as DATASETS
from flyball.evaluations.jobs import JOBS as EVALUATIONS
from flyball.indexes.jobs import JOBS as INDEXES
from flyball.infra.jobs import Job
from flyball.traces.jobs import JOBS as TRACES

JOBS: tuple[Job, ...] = (*DATASETS, *INDEXES, *EVALUATIONS, *TRACES)
