-- Who did what to which object. Each event's hash covers the one before it, so that a change, a deletion or a
-- reordering anywhere shows. Contents are not here: only salted commitments to what was before and after.

create table audit_events (
    seq          bigint primary key,
    project      text   not null references projects (id),
    at_ns        bigint not null,
    mono_ns      bigint not null,
    boot_id      text   not null,
    actor_id     text   not null,
    actor_kind   text   not null,
    actor_name   text   not null,
    action       text   not null,
    object_kind  text   not null,
    object_id    text   not null,
    before       text,                        -- sha256(salt, "before", content), hexadecimal; null where there was nothing
    after        text,
    request_id   text   not null,
    hash         bytea  not null              -- sha256(hash of the event before, canonical JSON of this one)
);

create index audit_events_of_project on audit_events (project, seq desc);
create index audit_events_of_object on audit_events (project, object_kind, object_id, seq desc);

-- Destroying a salt makes its commitments meaningless, and the chain still verifies: that is how content is erased.
create table audit_salts (
    seq   bigint primary key references audit_events (seq),
    salt  bytea  not null
);

-- The end of the chain: one row, locked by whoever appends.
create table audit_head (
    single  boolean primary key default true check (single),
    seq     bigint  not null,
    hash    bytea   not null
);

insert into audit_head (seq, hash) values (0, sha256('flyball audit'));

create function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    raise exception 'audit events are append-only';
end
$$;

create trigger audit_events_append_only before update or delete on audit_events
    for each row execute function refuse_change_of_audit();
create trigger audit_events_never_truncated before truncate on audit_events
    for each statement execute function refuse_change_of_audit();
