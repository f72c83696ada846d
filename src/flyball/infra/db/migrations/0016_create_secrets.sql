-- Secrets, encrypted: values under a data key of their project, data keys under the master key, which is never here.

create table data_keys (
    id          text   primary key,
    project     text   not null references projects (id),
    master_key  text   not null,             -- the id of the master key that wraps it
    wrapped     bytea  not null,             -- nonce, AES-256-GCM(key), tag; bound to id and project
    created_ns  bigint not null,
    created_by  text   not null,
    unique (project, id)
);

-- A removed secret keeps its name and the number of its last version, and loses its value.
create table secrets (
    project     text    not null references projects (id),
    name        text    not null,
    version     integer not null check (version > 0),
    hosts       text[]  not null,            -- to which it may be sent; part of what the value is bound to
    data_key    text,
    sealed      bytea,                       -- nonce, AES-256-GCM(value), tag; bound to project, name, version and hosts
    created_ns  bigint  not null,
    created_by  text    not null,
    removed_ns  bigint,
    primary key (project, name),
    foreign key (project, data_key) references data_keys (project, id),
    check ((removed_ns is null) = (sealed is not null) and (sealed is null) = (data_key is null))
);

-- Which models refer to which secret, written with the model. The secret may not be there yet, or any more.
create table secret_uses (
    project  text not null references projects (id),
    model    text not null,
    secret   text not null,
    host     text not null,                  -- where the model would send it
    primary key (project, model, secret, host)
);

create index secret_uses_of_secret on secret_uses (project, secret);

select flyball_guard_table('data_keys');
select flyball_guard_table('secrets');
select flyball_guard_table('secret_uses');
