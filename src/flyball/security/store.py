"""All SQL of the posture: connection in, numbers out. Reads what other rooms keep, and no content of it."""

import msgspec

from flyball.infra.db.database import Connection, fetch_all, fetch_one

from .records import Keys, People, Walls


async def people(connection: Connection, project: str, now_ns: int) -> People:
    """The members of the project's organisation; its providers are seen by a connection across projects alone."""
    row = await fetch_one(
        connection,
        """
        with theirs as (
            select v.enforced from sign_in_providers v
            where v.removed_ns is null and v.organisation = (select p.organisation from projects p where p.id = %s)
        ), ours as (
            select m.id, m.owner, m.password_verifier is not null as has_password, f.member is not null as has_factor
            from members m left join second_factors f on f.member = m.id and f.confirmed_ns is not null
            where m.removed_ns is null and m.organisation = (select p.organisation from projects p where p.id = %s)
        )
        select count(*) as members, count(*) filter (where owner) as owners, count(*) filter (where has_password) as with_password,
            count(*) filter (where has_factor) as with_factor,
            count(*) filter (where owner and has_password and not has_factor) as owners_without_factor,
            (select count(*) from sign_in_links l where l.project = %s and l.used_ns is null and l.expires_ns > %s) as open_links,
            (select count(*) from sessions s where s.project = %s and s.revoked_ns is null and s.expires_ns > %s) as sessions,
            (select count(*) from theirs) as providers, (select count(*) from theirs where enforced) as enforced
        from ours
        """,
        project,
        project,
        project,
        now_ns,
        project,
        now_ns,
    )
    return msgspec.convert(row, People)


async def keys(connection: Connection, project: str, now_ns: int, unused_since_ns: int) -> Keys:
    """The keys that can be used now."""
    row = await fetch_one(
        connection,
        """
        select count(*) as usable, count(*) filter (where k.expires_ns is null) as without_expiry,
            count(*) filter (where coalesce(u.used_ns, k.created_ns) < %s) as long_unused,
            count(*) filter (where '*' = any (k.permissions)) as all_powerful,
            count(*) filter (where k.addresses = '{}') as from_anywhere
        from keys k left join key_uses u on u.key = k.id
        where k.project = %s and k.revoked_ns is null and (k.expires_ns is null or k.expires_ns > %s)
        """,
        unused_since_ns,
        project,
        now_ns,
    )
    return msgspec.convert(row, Keys)


async def walls(connection: Connection) -> Walls:
    """Tables of a project's rows without the second wall, and how this connection stands to it."""
    tables = await fetch_all(
        connection,
        """
        select c.relname as name from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'project' and not a.attisdropped
        where c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
        order by c.relname
        """,
    )
    row = await fetch_one(
        connection,
        """
        select (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as bypassing,
            inet_server_addr() is null as local,
            coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as encrypted
        """,
    )
    return msgspec.convert({**(row or {}), "unguarded": tuple(table["name"] for table in tables)}, Walls)
