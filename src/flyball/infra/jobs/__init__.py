"""Durable jobs: what a room declares (`job`), and what executes them on DBOS (`engine`, heavy, imported by module)."""

from .job import Job, RunContext

__all__ = ["Job", "RunContext"]
