"""What a provider's groups mean here: roles in projects, set anew at each sign-in. Roles that people gave stay as they are."""

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.projects import store
from flyball.projects.records import Member

from . import provider_store
from .accounts import actor_of_provider
from .provider_records import Provider
from .providers import EVERYBODY


async def apply_groups(
    connection: Connection, ctx: Context, provider: Provider, member_id: str, groups: frozenset[str]
) -> None:
    """Give a member the roles of their groups, and take away those that this provider gave for groups that they have left."""
    projects = {
        one.name: one.id for one in await store.list_projects(connection, provider.organisation) if not one.archived_ns
    }
    wanted: dict[str, str] = {}
    for one in provider.groups:
        if one.project in projects and (one.group == EVERYBODY or one.group in groups):
            wanted.setdefault(projects[one.project], one.role)
    actor = actor_of_provider(provider)
    given = await provider_store.memberships_by(connection, member_id, actor.id)
    for project, role in wanted.items():
        if given.get(project) != role and (project in given or await _is_free(connection, project, member_id)):
            await _give(connection, ctx.within(project, actor), provider, member_id, role)
    for project in given.keys() - wanted.keys():
        inside = ctx.within(project, actor)
        name = await _name_of(connection, project, member_id)
        await store.delete_membership(connection, project, member_id)
        await store.end_sessions_in(connection, project, member_id, ctx.clock.now_ns())
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection,
            inside,
            action="members.remove",
            object_kind="member",
            object_id=member_id,
            object_name=name,
            before=given[project],
        )


async def _is_free(connection: Connection, project: str, member_id: str) -> bool:
    """Whether nobody has given the member a role there, nor are they an owner of everything."""
    return await store.get_member_by_id(connection, project, member_id) is None


async def _give(connection: Connection, ctx: Context, provider: Provider, member_id: str, role: str) -> None:
    now_ns = ctx.clock.now_ns()
    member = Member(
        id=member_id,
        organisation=provider.organisation,
        project=ctx.project,
        name="",
        role=role,
        permissions=(),
        has_password=False,
        created_ns=now_ns,
    )
    await store.set_membership(connection, member, ctx.actor.id, now_ns)
    await notify(connection, SNAPSHOT)
    await audit.record(
        connection,
        ctx,
        action="members.set_role",
        object_kind="member",
        object_id=member_id,
        object_name=await _name_of(connection, ctx.project, member_id),
        after=role,
    )


async def _name_of(connection: Connection, project: str, member_id: str) -> str:
    member = await store.get_member_by_id(connection, project, member_id)
    return member.name if member else ""
