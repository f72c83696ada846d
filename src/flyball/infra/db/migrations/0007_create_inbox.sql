-- What happened, on its way into the tables. Producers append here and only then answer; the flusher moves rows in numbered batches.

-- One row per span or score that is acknowledged and not yet in its table.
create table inbox (
    id bigint generated always as identity primary key,
    project text not null references projects (id),
    kind text not null check (kind in ('span', 'score')),
    key text not null,          -- '<trace id>/<span id>', or the score's id
    trace_id text not null,     -- '' for a score about something else than a trace
    start_ns bigint not null,   -- a span's start, a score's making: lists are paged by it
    received_ns bigint not null,
    body bytea not null         -- the record as JSON, payloads whole
);

-- The flusher claims the oldest rows of a kind.
create index inbox_in_order on inbox (kind, id);
-- A trace is shown before it is flushed.
create index inbox_by_trace on inbox (project, trace_id);
-- Lists start with the newest.
create index inbox_newest on inbox (project, kind, start_ns desc);

-- Digests of what arrived lately, so that a producer that repeats itself is acknowledged without a second row.
create table inbox_keys (
    digest bytea primary key,
    received_ns bigint not null
);
create index inbox_keys_by_age on inbox_keys (received_ns);

-- The latest judgement under each identifier, so that saying the same again adds nothing and changing one's mind does.
create table score_identifiers (
    project text not null references projects (id),
    target_kind text not null,
    target_id text not null,
    name text not null,
    identifier text not null,
    digest text not null,
    score_id text not null,
    primary key (project, target_kind, target_id, name, identifier)
);

-- Per kind: the name under which this database writes to the table, and the number of the last batch that it claimed.
create table flush_heads (
    kind text primary key,
    writer text not null,
    number bigint not null
);
insert into flush_heads (kind, writer, number)
values ('span', gen_random_uuid()::text, 0), ('score', gen_random_uuid()::text, 0);

-- A claimed batch that is not finished: exactly these inbox rows, under this number.
create table flush_batches (
    kind text not null references flush_heads (kind),
    number bigint not null,
    ids bigint[] not null,
    created_ns bigint not null,
    primary key (kind, number)
);

-- How far each spool file has been moved into the inbox; advanced in the transaction that moves.
create table spool_positions (
    spool text primary key,
    writer text not null,
    position bigint not null,
    updated_ns bigint not null
);
