-- Retrieval indexes and their immutable versions. The index files are derived: they lie in the data directory and can be rebuilt.

create table indexes (
    id            text primary key,
    project       text not null references projects(id),
    name          text not null,
    declaration   jsonb not null default '{}'::jsonb,  -- {"dataset": ..., "chunk": {...}}
    created_ns    bigint not null,
    created_by    text not null,
    unique (project, name)
);

create table index_versions (
    id                  text primary key,
    project             text not null references projects(id),
    index_id            text not null references indexes(id),
    name                text not null,                 -- the index's name, repeated for lists
    version             integer not null check (version > 0),
    hash                text not null,
    dataset             text not null,
    dataset_version_id  text not null references dataset_versions(id),
    dataset_version     integer not null,
    dataset_hash        text not null,
    settings            jsonb not null,
    documents           bigint not null,
    chunks              bigint not null,
    run_id              text not null default '',
    created_ns          bigint not null,
    created_by          text not null,
    unique (index_id, version)
);

create index index_versions_newest on index_versions (project, created_ns desc, id desc);
create index index_versions_dataset on index_versions (dataset_version_id);
