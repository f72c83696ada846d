"""All SQL of organisations, projects and members. No clock, no ids, no authorisation. Keys: `key_store`; sessions: `identity.session_store`."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one
from flyball.kit.secrets import hiding

from .records import Member, Organisation, Project
from .roles import ROLES

# A member as they are in a project; nobody who has no role there, and nobody in an archived one.
_MEMBER = """
    select m.id, m.organisation, p.id as project, m.name, m.email, m.owner, m.created_ns,
        case when m.owner then 'owner' else s.role end as role, r.permissions,
        m.password_verifier is not null as has_password
    from members m
    join projects p on p.organisation = m.organisation and p.archived_ns is null
    left join memberships s on s.member = m.id and s.project = p.id
    left join roles r on r.project = p.id and r.name = s.role
    where m.removed_ns is null and (m.owner or s.member is not null)
"""
_PROJECT = """
    select p.id, p.organisation, o.name as organisation_name, p.name, p.created_ns, p.archived_ns
    from projects p join organisations o on o.id = p.organisation
"""
_PROJECT_BY_ID = f"{_PROJECT} where p.id = %s"
_PROJECT_IN_USE = f"{_PROJECT} where o.name = %s and p.name = %s and p.archived_ns is null"
_PROJECTS = f"{_PROJECT} where p.organisation = %s order by p.archived_ns is not null, p.name"
_MEMBER_BY_NAME = f"{_MEMBER} and p.id = %s and m.name_key = %s"
_MEMBER_BY_ID = f"{_MEMBER} and p.id = %s and m.id = %s"
_MEMBERS = f"{_MEMBER} and p.id = %s order by m.name"


@hiding("verifier")
class Person(NamedTuple):
    """Somebody who may sign in, before it is known in which project. `verifier` is that of their password."""

    id: str
    organisation: str
    name: str
    owner: bool
    verifier: str | None


# -- organisations and projects


async def insert_organisation(connection: Connection, organisation: Organisation, name_key: str) -> bool:
    """Write an organisation; False where the name, or one that looks like it, is taken."""
    touched = await execute(
        connection,
        "insert into organisations (id, name, name_key, created_ns) values (%s, %s, %s, %s) on conflict do nothing",
        organisation.id,
        organisation.name,
        name_key,
        organisation.created_ns,
    )
    return touched == 1


async def list_organisations(connection: Connection) -> list[Organisation]:
    """All of them by name."""
    rows = await fetch_all(connection, "select id, name, created_ns from organisations order by name")
    return [Organisation(**row) for row in rows]


async def insert_project(connection: Connection, project: Project, name_key: str, created_by: str) -> bool:
    """Write a project; False where its organisation has one of this name, or one that looks like it."""
    touched = await execute(
        connection,
        "insert into projects (id, organisation, name, name_key, created_by, created_ns) "
        "values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
        project.id,
        project.organisation,
        project.name,
        name_key,
        created_by,
        project.created_ns,
    )
    return touched == 1


async def get_project(connection: Connection, project_id: str) -> Project | None:
    """A project by id, archived or not."""
    row = await fetch_one(connection, _PROJECT_BY_ID, project_id)
    return Project(**row) if row else None


async def find_project(connection: Connection, organisation: str, name: str) -> Project | None:
    """A project that is in use, by the names of its organisation and its own."""
    row = await fetch_one(connection, _PROJECT_IN_USE, organisation, name)
    return Project(**row) if row else None


async def list_projects(connection: Connection, organisation: str) -> list[Project]:
    """An organisation's projects by name, archived ones last."""
    rows = await fetch_all(connection, _PROJECTS, organisation)
    return [Project(**row) for row in rows]


async def organisations(connection: Connection) -> dict[str, str]:
    """The organisation of every project that the connection sees."""
    rows = await fetch_all(connection, "select id, organisation from projects")
    return {row["id"]: row["organisation"] for row in rows}


async def projects_in(connection: Connection, organisation: str) -> frozenset[str]:
    """The ids of an organisation's projects, archived ones too."""
    rows = await fetch_all(connection, "select id from projects where organisation = %s", organisation)
    return frozenset(row["id"] for row in rows)


async def archive_project(connection: Connection, project_id: str, now_ns: int) -> None:
    """Take a project out of use: its keys and sessions are refused from now on."""
    await execute(connection, "update projects set archived_ns = %s where id = %s", now_ns, project_id)


# -- members


