"""All SQL of a project's own roles. No clock, no authorisation."""

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Role

_ROLE = """
    select r.name, r.description, r.permissions,
        (select count(*) from memberships s where s.project = r.project and s.role = r.name) as members,
        (select count(*) from keys k where k.project = r.project and k.role = r.name and k.revoked_ns is null) as keys
    from roles r where r.project = %s
"""
_ROLE_BY_NAME = f"{_ROLE} and r.name = %s"
_ROLES = f"{_ROLE} order by r.name"


async def insert_role(
    connection: Connection, project: str, role: Role, name_key: str, *, created_by: str, now_ns: int
) -> bool:
    """Write a role; False where the project has one of this name, or one that looks like it."""
    touched = await execute(
        connection,
        "insert into roles (project, name, name_key, description, permissions, created_by, created_ns, updated_ns) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        project,
        role.name,
        name_key,
        role.description,
        list(role.permissions),
        created_by,
        now_ns,
        now_ns,
    )
    return touched == 1


async def update_role(connection: Connection, project: str, role: Role, now_ns: int) -> None:
    """Write what a role gives now."""
    await execute(
        connection,
        "update roles set description = %s, permissions = %s, updated_ns = %s where project = %s and name = %s",
        role.description,
        list(role.permissions),
        now_ns,
        project,
        role.name,
    )


async def get_role(connection: Connection, project: str, name: str) -> Role | None:
    """A role of the project's own, locked until the transaction ends."""
    await execute(connection, "select 1 from roles where project = %s and name = %s for update", project, name)
    row = await fetch_one(connection, _ROLE_BY_NAME, project, name)
    return _role(row) if row else None


async def list_roles(connection: Connection, project: str) -> list[Role]:
    """The project's own roles by name."""
    return [_role(row) for row in await fetch_all(connection, _ROLES, project)]


async def count_built_in(connection: Connection, project: str) -> dict[str, tuple[int, int]]:
    """How many members and keys have each role, by its name."""
    rows = await fetch_all(
        connection,
        """
        select role, sum(members)::bigint as members, sum(keys)::bigint as keys from (
            select role, count(*) as members, 0 as keys from memberships where project = %s group by role
            union all
            select role, 0, count(*) from keys where project = %s and revoked_ns is null group by role
        ) found group by role
        """,
        project,
        project,
    )
    return {row["role"]: (row["members"], row["keys"]) for row in rows}


async def delete_role(connection: Connection, project: str, name: str) -> None:
    """Remove a role."""
    await execute(connection, "delete from roles where project = %s and name = %s", project, name)


def _role(row: Row) -> Role:
    return Role(**row | {"permissions": tuple(row["permissions"])}, built_in=False)
