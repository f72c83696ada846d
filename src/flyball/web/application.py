"""The control process's application: routes, pages, error answers and the proof of callers put together. Opens nothing."""

from typing import Any

from fastapi import FastAPI

from flyball import __version__
from flyball.health.scraping import with_token
from flyball.identity.lately_proven import LatelyProven
from flyball.identity.proving import find_project, prove
from flyball.infra.context import Context
from flyball.projects.refusing import record_missing_permission
from flyball.projects.roles import PERMISSIONS
from flyball.surface.html import assets, failure_page
from flyball.surface.http.answers import install_error_answers
from flyball.surface.http.openapi import OpenApiDocument
from flyball.surface.http.router import install, refuse_unguarded
from flyball.traces import otlp_api

from . import health
from .compat.langfuse import shapes as langfuse
from .compat.langfuse.traces import OTLP as LANGFUSE_OTLP
from .pages import PAGES, SITE
from .routers import ROUTERS


def build_application(ctx: Context) -> FastAPI:
    """The application over a context. Raises UnguardedRouteError when any of its routes lacks a permission."""
    unremarkable: dict[str, Any] = {
        "openapi_url": None,
        "docs_url": None,
        "redoc_url": None,
    }  # theirs load remote scripts
    app = FastAPI(title="flyball", version=__version__, **unremarkable)
    app.router.redirect_slashes = False
    app.state.context = ctx
    app.state.prover = with_token(prove)
    app.state.prover_of_telemetry = LatelyProven(app.state.prover, ctx.clock)
    app.state.project_finder = find_project
    app.state.refusal_recorder = record_missing_permission
    app.state.site = SITE
    app.state.document = OpenApiDocument(app)
    install(app, [health.router, *ROUTERS, assets, *(pages.router for pages in PAGES)])
    faces = {
        LANGFUSE_OTLP: otlp_api.refusal,  # which the next one's addresses begin with, so it stands first
        langfuse.PREFIX: langfuse.refusal,
        otlp_api.PREFIX: otlp_api.refusal,
    }
    install_error_answers(app, failure_page, faces)
    refuse_unguarded(app, PERMISSIONS)
    return app