async def insert_member(connection: Connection, member: Member, name_key: str) -> bool:
    """Write a person without a password; False where the name, or one that looks like it, is taken."""
    return bool(
        await execute(
            connection,
            "insert into members (id, organisation, name, name_key, email, owner, created_ns) "
            "values (%s, %s, %s, %s, %s, %s, %s) on conflict (name_key) where removed_ns is null do nothing",
            member.id,
            member.organisation,
            member.name,
            name_key,
            member.email,
            member.owner,
            member.created_ns,
        )
    )


async def set_membership(connection: Connection, member: Member, created_by: str, now_ns: int) -> None:
    """Give a member the role that the record says, in its project."""
    await execute(
        connection,
        "insert into memberships (project, member, role, created_by, created_ns) values (%s, %s, %s, %s, %s) "
        "on conflict (project, member) do update set role = excluded.role, created_by = excluded.created_by",
        member.project,
        member.id,
        member.role,
        created_by,
        now_ns,
    )


async def delete_membership(connection: Connection, project: str, member_id: str) -> None:
    """Take a member's role in a project away."""
    await execute(connection, "delete from memberships where project = %s and member = %s", project, member_id)


async def end_sessions_in(connection: Connection, project: str, member_id: str, now_ns: int) -> int:
    """End every session of a member in one project; how many there were. All else about sessions is the room `identity`'s."""
    return await execute(
        connection,
        "update sessions set revoked_ns = %s where project = %s and member = %s and revoked_ns is null",
        now_ns,
        project,
        member_id,
    )


async def person(connection: Connection, name_key: str) -> Person | None:
    """Who signs in by this name, whatever organisation they are of."""
    row = await fetch_one(
        connection,
        "select id, organisation, name, owner, password_verifier as verifier from members "
        "where name_key = %s and removed_ns is null",
        name_key,
    )
    return Person(**row) if row else None


async def organisation_of_member(connection: Connection, member_id: str) -> str:
    """Whose person somebody is; empty for nobody."""
    row = await fetch_one(
        connection, "select organisation from members where id = %s and removed_ns is null", member_id
    )
    return row["organisation"] if row else ""


async def projects_of(connection: Connection, member_id: str) -> list[Project]:
    """The projects in which a person has a role, in the order in which they came to them."""
    rows = await fetch_all(
        connection,
        """
        select p.id, p.organisation, o.name as organisation_name, p.name, p.created_ns, p.archived_ns,
            case when m.owner then 'owner' else s.role end as role
        from members m
        join projects p on p.organisation = m.organisation and p.archived_ns is null
        join organisations o on o.id = p.organisation
        left join memberships s on s.member = m.id and s.project = p.id
        where m.id = %s and m.removed_ns is null and (m.owner or s.member is not null)
        order by coalesce(s.created_ns, p.created_ns), p.id
        """,
        member_id,
    )
    return [Project(**row) for row in rows]


async def get_member(connection: Connection, project: str, name_key: str) -> Member | None:
    """A member of a project by name."""
    row = await fetch_one(connection, _MEMBER_BY_NAME, project, name_key)
    return _member(row) if row else None


async def get_member_by_id(connection: Connection, project: str, member_id: str) -> Member | None:
    """A member of a project by id."""
    row = await fetch_one(connection, _MEMBER_BY_ID, project, member_id)
    return _member(row) if row else None


async def list_members(connection: Connection, project: str) -> list[Member]:
    """A project's members by name."""
    return [_member(row) for row in await fetch_all(connection, _MEMBERS, project)]


async def lock_owners(connection: Connection, project: str) -> list[str]:
    """The ids of those who have the role owner in a project, which cannot change until the transaction ends."""
    await execute(connection, "select 1 from projects where id = %s for update", project)
    return [member.id for member in await list_members(connection, project) if member.role == "owner"]


async def password_verifier(connection: Connection, member_id: str) -> str | None:
    """The scrypt verifier of a member's password; None where none is set."""
    row = await fetch_one(connection, "select password_verifier from members where id = %s", member_id)
    return row["password_verifier"] if row else None


async def set_password_verifier(connection: Connection, member_id: str, verifier: str) -> None:
    """Set a member's password by its verifier."""
    await execute(connection, "update members set password_verifier = %s where id = %s", verifier, member_id)


async def somebody_has_a_password(connection: Connection) -> bool:
    """Whether anybody could sign in by a password, in whatever project."""
    query = "select 1 as one from members where removed_ns is null and password_verifier is not null limit 1"
    return await fetch_one(connection, query) is not None


def _member(row: Row) -> Member:
    own = row.pop("permissions")
    permissions = ROLES.get(row["role"], frozenset(own or ()))
    return Member(**row, permissions=tuple(sorted(permissions)))
