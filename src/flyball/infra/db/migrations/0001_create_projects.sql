-- Tenants, the people who belong to them, and every way of proving who one is.
-- Verifiers only: no password, key, session or link is stored in a form that could be presented again.

create table projects (
    id          text   primary key,
    name        text   not null unique,
    created_ns  bigint not null
);

insert into projects (id, name, created_ns) values ('default', 'default', 0);

create table members (
    id                 text   primary key,
    project            text   not null references projects (id),
    name               text   not null,
    role               text   not null,
    password_verifier  text,                  -- scrypt; null until the member sets a password
    created_ns         bigint not null,
    removed_ns         bigint                 -- a removed member's sessions are refused from that moment
);

create unique index members_name on members (project, name) where removed_ns is null;

create table keys (
    id           text   primary key,
    project      text   not null references projects (id),
    name         text   not null,
    prefix       text   not null,             -- the first characters, so that people can tell keys apart
    hash         bytea  not null unique,      -- SHA-256 of the whole key
    role         text   not null,
    permissions  text[] not null,             -- what was granted: the role's, cut by what the grantor had
    created_by   text   not null,
    created_ns   bigint not null,
    revoked_ns   bigint
);

create unique index keys_name on keys (project, name) where revoked_ns is null;
create index keys_newest on keys (project, created_ns desc, id desc);

create table sign_in_links (
    id          text   primary key,
    project     text   not null references projects (id),
    member      text   not null references members (id),
    hash        bytea  not null unique,
    created_by  text   not null,
    created_ns  bigint not null,
    expires_ns  bigint not null,
    used_ns     bigint                        -- a link works once
);

create table sessions (
    id           text   primary key,
    project      text   not null references projects (id),
    member       text   not null references members (id),
    hash         bytea  not null unique,
    method       text   not null,             -- how the member proved who they are: link or password
    created_ns   bigint not null,
    expires_ns   bigint not null,
    revoked_ns   bigint
);

create index sessions_of_member on sessions (member) where revoked_ns is null;
