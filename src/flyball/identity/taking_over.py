"""Who may take somebody's second factor or sessions away: whoever has all their rights, in all their projects.

Who may sign in as somebody else, by a link, is another rule, in `sign_in`: what a member may do can grow after the link was made.
"""

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.projects import store
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.projects.granting import refuse_more_than_own
from flyball.projects.records import Member
from flyball.projects.roles import exceeding


async def refuse_taking_over(connection: Connection, ctx: Context, member: Member, deed: str) -> None:
    """Raise ExceedsOwnRightsError where the member has a right, here or in another project, that the actor lacks there.

    `connection` sees all projects: a session goes wherever its member has a role.
    """
    refuse_more_than_own(ctx, member.permissions, deed)
    if ctx.actor.kind in ("local", "system") or ctx.actor.id == member.id:
        return
    if member.owner and not await _is_owner_too(connection, ctx, member):
        raise _exceeds(ctx, deed, f"{member.name} is an owner of the organisation")
    for project in await store.projects_of(connection, member.id):
        theirs = await store.get_member_by_id(connection, project.id, member.id)
        mine = await store.get_member_by_id(connection, project.id, ctx.actor.id)
        own = frozenset(mine.permissions) if mine else frozenset[str]()
        if project.id != ctx.project and theirs and exceeding(theirs.permissions, own):
            raise _exceeds(ctx, deed, f"{member.name} may do more in the project {project.name}")


async def _is_owner_too(connection: Connection, ctx: Context, member: Member) -> bool:
    mine = await store.get_member_by_id(connection, member.project, ctx.actor.id)
    return mine is not None and mine.owner


def _exceeds(ctx: Context, deed: str, why: str) -> ExceedsOwnRightsError:
    return ExceedsOwnRightsError(
        f"{ctx.actor.name} may not {deed}: {why}", next_step="ask an owner of the organisation"
    )
