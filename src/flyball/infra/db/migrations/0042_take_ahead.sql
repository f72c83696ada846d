-- What runs out soon is asked for together with what has run out: a take whose need is -1, since no call waits for it, makes its quota
-- wanted by nobody where it is refused, and gets nothing of what others wait for.

create or replace function flyball_take(
    by_worker text, ids text[], of_quotas text[], leasts bigint[], needs bigint[], mosts bigint[], given_ns bigint, lease_ns bigint,
    wanted_ns bigint, surplus bigint
) returns table (
    quota text, lease text, amount bigint, window_ns bigint, granted_ns bigint, expires_ns bigint, wanted boolean,
    "limit" bigint, settled bigint, leased bigint, frees_ns bigint, recalling bigint
) language plpgsql volatile as $$
#variable_conflict use_column
declare
    take      record;
    declared  record;
    standing  record;
    free      bigint;
begin
    for take in select * from unnest(ids, of_quotas, leasts, needs, mosts) as t (id, quota, least, need, most) order by t.quota loop
        select * into declared from quotas q where q.id = take.quota and q.removed_ns is null for no key update;
        continue when not found;
        granted_ns := coalesce(given_ns, flyball_now_ns());
        -- What counts as free must be gone before it is given away: a late renewal finds it no more.
        delete from leases l where l.id in (
            select e.id from leases e where e.quota = take.quota and e.expires_ns <= granted_ns order by e.id for update
        );
        select * into standing from flyball_standing(take.quota, declared."window", granted_ns);
        quota := take.quota;
        "limit" := declared.amount;
        settled := standing.settled;
        leased := standing.leased;
        window_ns := flyball_window(declared."window", granted_ns);
        wanted := declared.wanted_until_ns > granted_ns;
        free := greatest(0, declared.amount - settled - leased);
        lease := null;
        frees_ns := null;
        recalling := 0;
        if take.need < 0 and (wanted or take.least > free) then
            return next;
            continue;
        end if;
        if take.least <= free then
            lease := take.id;
            amount := least(greatest(take.need, take.least), free);
            if not wanted then
                amount := amount + greatest(0, least(take.most - amount, (free - amount) / surplus));
            end if;
            expires_ns := least(granted_ns + lease_ns, flyball_window_ends(declared."window", granted_ns));
            insert into leases (id, quota, organisation, project, window_ns, worker, amount, granted_ns, expires_ns)
            values (take.id, take.quota, declared.organisation, declared.project, window_ns, by_worker, amount, granted_ns, expires_ns);
        else
            if not wanted then
                perform pg_notify('flyball_wanted', take.quota);
            end if;
            update quotas q set wanted_until_ns = granted_ns + wanted_ns
            where q.id = take.quota and q.wanted_until_ns < granted_ns + wanted_ns;
            frees_ns := flyball_frees_ns(
                take.quota, declared."window", granted_ns, take.least, declared.amount, settled, standing.ends_ns
            );
            recalling := (
                select coalesce(sum(l.amount), 0)::bigint from leases l
                where l.quota = take.quota and l.expires_ns > granted_ns and l.worker <> by_worker and not l.promised
            );
        end if;
        return next;
    end loop;
end
$$;

-- Looked up for each entry, a third of what appending one takes, and said once more by the same transaction: the sums of a project that
-- is not there cannot be begun, since `ledger_hours` refers to it, and a project has an organisation. Neither is ever deleted.
alter table ledger drop constraint ledger_project_fkey;
alter table ledger drop constraint ledger_organisation_fkey;
