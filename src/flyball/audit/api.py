"""The HTTP face of the audit record: parse, one verb, answer."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import StreamingResponse

from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, Router
from flyball.surface.http.bodies import OCTETS

from . import exporting, pruning, reading, sealing, service, standing, verifying
from .records import Event, Head, Pruned, Standing, Told, Verification, Wanted

router = Router("/api/audit", tag="audit")


class Narrowed:
    """What a list of events is narrowed to, from the query; times are dates or ISO 8601."""

    def __init__(
        self,
        *,
        actor: str = "",
        action: str = "",
        object_kind: str = "",
        object_id: str = "",
        since: str = "",
        until: str = "",
    ) -> None:
        self.wanted = Wanted(
            actor=actor,
            action=action,
            object_kind=object_kind,
            object_id=object_id,
            from_ns=service.time_of(since),
            until_ns=service.time_of(until, whole_day=True),
        )


NarrowedDep = Annotated[Narrowed, Depends()]


@router.get("/events", permission="audit.read", returns=Page[Event])
async def list_events(ctx: ContextDep, narrowed: NarrowedDep, cursor: str = "", limit: int = 50) -> Page[Event]:
    """The project's events, newest first, narrowed where asked."""
    return await service.list_events(ctx, cursor, limit, wanted=narrowed.wanted)


@router.get("/events/{seq}", permission="audit.read", returns=Told)
async def show_event(ctx: ContextDep, seq: int) -> Told:
    """One event, and what it says in words."""
    return reading.tell(await service.show_event(ctx, seq))


@router.get("/verification", permission="audit.read", returns=Verification)
async def verify(ctx: ContextDep, seq: int = 0, hash: str = "") -> Verification:  # noqa: A002 -- the parameter's public name
    """Walk the whole chain and say whether it holds, and whether it still passes through a head noted earlier."""
    return await verifying.verify(ctx, Head(seq=seq, hash=hash) if seq or hash else None)


@router.get("/standing", permission="audit.read", returns=Standing)
async def stand(ctx: ContextDep) -> Standing:
    """The chain's end, the last checkpoint and its key, the retention, and how far each sink has come."""
    return await standing.standing(ctx)


@router.get("/export", permission="audit.read", returns=bytes)
async def export(ctx: ContextDep) -> StreamingResponse:
    """The whole chain as JSON lines that verify by themselves: `flyball audit verify --file`. The export is recorded."""
    return StreamingResponse(
        await exporting.export(ctx),
        media_type=OCTETS,  # a file of JSON lines, to be kept to the byte
        headers={"content-disposition": 'attachment; filename="flyball-audit.jsonl"'},
    )


@router.post("/checkpoints", permission="audit.write", returns=Standing)
async def seal(ctx: ContextDep) -> Standing:
    """Sign where the chain stands now, unless it is empty or nothing happened since the last checkpoint."""
    await sealing.seal(ctx)
    return await standing.standing(ctx)


@router.post("/prunings", permission="audit.write", returns=Pruned)
async def prune(ctx: ContextDep) -> Pruned:
    """Give up what is older than FLYBALL_AUDIT_RETENTION_DAYS; a signed statement takes its place."""
    return await pruning.prune(ctx)
