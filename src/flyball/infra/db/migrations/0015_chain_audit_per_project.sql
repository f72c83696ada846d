-- One chain per project. What was one chain until now is that of the project `default`, unchanged: every event keeps its
-- number and its hash. An event is kept as the very bytes that its hash covers; the columns to search by are derived from
-- them by the database, so that what is shown, what is searched and what is proven cannot differ.

select set_config('flyball.project', '*', true);

-- The text of RFC 8785 for the events that there are (to_json escapes exactly what it says, for text without NUL).
alter table audit_events disable trigger user;
alter table audit_events add column canonical text;
update audit_events set canonical = concat(
    '{"action":', to_json(action), ',"actor_id":', to_json(actor_id), ',"actor_kind":', to_json(actor_kind),
    ',"actor_name":', to_json(actor_name), ',"after":', coalesce(to_json(after)::text, 'null'), ',"at_ns":"', at_ns,
    '","before":', coalesce(to_json(before)::text, 'null'), ',"boot_id":', to_json(boot_id), ',"mono_ns":"', mono_ns,
    '","object_id":', to_json(object_id), ',"object_kind":', to_json(object_kind), ',"project":', to_json(project),
    ',"request_id":', to_json(request_id), ',"seq":', seq, '}'
);
alter table audit_events alter column canonical set not null;
alter table audit_events enable trigger user;

alter table audit_salts drop constraint audit_salts_seq_fkey;
alter table audit_salts drop constraint audit_salts_pkey;
alter table audit_events drop constraint audit_events_pkey;
alter table audit_events add primary key (project, seq);
alter table audit_salts add column project text not null default 'default';
alter table audit_salts alter column project drop default;
alter table audit_salts add primary key (project, seq);
alter table audit_salts add foreign key (project, seq) references audit_events (project, seq);

drop index audit_events_of_project;
drop index audit_events_of_object;
alter table audit_events
    drop column at_ns, drop column mono_ns, drop column boot_id, drop column actor_id, drop column actor_kind,
    drop column actor_name, drop column action, drop column object_kind, drop column object_id, drop column before,
    drop column after, drop column request_id;
alter table audit_events
    add column at_ns       bigint not null generated always as ((canonical::jsonb ->> 'at_ns')::bigint) stored,
    add column actor_id    text   not null generated always as (canonical::jsonb ->> 'actor_id') stored,
    add column actor_name  text   not null generated always as (canonical::jsonb ->> 'actor_name') stored,
    add column action      text   not null generated always as (canonical::jsonb ->> 'action') stored,
    add column object_kind text   not null generated always as (canonical::jsonb ->> 'object_kind') stored,
    add column object_id   text   not null generated always as (canonical::jsonb ->> 'object_id') stored;

create index audit_events_of_object on audit_events (project, object_kind, object_id, seq desc);
create index audit_events_of_object_id on audit_events (project, object_id, seq desc);
create index audit_events_of_actor on audit_events (project, actor_name, seq desc);
create index audit_events_of_actor_id on audit_events (project, actor_id, seq desc);
create index audit_events_of_action on audit_events (project, action, seq desc);
create index audit_events_of_time on audit_events (project, at_ns);

-- The end of each chain, locked by whoever appends; made by the first append.
create table audit_heads (
    project  text   primary key references projects (id),
    seq      bigint not null,
    hash     bytea  not null
);

insert into audit_heads (project, seq, hash) select 'default', seq, hash from audit_head where seq > 0;
drop table audit_head;

-- Where a chain stood, signed by the server: from time to time (kind checkpoint), and where its beginning was given up
-- because it had become older than it is kept (kind pruned). `body` are the bytes that the signature covers.
create table audit_checkpoints (
    project    text   not null references projects (id),
    number     bigint not null,
    body       text   not null,
    signature  bytea  not null,
    kind       text   not null generated always as (body::jsonb ->> 'kind') stored,
    seq        bigint not null generated always as ((body::jsonb ->> 'seq')::bigint) stored,
    primary key (project, number)
);

create index audit_checkpoints_of_seq on audit_checkpoints (project, kind, seq);

-- How far each of the operator's sinks has been sent a project's chain; the settings say what it is and where.
create table audit_sinks (
    project     text   not null references projects (id),
    sink        text   not null,              -- a hash of what the settings say of it
    seq         bigint not null default 0,    -- the last event that it has taken
    checkpoint  bigint not null default 0,    -- the last checkpoint likewise
    sent_ns     bigint,
    failed_ns   bigint,                       -- null while all is well
    failure     text   not null default '',
    primary key (project, sink)
);

-- Deleting is let through for one deed: giving up the beginning of a chain that a signed statement stands for, never
-- younger than 180 days by the database's own clock, in a transaction that has said for which project it does so.
create function refuse_loss_of_audit() returns trigger language plpgsql as $$
begin
    if current_setting('flyball.pruning', true) = old.project
        and old.at_ns < (extract(epoch from clock_timestamp()) - 180 * 86400) * 1000000000
        and exists (
            select from audit_checkpoints c
            where c.project = old.project and c.kind = 'pruned' and c.seq >= old.seq
        )
    then
        return old;
    end if;
    raise exception 'audit events are append-only';
end
$$;

drop trigger audit_events_append_only on audit_events;
create trigger audit_events_append_only before update on audit_events
    for each row execute function refuse_change_of_audit();
create trigger audit_events_kept before delete on audit_events
    for each row execute function refuse_loss_of_audit();
create trigger audit_checkpoints_append_only before update or delete on audit_checkpoints
    for each row execute function refuse_change_of_audit();
create trigger audit_checkpoints_never_truncated before truncate on audit_checkpoints
    for each statement execute function refuse_change_of_audit();

select flyball_guard_table('audit_salts');
select flyball_guard_table('audit_heads');
select flyball_guard_table('audit_checkpoints');
select flyball_guard_table('audit_sinks');
