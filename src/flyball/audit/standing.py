"""How a project's record stands: its end, what is signed of it, how long it is kept, and how far each sink has come."""

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.operators import knows_server

from . import sink_store, sinks, store
from .records import SinkState, Standing
from .signing import signing_key
from .sink_store import Cursor
from .verifying import last_verified


async def standing(ctx: Context) -> Standing:
    """For the page and the commands; walks nothing. Addresses of sinks are the operator's to know."""
    async with ctx.db.connection() as connection:
        whole = await knows_server(connection, ctx.project, kind=ctx.actor.kind)
        head = await store.head(connection, ctx.project)
        newest = await store.last_checkpoint(connection, ctx.project)
        covering = await store.last_checkpoint(connection, ctx.project, "checkpoint")
        pruned = await store.pruned_up_to(connection, ctx.project)
        unsigned = await store.find(connection, ctx.project, covering.read().checkpoint.seq + 1 if covering else 1)
        cursors = await sink_store.cursors(connection, ctx.project)
    by_name = {name: cursors.get(sinks.identity_of(name), Cursor()) for name in sinks.names_of(ctx.settings)}
    states = tuple(_state(name, cursor, head.seq, pruned) for name, cursor in by_name.items())
    return Standing(
        head=head,
        begins_at=pruned + 1,
        key=signing_key(ctx.layout).public,
        checkpoints=newest.number if newest else 0,
        latest=covering.read() if covering else None,
        retention_days=ctx.settings.audit_retention_days,
        sinks=states if whole else tuple(map(_without_address, states)),
        unsigned_since_ns=unsigned.at_ns if unsigned else None,
        verified=last_verified(ctx),
    )


def _without_address(state: SinkState) -> SinkState:
    """Where the record is sent is the server's to know; that it is sent, and how far, everybody's whose record it is."""
    return msgspec.structs.replace(state, name=state.name.partition(" ")[0], failure="")


def _state(name: str, cursor: Cursor, head: int, pruned: int) -> SinkState:
    return SinkState(
        name=name,
        seq=cursor.seq,
        behind=max(0, head - max(cursor.seq, pruned)),
        sent_ns=cursor.sent_ns,
        failed_ns=cursor.failed_ns,
        failure=cursor.failure,
    )
