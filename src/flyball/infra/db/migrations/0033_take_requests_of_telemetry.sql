-- Requests of OTLP as they came, on their way into the tables: one row per request, however many records it holds.

-- One row per request that is acknowledged and not yet in the tables.
create table inbox_batches (
    id bigint generated always as identity primary key,
    project text not null references projects (id),
    signal text not null check (signal in ('traces', 'logs', 'metrics')),
    key_id text not null,           -- who sent it
    digest bytea not null,          -- of project, signal and body: what inbox_keys knows it by
    received_ns bigint not null,
    records integer not null,       -- spans, log records or points in it
    size integer not null,          -- of the body unpacked
    body bytea not null             -- the signal's export request as protobuf, packed by zstd
);
-- It is packed already.
alter table inbox_batches alter column body set storage external;

-- The flusher claims the oldest rows of a signal.
create index inbox_batches_in_order on inbox_batches (signal, id);
-- What waits of one project, for whoever reads or erases.
create index inbox_batches_of_project on inbox_batches (project, id);

select flyball_guard_table('inbox_batches');
