"""A worker that knows the jobs of evaluations alone; started as a process by tests that kill it."""

import asyncio

from flyball.evaluations.jobs import JOBS
from flyball.settings import load_settings
from flyball.worker.working import work

if __name__ == "__main__":
    asyncio.run(work(load_settings(), JOBS))
