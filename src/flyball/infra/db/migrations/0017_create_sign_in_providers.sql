-- How people prove who they are: where their sessions came from, a second factor, sign-in providers, invitations.
-- Verifiers and sealed values only: nothing here can be presented again by who reads it.

alter table sessions add column address text not null default '';
alter table sessions add column user_agent text not null default '';
alter table sessions add column used_ns bigint not null default 0;   -- to the minute
alter table sessions alter column used_ns drop default;

-- A key of its own for the secrets of second factors: exchanging a project's data key leaves it, exchanging the master key wraps it anew.
alter table data_keys add column purpose text not null default 'secrets';

create table second_factors (
    member        text   primary key references members (id),
    data_key      text   not null references data_keys (id),
    sealed        bytea  not null,          -- nonce, AES-256-GCM(the secret of RFC 6238), tag; bound to the member
    created_ns    bigint not null,
    confirmed_ns  bigint,                   -- null until a first code was given
    last_step     bigint not null           -- the time step of the last code that was taken: none works twice
);

create table recovery_codes (
    member   text   not null references members (id),
    hash     bytea  not null,               -- SHA-256 of 80 random bits
    used_ns  bigint,
    primary key (member, hash)
);

-- Somebody gave a password or a link, and owes the second factor still.
create table sign_in_steps (
    hash        bytea  primary key,
    project     text   not null references projects (id),
    member      text   not null references members (id),
    method      text   not null,
    expires_ns  bigint not null
);

create table sign_in_providers (
    id              text    primary key,
    project         text    not null references projects (id),       -- where it was declared, and whose secrets it may name
    organisation    text    not null references organisations (id),
    name            text    not null,                                -- part of its addresses
    label           text    not null,
    issuer          text    not null,                                -- never changes: subjects are its own
    client_id       text    not null,
    client_secret   text    not null,                                -- a reference, or empty
    client_auth     text    not null,
    scopes          text[]  not null,
    groups_claim    text    not null,
    group_roles     jsonb   not null,                                -- [{"group", "project", "role"}]; the first that fits a project counts
    domains         text[]  not null,
    joining         text    not null,                                -- who may come in for the first time: invited or anybody
    link_by_email   boolean not null,
    enforced        boolean not null,
    shown           boolean not null,
    created_by      text    not null,
    created_ns      bigint  not null,
    updated_ns      bigint  not null,
    removed_ns      bigint
);

create unique index sign_in_providers_name on sign_in_providers (name) where removed_ns is null;

create table sign_in_identities (
    provider    text   not null references sign_in_providers (id),
    subject     text   not null,
    member      text   not null references members (id),
    email       text   not null,
    created_ns  bigint not null,
    used_ns     bigint not null,
    primary key (provider, subject)
);

create index sign_in_identities_of_member on sign_in_identities (member);

-- States of sign-ins that succeeded: none works twice.
create table sign_in_states (
    hash        bytea  primary key,
    expires_ns  bigint not null
);

create table invitations (
    id           text   primary key,
    project      text   not null references projects (id),
    email        text   not null,
    role         text   not null,
    hash         bytea  not null unique,
    created_by   text   not null,
    created_ns   bigint not null,
    expires_ns   bigint not null,
    accepted_by  text   references members (id),
    accepted_ns  bigint,
    revoked_ns   bigint
);

create index invitations_open on invitations (project, created_ns desc) where accepted_ns is null and revoked_ns is null;

select flyball_guard_table('sign_in_steps');
select flyball_guard_table('sign_in_providers');
select flyball_guard_table('invitations');

-- What belongs to a person is seen from where the person is seen.
do $$
declare
    name text;
begin
    foreach name in array array['second_factors', 'recovery_codes', 'sign_in_identities'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy of_its_member on %I using (exists (select from members m where m.id = member))', name);
    end loop;
end
$$;
