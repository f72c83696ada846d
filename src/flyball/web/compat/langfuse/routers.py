"""The routes of this face, as one flat table. No logic."""

from flyball.surface.http import Router

from .account import router as account
from .datasets import router as datasets
from .experiments import router as experiments
from .ingestion import router as ingestion
from .media import router as media
from .prompts import router as prompts
from .reading import router as reading
from .runs import router as runs
from .scores import router as scores
from .scores import sent as sent_scores
from .traces import router as traces

ROUTERS: tuple[Router, ...] = (
    account, prompts, datasets, runs, scores, sent_scores, traces, ingestion, reading, experiments, media,
)  # fmt: skip
