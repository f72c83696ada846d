"""The HTTP face of lineage: why an answer was what it was."""

from flyball.audit import service as audit
from flyball.surface.http import ContextDep, Router

from . import why as story
from .records import Why

router = Router("/api/why", tag="lineage")


@router.get("/{trace_id}", permission="traces.read", returns=Why)
async def why(ctx: ContextDep, trace_id: str) -> Why:
    """Everything that the answers of a trace rest on, each link by content hash, recomputed where its content is at hand.

    Reading it is recorded, once an hour.
    """
    found = await story.why(ctx, trace_id)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
    return found
