-- Spans that are told in parts, by clients that send what they know and then what changed: what is known of those that have not ended.

create table span_parts (
    project      text   not null references projects (id),
    trace_id     text   not null,
    span_id      text   not null,
    received_ns  bigint not null,
    body         text   not null,   -- JSON: what was told so far, later words over earlier ones
    primary key (project, trace_id, span_id)
);

create index span_parts_by_age on span_parts (project, received_ns);

select flyball_guard_table('span_parts');
