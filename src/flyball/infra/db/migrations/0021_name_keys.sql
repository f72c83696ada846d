-- Names of organisations, projects and own roles that a reader takes for one another are one name, as those of people and keys are.
-- The key is that of `kit/names.py`. Names given before that look alike keep theirs.

create function flyball_name_key(name text) returns text language sql immutable as $$
    select replace(translate(normalize(lower(normalize(name, nfkc)), nfkc),
        'авсԁеһіјӏкмнорԛѕтуԝхүԍαβεηικνορτυχωγјıſ01|i',
        'abcdehljlkmhopqstywxygabenlknoptuxwyjlsolll'), 'rn', 'm')
$$;

alter table organisations add column name_key text;
update organisations o set name_key = flyball_name_key(name) || case
    when exists (select from organisations e where e.id < o.id and flyball_name_key(e.name) = flyball_name_key(o.name)) then ' ' || id
    else ''
end;
alter table organisations alter column name_key set not null;
create unique index organisations_by_key on organisations (name_key);

-- As the owner of the tables, whom the guard of rows holds too: all of them are meant.
select set_config('flyball.project', '*', true);

alter table projects add column name_key text;
update projects p set name_key = flyball_name_key(name) || case
    when exists (
        select from projects e
        where e.organisation = p.organisation and e.id < p.id and flyball_name_key(e.name) = flyball_name_key(p.name)
    ) then ' ' || id
    else ''
end;
alter table projects alter column name_key set not null;
create unique index projects_by_key on projects (organisation, name_key);

alter table roles add column name_key text;
update roles r set name_key = flyball_name_key(name) || case
    when exists (
        select from roles e where e.project = r.project and e.name < r.name and flyball_name_key(e.name) = flyball_name_key(r.name)
    ) then ' ' || name
    else ''
end;
alter table roles alter column name_key set not null;
create unique index roles_by_key on roles (project, name_key);

drop function flyball_name_key(text);
