-- Organisations have projects and members; a member has a role in each project that they belong to.

create table organisations (
    id          text   primary key,
    name        text   not null unique,
    created_ns  bigint not null
);

insert into organisations (id, name, created_ns) values ('default', 'default', 0);

alter table projects add column organisation text not null default 'default' references organisations (id);
alter table projects alter column organisation drop default;
alter table projects add column created_by text not null default '';
alter table projects add column archived_ns bigint;      -- an archived project's keys and sessions are refused
alter table projects drop constraint projects_name_key;
create unique index projects_name on projects (organisation, name);

-- A person of an organisation. Their name is theirs on the whole server: they sign in by it, and look-alikes share a key.
alter table members add column organisation text not null default 'default' references organisations (id);
alter table members alter column organisation drop default;
alter table members add column name_key text;
alter table members add column email text not null default '';
alter table members add column owner boolean not null default false;   -- has the role owner in every project of the organisation

create table memberships (
    project     text   not null references projects (id),
    member      text   not null references members (id),
    role        text   not null,             -- a built-in role, or one of the project's own
    created_by  text   not null,
    created_ns  bigint not null,
    primary key (project, member)
);

create index memberships_of_member on memberships (member);

insert into memberships (project, member, role, created_by, created_ns)
select project, id,
    case role when 'administrator' then 'owner' when 'developer' then 'maintainer' else role end,
    'migration', created_ns
from members;

update members set name_key = lower(name), owner = (role = 'administrator');
alter table members alter column name_key set not null;
drop index members_name;
alter table members drop column project;
alter table members drop column role;
create unique index members_name on members (name_key) where removed_ns is null;
create index members_of_organisation on members (organisation, name) where removed_ns is null;

-- A project's own roles: named sets of permissions, beside the built-in ones.
create table roles (
    project      text   not null references projects (id),
    name         text   not null,
    description  text   not null,
    permissions  text[] not null,
    created_by   text   not null,
    created_ns   bigint not null,
    updated_ns   bigint not null,
    primary key (project, name)
);

update keys set role = case role when 'administrator' then 'owner' when 'developer' then 'maintainer' else role end;
