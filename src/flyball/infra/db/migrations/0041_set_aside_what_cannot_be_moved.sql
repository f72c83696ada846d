-- Records that are acknowledged and cannot be moved into the tables for a reason that nobody foresaw; bounds of what waits for its end.

-- A row of an inbox, or the part of it that cannot be moved, as it came. Whoever tries it again moves it back into its inbox.
create table inbox_aside (
    id          bigint generated always as identity,
    project     text    not null references projects (id),
    kind        text    not null check (kind in ('span', 'score', 'traces', 'logs', 'metrics')),
    key_id      text    not null default '',   -- who sent it, where it came by OTLP
    key         text    not null default '',   -- these three as in `inbox`, where it came one by one
    trace_id    text    not null default '',
    start_ns    bigint  not null default 0,
    received_ns bigint  not null,
    aside_ns    bigint  not null,
    records     integer not null,
    size        integer not null,              -- of the body unpacked
    body        bytea   not null,              -- as in its inbox: JSON, or a request of OTLP packed by zstd
    stored      boolean not null,              -- its rows are in their table; what else it says is not kept yet
    error       text    not null,              -- the kind of error
    message     text    not null,              -- what it said, without secrets
    primary key (project, id)
);
alter table inbox_aside alter column body set storage external;
select flyball_guard_table('inbox_aside');

-- Of a project with too many open spans the oldest are given up.
create index open_spans_oldest on open_spans (project, received_ns);

-- When a file was announced last for a trace: it goes with the days that the project keeps no longer. Null: it was announced for
-- something else too, which does not go with them.
alter table media add column announced_ns bigint;
update media set announced_ns = created_ns where trace_id <> '';
create index media_by_age on media (project, announced_ns);
