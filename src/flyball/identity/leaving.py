"""The verb of leaving: a person is taken out of their organisation, and every way in that they had, or gave, ends."""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.projects import key_store, owner_store, store
from flyball.projects.errors import LastOwnerError
from flyball.projects.granting import void_gifts
from flyball.projects.owners import keep_an_owner, person_of
from flyball.projects.records import Owner
from flyball.projects.tenants import organisation_to_change

from . import factor_store, provider_store, session_store


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """Who left, and what ended with it: sessions, personal keys, accounts with sign-in providers, invitations that they had made."""

    id: str
    name: str
    sessions: int
    keys: int
    accounts: int
    invitations: int


async def delete_member(ctx: Context, name: str) -> Gone:
    """Take a person out of the organisation, for good: the name is free, and whoever bears it next is somebody else.

    Keys of service that they made stay: programs use them.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        MemberNotFoundError: the organisation has nobody of this name.
        LastOwnerError: they are its only owner, or the only one of a project.
    """
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "delete members")
        person = await person_of(connection, organisation, name)
        await keep_an_owner(connection, organisation, person)
        projects = [one.id for one in await store.projects_of(connection, person.id)]
        await _keep_owners(connection, projects, person)
        keys = await key_store.count_usable_of(connection, person.id, now_ns)
        await owner_store.set_removed(connection, person.id, now_ns)
        gone = Gone(
            id=person.id,
            name=person.name,
            sessions=await session_store.revoke_sessions_of(connection, person.id, now_ns),
            keys=keys,
            accounts=await provider_store.delete_identities_of(connection, person.id),
            invitations=await void_gifts(connection, ctx, person.id),
        )
        await session_store.discard_links_of(connection, person.id, now_ns)
        await session_store.delete_steps_of(connection, person.id)
        await factor_store.delete_factor(connection, person.id)
        await notify(connection, SNAPSHOT)
        for project in sorted({ctx.project, *projects}):
            await audit.record(
                connection,
                ctx.within(project, ctx.actor),
                action="members.delete",
                object_kind="member",
                object_id=person.id,
                object_name=person.name,
                after=gone,
            )
    return gone


async def _keep_owners(connection: Connection, projects: list[str], person: Owner) -> None:
    for project in projects:
        if await store.lock_owners(connection, project) == [person.id]:
            found = await store.get_project(connection, project)
            raise LastOwnerError(
                f"{person.name} is the only owner of the project {found.name if found else project}",
                next_step="make somebody else one first: `flyball members set-role NAME owner`",
            )
