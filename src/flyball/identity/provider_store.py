"""All SQL of sign-in providers and of accounts with them. No clock, no ids, no authorisation."""

from typing import Any

from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .provider_records import GroupRole, Identity, Provider

_COLUMNS = (
    "id, project, organisation, name, label, issuer, client_id, client_secret, client_auth, scopes, groups_claim, "
    "domains, joining, link_by_email, enforced, shown, created_by, created_ns, updated_ns, group_roles"
)
_IN_USE = f"select {_COLUMNS} from sign_in_providers where removed_ns is null"
_BY_NAME = f"{_IN_USE} and name = %s"
_OF_ORGANISATION = f"{_IN_USE} and organisation = %s order by name"
_SHOWN = f"{_IN_USE} and shown and organisation = (select id from organisations where name = %s) order by label, name"
_ORGANISATION = """
    select o.name from sign_in_providers p join organisations o on o.id = p.organisation
    where p.removed_ns is null and p.name = %s
"""
_INSERT = f"""
    insert into sign_in_providers ({_COLUMNS}) values ({", ".join(["%s"] * len(_COLUMNS.split(",")))})
    on conflict (name) where removed_ns is null do nothing
"""
_CHANGEABLE = (
    "label, client_id, client_secret, client_auth, scopes, groups_claim, domains, joining, link_by_email, enforced, "
    "shown, updated_ns, group_roles"
)
_UPDATE = (
    f"update sign_in_providers set {', '.join(f'{each.strip()} = %s' for each in _CHANGEABLE.split(','))} where id = %s"
)
_IDENTITY = """
    select i.provider, p.name as provider_name, i.subject, i.member, i.email, i.created_ns, i.used_ns
    from sign_in_identities i join sign_in_providers p on p.id = i.provider
"""
_IDENTITY_BY_SUBJECT = f"{_IDENTITY} where i.provider = %s and i.subject = %s"
_IDENTITIES_OF = f"{_IDENTITY} where i.member = %s and p.removed_ns is null order by p.name, i.subject"


async def insert_provider(connection: Connection, provider: Provider) -> bool:
    """Write a provider; False where one in use has its name."""
    return await execute(connection, _INSERT, *_values(provider, _COLUMNS)) == 1


async def update_provider(connection: Connection, provider: Provider) -> None:
    """Write what may change of a provider: neither its name nor its issuer."""
    await execute(connection, _UPDATE, *_values(provider, _CHANGEABLE), provider.id)


async def remove_provider(connection: Connection, provider_id: str, now_ns: int) -> None:
    """Take a provider out of use, and forget the accounts with it."""
    await execute(connection, "delete from sign_in_identities where provider = %s", provider_id)
    await execute(connection, "update sign_in_providers set removed_ns = %s where id = %s", now_ns, provider_id)


async def get_provider(connection: Connection, name: str) -> Provider | None:
    """A provider in use, whatever organisation it is of."""
    row = await fetch_one(connection, _BY_NAME, name)
    return _provider(row) if row else None


async def list_providers(connection: Connection, organisation: str) -> list[Provider]:
    """An organisation's providers by name."""
    return [_provider(row) for row in await fetch_all(connection, _OF_ORGANISATION, organisation)]


async def list_shown(connection: Connection, organisation_name: str) -> list[Provider]:
    """An organisation's providers that have a button on its page of signing in."""
    return [_provider(row) for row in await fetch_all(connection, _SHOWN, organisation_name)]


async def shows_beyond(connection: Connection, organisation: str) -> bool:
    """Whether a provider of another organisation has a button."""
    row = await fetch_one(
        connection,
        "select exists (select from sign_in_providers where removed_ns is null and shown and organisation <> %s) as any",
        organisation,
    )
    return bool(row and row["any"])


async def organisation_of(connection: Connection, name: str) -> str:
    """The name of the organisation whose provider this is; empty for none in use."""
    row = await fetch_one(connection, _ORGANISATION, name)
    return row["name"] if row else ""


