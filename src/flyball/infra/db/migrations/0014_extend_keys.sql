-- Keys of people and of programs: what each may do, until when, from where; which one took another's place; who used it last.

alter table keys add column kind text not null default 'service' check (kind in ('service', 'personal'));
alter table keys add column member text references members (id);   -- whose personal key it is
alter table keys add column name_key text;                         -- names that look alike share one
alter table keys add column expires_ns bigint;                     -- refused from this moment; null: never
alter table keys add column models text[] not null default '{}';      -- what calls may name; both empty: everything
alter table keys add column functions text[] not null default '{}';
alter table keys add column addresses text[] not null default '{}';   -- networks that it may be used from; empty: any
alter table keys add column replaces text references keys (id);    -- the key whose place this one took
alter table keys add column replaced_ns bigint;                    -- when another took this one's place; it lives on until `expires_ns`
-- The transaction that changed what the gateway has to know of this key. Who has seen everything below some transaction
-- reads the rest by it, and misses nothing that was committed late.
alter table keys add column changed bigint not null default 0;
alter table keys add constraint keys_of_members check ((kind = 'personal') = (member is not null));

-- Keys made before looked only at equal names: two that look alike keep theirs.
update keys k set name_key = case
    when k.revoked_ns is null and exists (
        select from keys o where o.project = k.project and o.revoked_ns is null and o.id < k.id and lower(o.name) = lower(k.name)
    ) then k.name || ' ' || k.id
    else lower(k.name)
end;
alter table keys alter column name_key set not null;
drop index keys_name;
create unique index keys_name on keys (project, name_key) where revoked_ns is null and replaced_ns is null;
create index keys_by_name on keys (project, name);
create index keys_changed on keys (changed);
create index keys_replacing on keys (replaces) where replaces is not null;
create index keys_of_member on keys (member) where member is not null and revoked_ns is null;

-- The same wall as before, in words that the planner can estimate: `x in (project, '*')` looked to it as if it left one row
-- of two hundred, and it sorted whole projects for the first page of a list.
create or replace function flyball_sees(project text) returns boolean language sql stable parallel safe as $$
    select project = current_setting('flyball.project', true) or current_setting('flyball.project', true) = '*'
$$;

-- Written every few seconds by whoever checks keys; apart from `keys`, so that no use of a key changes the key.
create table key_uses (
    key      text   primary key references keys (id) on delete cascade,
    project  text   not null,
    used_ns  bigint not null,
    address  text   not null
);

select flyball_guard_table('key_uses');

create function flyball_mark_key() returns trigger language plpgsql as $$
begin
    new.changed := pg_current_xact_id()::text::bigint;
    return new;
end
$$;

create trigger keys_are_marked before insert or update on keys for each row execute function flyball_mark_key();

-- Rights of a personal key follow its member's. These run as the owner of the tables and see every project, because a
-- member has keys in several; so nobody who changes a role or a membership has to think of keys.

create function flyball_keys_of_member(whose text) returns void
language plpgsql security definer set search_path = public set flyball.project = '*' as $$
begin
    -- Without a role in its project the key has ended, for good: a role that is given again gives it nothing.
    update keys k set revoked_ns = (extract(epoch from clock_timestamp()) * 1000000000)::bigint
    where k.member = whose and k.revoked_ns is null and not exists (
        select from members m
        join projects p on p.id = k.project and p.organisation = m.organisation
        left join memberships s on s.member = m.id and s.project = p.id
        where m.id = whose and m.removed_ns is null and (m.owner or s.member is not null)
    );
    update keys k set changed = 0 where k.member = whose and k.revoked_ns is null;
    perform pg_notify('flyball_snapshot', '');
end
$$;

create function flyball_membership_changed() returns trigger language plpgsql as $$
begin
    perform flyball_keys_of_member(coalesce(new.member, old.member));
    return null;
end
$$;

create trigger keys_follow_memberships after insert or update or delete on memberships
    for each row execute function flyball_membership_changed();

create function flyball_member_changed() returns trigger language plpgsql as $$
begin
    perform flyball_keys_of_member(new.id);
    return null;
end
$$;

create trigger keys_follow_members after update of owner, removed_ns, organisation on members
    for each row execute function flyball_member_changed();

create function flyball_role_changed() returns trigger
language plpgsql security definer set search_path = public set flyball.project = '*' as $$
declare
    changed_role record := coalesce(new, old);
begin
    update keys k set changed = 0
    from memberships s
    where s.project = changed_role.project and s.role = changed_role.name
      and k.project = s.project and k.member = s.member and k.revoked_ns is null;
    perform pg_notify('flyball_snapshot', '');
    return null;
end
$$;

create trigger keys_follow_roles after insert or update or delete on roles
    for each row execute function flyball_role_changed();

create function flyball_project_changed() returns trigger
language plpgsql security definer set search_path = public set flyball.project = '*' as $$
begin
    update keys k set changed = 0 where k.project = new.id and k.revoked_ns is null;
    perform pg_notify('flyball_snapshot', '');
    return null;
end
$$;

create trigger keys_follow_projects after update of archived_ns on projects
    for each row execute function flyball_project_changed();
