"""The process of the jobs: a worker with every kind of run and every table that the rooms have."""

import asyncio

from flyball.infra.processes.handshake import wait_to_begin
from flyball.jobs import JOBS
from flyball.settings import Settings

from .tables import TABLES
from .working import work


def main(settings: Settings) -> None:
    """The process `python -m flyball.worker jobs`."""
    wait_to_begin()
    asyncio.run(work(settings, JOBS, TABLES))
