-- Thresholds of budgets and limits that were passed (alerts), where a project is told of what happens (receivers), and each message on
-- its way to one of them (notifications).

-- Since when a quota's amount and thresholds are what they are: a window that ended before is not judged by them.
alter table quotas add column alerts_since_ns bigint not null default flyball_now_ns();

-- A threshold is passed once in a window, however many workers settle; another amount is another threshold.
create table alerts (
    quota         text    not null references quotas (id),
    window_ns     bigint  not null,            -- of which window; of a rolling one, the part in which it was passed
    threshold     integer not null check (threshold > 0),   -- percent
    amount        bigint  not null,            -- of which it is so much
    organisation  text    not null,
    project       text,                        -- null: it counts every project of the organisation
    settled       bigint  not null,            -- what was used when that was seen
    fired_ns      bigint  not null,
    primary key (quota, window_ns, threshold, amount)
);

create table receivers (
    id            text   primary key,
    organisation  text   not null references organisations (id),
    project       text   references projects (id),           -- null: told of what counts every project of the organisation
    home          text   not null references projects (id),  -- where it was made, and its secret is
    address       text   not null check (address ~ '^(https?://|mailto:)'),
    secret        text   not null,             -- a reference; empty: e-mail needs none
    created_ns    bigint not null,
    removed_ns    bigint
);

create unique index receivers_once on receivers (organisation, coalesce(project, ''), address) where removed_ns is null;

create table notifications (
    id            text    primary key,
    organisation  text    not null,
    project       text,
    receiver      text    not null references receivers (id),
    about         text    not null,            -- what it tells of; to one receiver once
    message       jsonb   not null,
    state         text    not null check (state in ('waiting', 'delivered', 'given_up')),
    created_ns    bigint  not null,
    tries         integer not null default 0,
    next_ns       bigint  not null,            -- when it is tried next; while it is on its way, when that counts as lost
    ended_ns      bigint,                      -- when it was delivered or given up
    error         text    not null default ''  -- why the last try failed
);

create unique index notifications_once on notifications (receiver, about);
create index notifications_due on notifications (next_ns) where state = 'waiting';
create index notifications_about on notifications (about);

do $$
declare
    name text;
begin
    foreach name in array array['alerts', 'receivers', 'notifications'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy of_its_organisation on %I using (flyball_sees_either(organisation, project))', name);
    end loop;
end
$$;
