-- Named tasks. A version holds the schemas and the variants as declared, in their order (so `json`: `jsonb` would sort
-- them); the newest version of a name is in force.
create table function_versions (
    id text primary key,
    project text not null references projects (id),
    name text not null,
    version integer not null check (version > 0),
    hash text not null,
    spec json not null,
    created_ns bigint not null,
    created_by text not null,
    unique (project, name, version)
);

create index function_versions_by_hash on function_versions (project, hash);

-- Variants with everything that they depend on named by exact version and hash. Never changed, never deleted:
-- releases, reports and traces refer to them by hash.
create table variants (
    project text not null references projects (id),
    hash text not null,
    function text not null,
    name text not null,
    kind text not null,
    spec jsonb not null,
    created_ns bigint not null,
    primary key (project, hash)
);

create index variants_by_function on variants (project, function, name);

-- What serves each function now. Written by releases, read into the gateway's snapshot.
create table live_releases (
    project text not null references projects (id),
    function text not null,
    release_id text not null,
    release_hash text not null,
    shares jsonb not null, -- [[variant hash, share], ...], shares sum to 1
    set_ns bigint not null,
    primary key (project, function)
);