async def enforced_of(connection: Connection, organisation: str) -> str:
    """The label of the provider that alone signs an organisation's members in; empty where none does."""
    row = await fetch_one(
        connection,
        "select label from sign_in_providers where organisation = %s and enforced and removed_ns is null limit 1",
        organisation,
    )
    return row["label"] if row else ""


async def get_identity(connection: Connection, provider_id: str, subject: str) -> Identity | None:
    """Whose this account is."""
    row = await fetch_one(connection, _IDENTITY_BY_SUBJECT, provider_id, subject)
    return Identity(**row) if row else None


async def identities_of(connection: Connection, member_id: str) -> list[Identity]:
    """A member's accounts with providers."""
    return [Identity(**row) for row in await fetch_all(connection, _IDENTITIES_OF, member_id)]


async def insert_identity(connection: Connection, identity: Identity) -> bool:
    """Write whose an account is; False where it is somebody's already."""
    return bool(
        await execute(
            connection,
            "insert into sign_in_identities (provider, subject, member, email, created_ns, used_ns) "
            "values (%s, %s, %s, %s, %s, %s) on conflict (provider, subject) do nothing",
            identity.provider,
            identity.subject,
            identity.member,
            identity.email,
            identity.created_ns,
            identity.used_ns,
        )
    )


async def note_identity(connection: Connection, identity: Identity, email: str, now_ns: int) -> None:
    """Write when an account was last used, and which address it has now."""
    await execute(
        connection,
        "update sign_in_identities set used_ns = %s, email = %s where provider = %s and subject = %s",
        now_ns,
        email,
        identity.provider,
        identity.subject,
    )


async def delete_identity(connection: Connection, member_id: str, provider_id: str) -> bool:
    """Forget a member's accounts with a provider; False where there were none."""
    return bool(
        await execute(
            connection,
            "delete from sign_in_identities where member = %s and provider = %s",
            member_id,
            provider_id,
        )
    )


async def delete_identities_of(connection: Connection, member_id: str) -> int:
    """Forget all of a member's accounts; how many there were."""
    return await execute(connection, "delete from sign_in_identities where member = %s", member_id)


async def members_by_email(connection: Connection, organisation: str, email: str) -> list[tuple[str, str]]:
    """The ids and names of an organisation's members who have this address."""
    rows = await fetch_all(
        connection,
        "select id, name from members where organisation = %s and lower(email) = lower(%s) and removed_ns is null",
        organisation,
        email,
    )
    return [(row["id"], row["name"]) for row in rows]


async def memberships_by(connection: Connection, member_id: str, created_by: str) -> dict[str, str]:
    """The roles that somebody gave a member, by project."""
    rows = await fetch_all(
        connection, "select project, role from memberships where member = %s and created_by = %s", member_id, created_by
    )
    return {row["project"]: row["role"] for row in rows}


async def use_state(connection: Connection, hash_: bytes, now_ns: int, expires_ns: int) -> bool:
    """Use the state of a sign-in up; False where it was used already. Forgets those that nobody could use any more."""
    await execute(connection, "delete from sign_in_states where expires_ns <= %s", now_ns)
    return bool(
        await execute(
            connection,
            "insert into sign_in_states (hash, expires_ns) values (%s, %s) on conflict (hash) do nothing",
            hash_,
            expires_ns,
        )
    )


def _values(provider: Provider, columns: str) -> list[Any]:
    groups = Jsonb([{"group": one.group, "project": one.project, "role": one.role} for one in provider.groups])
    named = (each.strip() for each in columns.split(","))
    values = (groups if name == "group_roles" else getattr(provider, name) for name in named)
    return [list(value) if isinstance(value, tuple) else value for value in values]


def _provider(row: Row) -> Provider:
    groups = tuple(GroupRole(**one) for one in row.pop("group_roles"))
    return Provider(**row | {"scopes": tuple(row["scopes"]), "domains": tuple(row["domains"])}, groups=groups)
