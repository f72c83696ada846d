"""Every room's routes under `/api`, as one flat table. No logic."""

from flyball.audit.api import router as audit
from flyball.projects.api import router as projects
from flyball.surface.http import Router

ROUTERS: tuple[Router, ...] = (
    projects,
    audit,
)
