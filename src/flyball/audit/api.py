"""The HTTP face of the audit record: parse, one verb, answer."""

from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, Router

from . import service
from .records import Event, Head, Verification

router = Router("/api/audit", tag="audit")


@router.get("/events", permission="audit.read", returns=Page[Event])
async def list_events(
    ctx: ContextDep, cursor: str = "", limit: int = 50, object_kind: str = "", object_id: str = ""
) -> Page[Event]:
    """The project's events, newest first."""
    return await service.list_events(ctx, cursor, limit, object_kind=object_kind, object_id=object_id)


@router.get("/verification", permission="audit.read", returns=Verification)
async def verify(ctx: ContextDep, seq: int = 0, hash: str = "") -> Verification:  # noqa: A002 -- the parameter's public name
    """Walk the whole chain and say whether it holds, and whether it still passes through a head noted earlier."""
    return await service.verify(ctx, Head(seq=seq, hash=hash) if seq else None)
