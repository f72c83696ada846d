-- Prompt templates. A version is immutable and known by the hash of its source.
create table prompt_versions (
    id text primary key,
    project text not null references projects (id),
    name text not null,
    version integer not null check (version > 0),
    hash text not null,
    path text not null, -- the file's path beside flyball.yaml, so that an export writes it back
    source text not null, -- front matter and sections, byte for byte
    created_ns bigint not null,
    created_by text not null,
    unique (project, name, version)
);

create index prompt_versions_by_hash on prompt_versions (project, hash);
