"""What serves each function now. Releases write it; the gateway's snapshot reads it."""

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify

from . import store
from .errors import DeclarationError
from .records import LiveRelease


async def set_live(connection: Connection, ctx: Context, live: LiveRelease) -> None:
    """Make a release the one that serves its function, and tell the gateway; in the caller's transaction.

    Raises:
        DeclarationError: the shares do not sum to 1, or name a variant that was never pinned.
    """
    if abs(sum(share for _, share in live.shares) - 1) > 1e-9 or any(share <= 0 for _, share in live.shares):
        raise DeclarationError(
            f"the shares of release {live.release_id} are not positive numbers that sum to 1: {live.shares}"
        )
    known = await store.variants_by_hash(connection, live.project, (hash_ for hash_, _ in live.shares))
    for hash_, _ in live.shares:
        if hash_ not in known:
            raise DeclarationError(f"release {live.release_id} names the variant {hash_}, which was never pinned")
    await store.set_live(connection, live, ctx.clock.now_ns())
    await notify(connection, SNAPSHOT)
