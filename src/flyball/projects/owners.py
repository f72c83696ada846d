"""The verbs of an organisation's owners: list, add, remove. An owner has the role owner in every project; one always stays."""

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.names import name_key

from . import owner_store, store
from .errors import LastOwnerError, MemberNotFoundError
from .granting import void_gifts
from .records import Organisation, Owner
from .tenants import organisation_to_change


async def list_owners(ctx: Context) -> tuple[Owner, ...]:
    """The owners of the current project's organisation, by name."""
    async with ctx.db.across_projects().connection() as connection:
        project = await store.get_project(connection, ctx.project)
        return tuple(await owner_store.list_owners(connection, project.organisation)) if project else ()


async def add_owner(ctx: Context, name: str) -> Owner:
    """Make a person of the organisation an owner of it, at once.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        MemberNotFoundError: the organisation has nobody of this name.
    """
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "make owners")
        before = await owner_store.lock_owners(connection, organisation.id)
        person = await person_of(connection, organisation, name)
        if person.id not in {one.id for one in before}:
            await owner_store.set_owner(connection, person.id, owner=True)
            await _record(connection, ctx, "organisations.add_owner", person)
    return person


async def remove_owner(ctx: Context, name: str) -> Owner:
    """Make an owner of the organisation one no more: what is left to them are their roles in its projects.

    What they gave and can give no longer is revoked: invitations, and links by which others would have signed in.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        MemberNotFoundError: no owner of the organisation has this name.
        LastOwnerError: there is no other.
    """
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "take owners their place")
        person = await person_of(connection, organisation, name)
        await keep_an_owner(connection, organisation, person)
        if person.id not in {one.id for one in await owner_store.list_owners(connection, organisation.id)}:
            raise MemberNotFoundError(
                f"{person.name} is no owner of the organisation", next_step="`flyball organisations owners` lists them"
            )
        await owner_store.set_owner(connection, person.id, owner=False)
        await void_gifts(connection, ctx, person.id)
        await _record(connection, ctx, "organisations.remove_owner", person)
    return person


async def person_of(connection: Connection, organisation: Organisation, name: str) -> Owner:
    """A person of the organisation by name. Raises MemberNotFoundError."""
    found = await store.person(connection, name_key(name))
    if found is None or found.organisation != organisation.id:
        raise MemberNotFoundError(
            f"the organisation {organisation.name} has nobody named {name!r:.100}",
            next_step="`flyball members list` shows a project's members",
        )
    return Owner(id=found.id, name=found.name)


async def keep_an_owner(connection: Connection, organisation: Organisation, person: Owner) -> None:
    """Raise LastOwnerError where nobody but this person owns the organisation; the owners stay as they are until the transaction ends."""
    owners = await owner_store.lock_owners(connection, organisation.id)
    if [one.id for one in owners] == [person.id]:
        raise LastOwnerError(
            f"{person.name} is the only owner of the organisation {organisation.name}",
            next_step="make somebody else one first: `flyball organisations add-owner NAME`",
        )


async def _record(connection: Connection, ctx: Context, action: str, person: Owner) -> None:
    await notify(connection, SNAPSHOT)  # personal keys give what their member's role gives
    await audit.record(
        connection,
        ctx,
        action=action,
        object_kind="member",
        object_id=person.id,
        object_name=person.name,
        after=person,
    )
