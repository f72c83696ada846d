-- Datasets and their immutable versions. The rows themselves are in the lake's table `dataset_rows`.

create table datasets (
    id            text primary key,
    project       text not null references projects(id),
    name          text not null,
    kind          text not null check (kind in ('documents', 'rows')),
    declaration   jsonb not null default '{}'::jsonb,  -- where an import takes it from: {"source": ..., "location": ..., "licence": ...}
    created_ns    bigint not null,
    created_by    text not null,
    unique (project, name)
);

create table dataset_versions (
    id            text primary key,
    project       text not null references projects(id),
    dataset_id    text not null references datasets(id),
    dataset       text not null,                       -- the dataset's name, repeated for lists
    kind          text not null,
    version       integer not null check (version > 0),
    hash          text not null,
    rows          bigint not null,
    parts         jsonb not null,                      -- the row sets in the lake that make it up, in order
    parents       jsonb not null,                      -- what it was made from: versions, traces
    source        jsonb not null,
    licences      jsonb not null,                      -- licence -> rows
    splits        jsonb not null,                      -- split -> rows
    card          jsonb not null,
    run_id        text not null default '',
    created_ns    bigint not null,
    created_by    text not null,
    unique (dataset_id, version)
);

create index dataset_versions_newest on dataset_versions (project, created_ns desc, id desc);
create index dataset_versions_hash on dataset_versions (project, hash);
