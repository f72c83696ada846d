-- The second wall between tenants: whatever a query forgets to ask, a connection sees the rows of its own project alone.
-- The first wall is the `where project = ...` of every query. A connection without the setting sees nothing.

create function flyball_sees(project text) returns boolean language sql stable parallel safe as $$
    select current_setting('flyball.project', true) in (project, '*')
$$;

create function flyball_guard_table(name regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);   -- the owner of the table is no exception
    execute format('create policy of_its_project on %s using (flyball_sees(project))', name);
end
$$;

-- No table that has a project is left out; later migrations call the function for theirs, and a test looks at all.
select flyball_guard_table(format('public.%I', c.table_name)::regclass)
from information_schema.columns c
join information_schema.tables t using (table_schema, table_name)
where c.table_schema = 'public' and c.column_name = 'project' and t.table_type = 'BASE TABLE'
order by c.table_name;

-- Members belong to an organisation: they are seen from each of its projects.
alter table members enable row level security;
alter table members force row level security;
create policy of_its_organisation on members using (
    current_setting('flyball.project', true) = '*'
    or organisation = (select p.organisation from projects p where p.id = current_setting('flyball.project', true))
);

-- A superuser passes every policy by. Where the server's user is one, connections act as this role, which owns nothing.
do $$
begin
    if (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) then
        begin
            create role flyball_app nologin nosuperuser nobypassrls;
        exception when duplicate_object or unique_violation then
            null;   -- another database of this server has made it
        end;
    end if;
    if exists (select from pg_roles where rolname = 'flyball_app') and pg_has_role(current_user, 'flyball_app', 'member') then
        grant usage on schema public to flyball_app;
        grant select, insert, update, delete on all tables in schema public to flyball_app;
        grant usage, select on all sequences in schema public to flyball_app;
        alter default privileges in schema public grant select, insert, update, delete on tables to flyball_app;
        alter default privileges in schema public grant usage, select on sequences to flyball_app;
    end if;
end
$$;
