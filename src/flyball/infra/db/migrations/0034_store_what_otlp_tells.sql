-- What arrives by OTLP (inbox_batches) becomes rows of the tables `spans`, `logs` and `metrics` in numbered batches of its own.

insert into flush_heads (kind, writer, number) values
    ('traces', gen_random_uuid()::text, 0),
    ('logs', gen_random_uuid()::text, 0),
    ('metrics', gen_random_uuid()::text, 0);

-- Spans that have begun and not ended: shown as running, taken away when the ended span arrives.
create table open_spans (
    project text not null references projects (id),
    trace_id text not null,
    span_id text not null,
    start_ns bigint not null,
    received_ns bigint not null,   -- when it was last told of; a day later it is stored without an end
    key_id text not null,
    body bytea not null,           -- the span as protobuf, in a request of its own
    primary key (project, trace_id, span_id)
);
-- Lists start with the newest.
create index open_spans_newest on open_spans (project, start_ns desc);
-- The flusher stores what never ended.
create index open_spans_by_age on open_spans (received_ns);
select flyball_guard_table('open_spans');

-- For how many days a project keeps what happened; a project without a row keeps it as long as the server's setting says.
create table trace_retention (
    project text primary key references projects (id),
    days integer not null check (days >= 0),   -- 0: for ever
    set_ns bigint not null,
    set_by text not null
);
select flyball_guard_table('trace_retention');
