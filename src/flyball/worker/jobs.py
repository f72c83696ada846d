"""Every job of every room: a flat table without logic."""

from flyball.infra.jobs import Job

JOBS: tuple[Job, ...] = ()
