-- What people called an object when something was done to it, searched for as its id is. Events from before have no name.

alter table audit_events
    add column object_name text not null generated always as (coalesce(canonical::jsonb ->> 'object_name', '')) stored;

create index audit_events_of_object_name on audit_events (project, object_name, seq desc);
