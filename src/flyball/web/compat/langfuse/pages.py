"""Addresses of pages that Langfuse's clients print: each leads to flyball's own page of the same thing."""

from urllib.parse import quote

from flyball.surface.html import Pages, See

from .ids import trace_id_of

pages = Pages(tag="langfuse", section="/traces")


@pages.get("/project/{project}/traces/{trace_id}", permission="traces.read")
async def show_trace(project: str, trace_id: str) -> See:
    """The page of a trace, at the address that their `get_trace_url` makes; the project is that of the session."""
    del project
    return See(f"/traces/{quote(trace_id_of(trace_id), safe='')}")
