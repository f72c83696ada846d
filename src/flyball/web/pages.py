"""Every room's pages, as one flat table. No logic."""

from flyball.audit.pages import pages as audit
from flyball.models.pages import pages as models
from flyball.projects.pages import pages as projects
from flyball.prompts.pages import pages as prompts
from flyball.runs.pages import pages as runs
from flyball.surface.html import Pages

from .navigation import SITE
from .reference import pages as reference

__all__ = ["PAGES", "SITE"]

PAGES: tuple[Pages, ...] = (
    projects,
    models,
    prompts,
    runs,
    audit,
    reference,
)
