-- Budgets and limits (quotas), what of them is promised to workers (leases), what is used (counters), and the ledger of every
-- attempt, append-only, of which each counter and each hour's sums can be derived again.

-- Whose quota it is: a project's, or, without one, every project's of the organisation.
create function flyball_sees_either(organisation text, project text) returns boolean language sql stable parallel safe as $$
    select current_setting('flyball.project', true) in (project, '*')
        or project is null and organisation = (
            select p.organisation from projects p where p.id = current_setting('flyball.project', true)
        )
$$;

create table quotas (
    id               text     primary key,
    organisation     text     not null references organisations (id),
    project          text     references projects (id),
    unit             text     not null check (unit in ('nano_usd', 'requests', 'tokens', 'parallel')),
    scope_kind       text     not null check (scope_kind in ('organisation', 'project', 'member', 'key', 'function', 'model', 'tag')),
    scope            text     not null,
    amount           bigint   not null check (amount between 0 and 1000000000000000000),
    "window"         text     not null check ("window" ~ '^(minute|hour|day|week|month|total|rolling:[1-9][0-9]{1,7})$'),
    stop             text     not null check (stop in ('hard', 'soft')),
    when_away        text     not null check (when_away in ('open', 'closed')),
    open_bound       bigint   not null check (open_bound between 0 and 1000000000000000000),
    alerts           integer[] not null,
    created_ns       bigint   not null,
    version          integer  not null check (version > 0),
    removed_ns       bigint,                  -- the ledger's entries still name it
    wanted_until_ns  bigint   not null default 0,  -- somebody was refused: until then its holders give back what is idle
    check ((scope_kind in ('organisation', 'project')) = (scope = '')),
    check (scope_kind <> 'project' or project is not null),
    check (scope_kind <> 'organisation' or project is null)
);

create unique index quotas_once on quotas (organisation, coalesce(project, ''), unit, scope_kind, scope, "window")
    where removed_ns is null;

-- What the ledger's entries add up to, for a quota in a window; of a rolling one, in a sixtieth of it.
create table counters (
    quota         text   not null references quotas (id),
    window_ns     bigint not null,            -- when it begins
    organisation  text   not null,
    project       text,
    settled       bigint not null,
    primary key (quota, window_ns)
);

-- A slice of a counter that one worker may use until it expires. What is left of it is used as far as anybody else knows.
create table leases (
    id            text    primary key,
    quota         text    not null references quotas (id),
    organisation  text    not null,
    project       text,
    window_ns     bigint  not null,
    worker        text    not null,
    amount        bigint  not null check (amount >= 0),   -- what is left of it
    returned      bigint  not null default 0,             -- what was given back so far
    granted_ns    bigint  not null,
    expires_ns    bigint  not null,
    promised      boolean not null default false          -- its holder has given back what is idle since the quota is wanted
);

create index leases_of_quota on leases (quota, id);
create index leases_by_end on leases (expires_ns);

-- One settlement of one attempt. Never changed.
create table ledger (
    id                     text     not null,   -- the attempt's span
    project                text     not null references projects (id),
    organisation           text     not null references organisations (id),
    at_ns                  bigint   not null check (at_ns >= 0),
    settled_ns             bigint   not null,
    trace_id               text     not null,
    key_id                 text,
    member                 text,
    function               text,
    variant                text,
    release                text,
    model                  text,
    provider               text,
    upstream_model         text,
    tags                   text[]   not null,
    state                  text     not null
        check (state in ('complete', 'failed', 'cancelled', 'retried', 'hedged', 'cached', 'batched', 'lost')),
    input_tokens           bigint   not null check (input_tokens >= 0),
    cache_read_tokens      bigint   not null check (cache_read_tokens >= 0),
    cache_write_tokens     bigint   not null check (cache_write_tokens >= 0),
    cache_write_1h_tokens  bigint   not null check (cache_write_1h_tokens >= 0),
    audio_input_tokens     bigint   not null check (audio_input_tokens >= 0),
    output_tokens          bigint   not null check (output_tokens >= 0),
    reasoning_tokens       bigint   not null check (reasoning_tokens >= 0),
    audio_output_tokens    bigint   not null check (audio_output_tokens >= 0),
    web_searches           bigint   not null check (web_searches >= 0),
    estimated              boolean  not null,
    nano_usd               bigint   check (nano_usd >= 0),   -- null: the price is not known
    price_version          text,
    requests               integer  not null check (requests >= 0),
    charges                jsonb    not null,   -- [quota, lease, amount] each
    tokens                 bigint   not null generated always as (
        input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens + audio_input_tokens
        + output_tokens + reasoning_tokens + audio_output_tokens
    ) stored,
    primary key (project, id)
);

create index ledger_by_time on ledger (project, at_ns desc, id desc);
create index ledger_of_trace on ledger (project, trace_id);

