"""The audit record as pages: what was done, by whom, how that is proven, where it is sent. Parse, one verb, render."""

from urllib.parse import urlencode

import msgspec

from flyball.surface.html import Pages, See
from flyball.surface.http import ContextDep

from . import reading, sealing, service, standing, verifying
from .records import Event, Standing, Told, Wanted

pages = Pages(tag="audit", section="/audit")


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was written in the form."""

    actor: str = ""
    action: str = ""
    kind: str = ""
    object: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> str:
        """The part of an address that asks for the same; empty where nothing is asked."""
        return urlencode({name: value for name, value in msgspec.structs.asdict(self).items() if value})

    @property
    def wanted(self) -> Wanted:
        """The same for the verb."""
        return Wanted(
            actor=self.actor,
            action=self.action,
            object_kind=self.kind.replace(" ", "_"),
            object_id=self.object,
            from_ns=service.time_of(self.since),
            until_ns=service.time_of(self.until, whole_day=True),
        )


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows. `first` is true on the first page; `actions` are those that can be asked for."""

    told: tuple[Told, ...]
    next: str | None
    first: bool
    filter: AuditFilter
    standing: Standing
    actions: tuple[str, ...]
    may_sign: bool


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows. `covered` is whether a checkpoint covers the event; `later` whether there is one after it."""

    told: Told
    event: Event
    covered: bool
    later: bool
    standing: Standing


@pages.get("/audit", permission="audit.read", template="audit/list.html")
async def list_events(
    ctx: ContextDep,
    *,
    cursor: str = "",
    actor: str = "",
    action: str = "",
    kind: str = "",
    object: str = "",  # noqa: A002 -- the parameter's public name
    since: str = "",
    until: str = "",
) -> AuditList:
    """The project's events, newest first, narrowed where asked."""
    asked = AuditFilter(actor=actor, action=action, kind=kind, object=object, since=since, until=until)
    found = await service.list_events(ctx, cursor, wanted=asked.wanted)
    return AuditList(
        told=tuple(reading.tell(event) for event in found.items),
        next=found.next,
        first=not cursor,
        filter=asked,
        standing=await standing.standing(ctx),
        actions=tuple(sorted(reading.DEEDS)),
        may_sign=ctx.actor.may("audit.write"),
    )


@pages.get("/audit/{seq}", permission="audit.read", template="audit/show.html")
async def show_event(ctx: ContextDep, seq: int) -> AuditEvent:
    """One event, with its hash and what proves it."""
    event = await service.show_event(ctx, seq)
    stands = await standing.standing(ctx)
    covered = stands.latest is not None and stands.latest.checkpoint.seq >= seq
    return AuditEvent(
        told=reading.tell(event), event=event, covered=covered, later=stands.head.seq > seq, standing=stands
    )


@pages.post("/audit/verifications", permission="audit.read")
async def verify(ctx: ContextDep) -> See:
    """Walk the whole chain and say what was found."""
    found = await verifying.verify(ctx)
    if not found.ok:
        return See("/audit", f"The chain is broken: {found.finding}.", tone="bad")
    signed = f"signed up to event {found.signed_up_to:,}" if found.checkpoints else "nothing signed yet"
    return See("/audit", f"The chain holds: {found.events:,} events, none missing, none changed; {signed}.")


@pages.post("/audit/checkpoints", permission="audit.write")
async def seal(ctx: ContextDep) -> See:
    """Sign where the chain stands."""
    signed = await sealing.seal(ctx)
    if signed is None:
        return See("/audit", "There is nothing to sign yet.", tone="warn")
    return See(
        "/audit", f"Checkpoint {signed.checkpoint.number} signs event {signed.checkpoint.seq:,} and all before it."
    )
