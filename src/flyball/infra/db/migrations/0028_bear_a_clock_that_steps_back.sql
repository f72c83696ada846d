-- When PostgreSQL's clock is set back, a lease would live as much longer, and one of a window that has not begun again would be
-- spent in the one before. A renewal gives no lease more than its time from now, and none to a window that lies ahead; reaping
-- shortens those that nobody renews.

create or replace function flyball_renew(by_worker text, ids text[], given_ns bigint, lease_ns bigint)
returns table (lease text, quota text, window_ns bigint, amount bigint, granted_ns bigint, expires_ns bigint, wanted boolean)
language sql volatile as $$
    with now as materialized (select coalesce(given_ns, flyball_now_ns()) as ns),
    held as materialized (
        select l.id from leases l where l.id = any(ids) and l.worker = by_worker order by l.quota, l.id for update
    )
    update leases l set
        expires_ns = least(
            now.ns + lease_ns,
            greatest(l.expires_ns, least(now.ns + lease_ns, flyball_window_ends(q."window", l.window_ns)))
        ),
        granted_ns = now.ns,
        promised = l.promised and q.wanted_until_ns > now.ns
    from now, held, quotas q
    where l.id = held.id and q.id = l.quota and q.removed_ns is null and l.expires_ns > now.ns
        and (l.window_ns <= now.ns or q."window" like 'rolling:%')
    returning l.id, l.quota, l.window_ns, l.amount, l.granted_ns, l.expires_ns, q.wanted_until_ns > now.ns
$$;

drop function flyball_reap(bigint);

create function flyball_reap(given_ns bigint, lease_ns bigint) returns bigint language sql volatile as $$
    with now as materialized (select coalesce(given_ns, flyball_now_ns()) as ns),
    ended as (
        delete from leases where id in (
            select l.id from leases l, now where l.expires_ns <= now.ns order by l.quota, l.id for update of l skip locked
        ) returning 1
    ),
    shortened as (
        update leases l set expires_ns = now.ns + lease_ns from now where l.id in (
            select l.id from leases l, now where l.expires_ns > now.ns + lease_ns order by l.quota, l.id for update of l skip locked
        )
    )
    select count(*) from ended
$$;