-- The same in sums, for pages. An empty name: the entries say none.
create table ledger_hours (
    project                text    not null references projects (id),
    hour_ns                bigint  not null,
    key_id                 text    not null,
    member                 text    not null,
    function               text    not null,
    model                  text    not null,
    provider               text    not null,
    state                  text    not null,
    entries                bigint  not null,
    requests               bigint  not null,
    input_tokens           bigint  not null,
    cache_read_tokens      bigint  not null,
    cache_write_tokens     bigint  not null,
    cache_write_1h_tokens  bigint  not null,
    audio_input_tokens     bigint  not null,
    output_tokens          bigint  not null,
    reasoning_tokens       bigint  not null,
    audio_output_tokens    bigint  not null,
    web_searches           bigint  not null,
    estimated              bigint  not null,   -- how many entries are estimates
    nano_usd               bigint  not null,
    unpriced               bigint  not null,   -- how many entries have no known price
    primary key (project, hour_ns, key_id, member, function, model, provider, state)
);

create table ledger_tag_hours (
    project   text    not null references projects (id),
    hour_ns   bigint  not null,
    tag       text    not null,
    model     text    not null,
    state     text    not null,
    entries   bigint  not null,
    requests  bigint  not null,
    tokens    bigint  not null,
    nano_usd  bigint  not null,
    unpriced  bigint  not null,
    primary key (project, hour_ns, tag, model, state)
);

create function refuse_change_of_ledger() returns trigger language plpgsql as $$
begin
    raise exception 'ledger entries are append-only';
end
$$;

create trigger ledger_append_only before update or delete on ledger
    for each row execute function refuse_change_of_ledger();
create trigger ledger_never_truncated before truncate on ledger
    for each statement execute function refuse_change_of_ledger();

select flyball_guard_table('ledger');
select flyball_guard_table('ledger_hours');
select flyball_guard_table('ledger_tag_hours');

do $$
declare
    name text;
