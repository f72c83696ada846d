-- The catalog. A version is immutable; the newest version of a name is what callers get.
create table model_versions (
    id text primary key,
    project text not null references projects (id),
    name text not null,
    version integer not null check (version > 0),
    hash text not null,
    spec json not null, -- in the order of declaration: endpoints, prices, licence; secrets stand in it as env:NAME only
    created_ns bigint not null,
    created_by text not null,
    unique (project, name, version)
);

create index model_versions_by_hash on model_versions (project, hash);
