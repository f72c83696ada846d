"""The verbs of a project's own roles: list, set, remove. The built-in ones are in `roles`, and never change."""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.errors import InvalidInputError
from flyball.kit.names import name_key

from . import role_store
from .errors import NameTakenError, RoleInUseError, RoleNotFoundError, UnknownPermissionError
from .granting import refuse_limited, refuse_more_than_own
from .records import Role
from .roles import DESCRIPTIONS, PERMISSIONS, ROLES, unknown
from .tenants import check_name, taken

_LONGEST_DESCRIPTION = 500
_BUILT_IN = frozenset(map(name_key, ROLES))


async def list_roles(ctx: Context) -> tuple[Role, ...]:
    """The built-in roles, then the project's own by name; each with how many members and keys have it."""
    async with ctx.db.connection() as connection:
        counts = await role_store.count_built_in(connection, ctx.project)
        own = await role_store.list_roles(connection, ctx.project)
    built_in = [
        Role(
            name=name,
            description=DESCRIPTIONS[name],
            permissions=tuple(sorted(permissions)),
            built_in=True,
            members=counts.get(name, (0, 0))[0],
            keys=counts.get(name, (0, 0))[1],
        )
        for name, permissions in ROLES.items()
    ]
    return (*built_in, *own)


async def set_role(ctx: Context, name: str, permissions: tuple[str, ...], description: str = "") -> Role:
    """Make a role, or change what one gives: it counts at once for everybody who has it.

    Raises:
        InvalidNameError, NameTakenError: the name cannot be one, or is a built-in role's, or looks like another's.
        UnknownPermissionError: one of the permissions is none; InvalidInputError: there is none at all.
        ExceedsOwnRightsError: it would give, or it gives now, more than the actor has.
        LimitedKeyError: the actor is a key with limits, which whoever has the role would not have.
    """
    refuse_limited(ctx, f"make the role {name}")
    _check(name, permissions, description)
    refuse_more_than_own(ctx, permissions, f"make the role {name}")
    role = Role(name=name, description=description.strip(), permissions=tuple(sorted(set(permissions))), built_in=False)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        before = await role_store.get_role(connection, ctx.project, name)
        if before is not None:
            refuse_more_than_own(ctx, before.permissions, f"change the role {name}")
            role = msgspec.structs.replace(role, members=before.members, keys=before.keys)
            await role_store.update_role(connection, ctx.project, role, now_ns)
        elif not await role_store.insert_role(
            connection, ctx.project, role, name_key(name), created_by=ctx.actor.id, now_ns=now_ns
        ):
            raise taken("role", name)
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection, ctx, action="roles.set", object_kind="role", object_id=name, before=before, after=role
        )
    return role


async def remove_role(ctx: Context, name: str) -> Role:
    """Remove a role that nobody has any more.

    Raises RoleNotFoundError, RoleInUseError, ExceedsOwnRightsError.
    """
    async with ctx.db.transaction() as connection:
        role = await role_store.get_role(connection, ctx.project, name)
        if role is None:
            raise RoleNotFoundError(
                f"the project has no role {name!r:.100} of its own", next_step="`flyball roles list` shows all"
            )
        refuse_more_than_own(ctx, role.permissions, f"remove the role {name}")
        if role.members or role.keys:
            raise RoleInUseError(
                f"{role.members} members and {role.keys} keys have the role {name!r}",
                next_step=f"give them another with `flyball members set-role NAME ROLE`, then `flyball roles remove {name}`",
            )
        await role_store.delete_role(connection, ctx.project, name)
        await notify(connection, SNAPSHOT)
        await audit.record(connection, ctx, action="roles.remove", object_kind="role", object_id=name, before=role)
    return role


def _check(name: str, permissions: tuple[str, ...], description: str) -> None:
    check_name("a role", name)
    if name_key(name) in _BUILT_IN:
        raise NameTakenError(
            f"{name!r} is a built-in role, which never changes, or looks like one", next_step="choose another name"
        )
    if not permissions:
        raise InvalidInputError(f"the role {name!r} would give nothing", next_step="name at least one permission")
    if wrong := unknown(permissions):
        raise UnknownPermissionError(
            f"there is no permission {wrong[0]!r:.60}",
            next_step=f"use some of {', '.join(sorted(PERMISSIONS))}; or <noun>.* for all of a noun's",
        )
    if len(description) > _LONGEST_DESCRIPTION or not description.isprintable():
        raise InvalidInputError(
            f"the description has {len(description)} characters, or some that are not printable",
            next_step=f"write {_LONGEST_DESCRIPTION} at most, on one line",
        )