begin
    foreach name in array array['quotas', 'counters', 'leases'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy of_its_organisation on %I using (flyball_sees_either(organisation, project))', name);
    end loop;
end
$$;

-- Times and windows, as `ledger/windows.py` has them; a test holds the two against each other.

create function flyball_now_ns() returns bigint language sql volatile as $$
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000
$$;

create function flyball_moment(at_ns bigint) returns timestamp language sql immutable parallel safe as $$
    select timestamp '1970-01-01' + (at_ns / 1000000000) * interval '1 second'
$$;

create function flyball_ns(moment timestamp) returns bigint language sql immutable parallel safe as $$
    select extract(epoch from moment)::bigint * 1000000000
$$;

create function flyball_length_ns("window" text) returns bigint language sql immutable parallel safe as $$
    select substr("window", 9)::bigint * 1000000000
$$;

-- In which row of its counter a moment falls.
create function flyball_window("window" text, at_ns bigint) returns bigint language sql immutable parallel safe as $$
    select case
        when "window" = 'total' then 0
        when "window" like 'rolling:%' then at_ns - at_ns % ((flyball_length_ns("window") + 59) / 60)
        else flyball_ns(greatest(date_trunc("window", flyball_moment(at_ns)), timestamp '1970-01-01'))
    end
$$;

-- The first row that counts at a moment; where the window rolls, those after it do too.
create function flyball_counts_from("window" text, at_ns bigint) returns bigint language sql immutable parallel safe as $$
    select flyball_window("window", case when "window" like 'rolling:%' then greatest(0, at_ns - flyball_length_ns("window")) else at_ns end)
$$;

-- When the window around a moment ends; null: it never does, or rolls.
create function flyball_window_ends("window" text, at_ns bigint) returns bigint language sql immutable parallel safe as $$
    select case
        when "window" = 'total' or "window" like 'rolling:%' then null
        else flyball_ns(date_trunc("window", flyball_moment(at_ns)) + ('1 ' || "window")::interval)
    end
$$;

-- How a counter stands: what is settled, what live leases hold and when the first of them ends, as one statement sees them.
create function flyball_standing(of_quota text, "window" text, now_ns bigint)
returns table (settled bigint, leased bigint, ends_ns bigint) language sql stable as $$
    select coalesce(c.settled, 0), coalesce(l.leased, 0), l.ends_ns
    from (
        select sum(counters.settled)::bigint as settled from counters
        where quota = of_quota and window_ns >= flyball_counts_from("window", now_ns)
            and ("window" like 'rolling:%' or window_ns = flyball_counts_from("window", now_ns))
    ) c, (
        select sum(amount)::bigint as leased, min(expires_ns) filter (where amount > 0) as ends_ns
        from leases where quota = of_quota and expires_ns > now_ns
    ) l
$$;

-- When as much as is asked for may be free, if nobody uses any more: when a lease ends, the window does, or enough has rolled out
-- of it. Null: never.
create function flyball_frees_ns(
    of_quota text, "window" text, now_ns bigint, asked bigint, "limit" bigint, used bigint, ends_ns bigint
) returns bigint language sql stable as $$
    select case
        when asked > "limit" then null
        when used + asked <= "limit" then coalesce(ends_ns, now_ns)
        when "window" not like 'rolling:%' then flyball_window_ends("window", now_ns)
        else (
            select min(part.window_ns) from (
                select c.window_ns, sum(c.settled) over (order by c.window_ns) as gone from counters c
                where c.quota = of_quota and c.settled <> 0 and c.window_ns >= flyball_counts_from("window", now_ns)
            ) part where used - part.gone + asked <= "limit"
        ) + (flyball_length_ns("window") + 59) / 60 + flyball_length_ns("window")
    end
$$;

-- The verbs of the bank (`ledger/bank.py`), one statement each. Whoever takes holds the quota's row, so takes of one quota come
-- one after the other; what they read after it is one snapshot, in which a settlement has moved both its sides or none.
-- Locks are taken in this order by everybody: quotas, leases (by quota and id), counters.

create function flyball_take(
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

create function flyball_renew(by_worker text, ids text[], given_ns bigint, lease_ns bigint)
returns table (lease text, quota text, window_ns bigint, amount bigint, granted_ns bigint, expires_ns bigint, wanted boolean)
language sql volatile as $$
    with now as materialized (select coalesce(given_ns, flyball_now_ns()) as ns),
    held as materialized (
        select l.id from leases l where l.id = any(ids) and l.worker = by_worker order by l.quota, l.id for update
    )
    update leases l set
        expires_ns = greatest(l.expires_ns, least(now.ns + lease_ns, flyball_window_ends(q."window", l.window_ns))),
        granted_ns = now.ns,
        promised = l.promised and q.wanted_until_ns > now.ns
    from now, held, quotas q
    where l.id = held.id and q.id = l.quota and q.removed_ns is null and l.expires_ns > now.ns
    returning l.id, l.quota, l.window_ns, l.amount, l.granted_ns, l.expires_ns, q.wanted_until_ns > now.ns
$$;

-- What is told is the total given back so far, so that telling it twice gives back once.
create function flyball_give_back(by_worker text, ids text[], totals bigint[], given_ns bigint) returns void
language sql volatile as $$
    with now as materialized (select coalesce(given_ns, flyball_now_ns()) as ns),
    told as (select * from unnest(ids, totals) as t (id, total)),
    held as materialized (
        select l.id from leases l where l.id = any(ids) and l.worker = by_worker order by l.quota, l.id for update
    )
    update leases l set
        amount = l.amount - least(l.amount, greatest(0, told.total - l.returned)),
        returned = greatest(l.returned, told.total),
        promised = l.promised or q.wanted_until_ns > now.ns
    from now, held, told, quotas q
    where l.id = held.id and told.id = l.id and q.id = l.quota and l.expires_ns > now.ns
$$;

create function flyball_reap(given_ns bigint) returns bigint language sql volatile as $$
    with ended as (
        delete from leases where id in (
            select id from leases where expires_ns <= coalesce(given_ns, flyball_now_ns()) order by quota, id for update skip locked
        ) returning 1
    )
    select count(*) from ended
$$;

create function flyball_standings(of_quotas text[], given_ns bigint)
returns table (quota text, "limit" bigint, settled bigint, leased bigint, window_ns bigint, frees_ns bigint) language sql stable as $$
    select q.id, q.amount, s.settled, s.leased, flyball_window(q."window", now.ns),
        flyball_frees_ns(q.id, q."window", now.ns, 1, q.amount, s.settled, s.ends_ns)
    from (select coalesce(given_ns, flyball_now_ns()) as ns) now, quotas q, flyball_standing(q.id, q."window", now.ns) s
    where q.id = any(of_quotas) and q.removed_ns is null
$$;

-- What settled attempts used: of leases, as long as they are there, and of counters.
create function flyball_move(
    lease_ids text[], used bigint[], of_quotas text[], windows bigint[], amounts bigint[]
) returns void language plpgsql volatile as $$
begin
    with told as (select * from unnest(lease_ids, used) as t (id, amount)),
    held as materialized (select l.id from leases l where l.id = any(lease_ids) order by l.quota, l.id for update)
    update leases l set amount = l.amount - least(l.amount, told.amount) from held, told where l.id = held.id and told.id = l.id;
    insert into counters (quota, window_ns, organisation, project, settled)
    select q.id, moved.window_ns, q.organisation, q.project, moved.amount
    from unnest(of_quotas, windows, amounts) as moved (quota, window_ns, amount) join quotas q on q.id = moved.quota
    order by moved.quota, moved.window_ns
    on conflict (quota, window_ns) do update set settled = counters.settled + excluded.settled;
end
$$;
