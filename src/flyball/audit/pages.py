"""The audit record as a page: what was done, by whom, and whether the chain holds. Parse, one verb, render."""

import msgspec

from flyball.surface.html import Pages, See
from flyball.surface.http import ContextDep

from . import service
from .records import Event

pages = Pages(tag="audit", section="/audit")


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows. `kind` is the filter; `first` is empty on the first page."""

    events: tuple[Event, ...]
    next: str | None
    first: bool
    kind: str


@pages.get("/audit", permission="audit.read", template="audit/list.html")
async def list_events(ctx: ContextDep, cursor: str = "", kind: str = "") -> AuditList:
    """The project's events, newest first."""
    found = await service.list_events(ctx, cursor, object_kind=kind)
    return AuditList(events=found.items, next=found.next, first=not cursor, kind=kind)


@pages.post("/audit/verifications", permission="audit.read")
async def verify(ctx: ContextDep) -> See:
    """Walk the whole chain and say what was found."""
    found = await service.verify(ctx)
    if found.ok:
        return See("/audit", f"The chain holds: {found.events:,} events, none missing, none changed.")
    return See("/audit", f"The chain is broken: {found.finding}.", tone="bad")
