"""The verbs of members: who belongs to the project. Knows roles; how people prove who they are is in `sign_in`."""

from flyball.infra.context import Context

from . import store
from .records import Member


async def list_members(ctx: Context) -> tuple[Member, ...]:
    """The project's members by name."""
    async with ctx.db.connection() as connection:
        return tuple(await store.list_members(connection, ctx.project))
