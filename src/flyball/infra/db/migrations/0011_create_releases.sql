-- Releases: what was proposed for a function, on what evidence, who approved it, and which one is live.

create table releases (
    id text primary key,
    project text not null references projects (id),
    function text not null,
    version bigint not null,
    hash text not null,   -- of the bundle: what an approval signs
    bundle jsonb not null,
    status text not null check (status in ('proposed', 'approved', 'live', 'superseded', 'rejected')),
    created_ns bigint not null,
    created_by text not null,
    served_ns bigint,
    ended_ns bigint,
    unique (project, function, version)
);

create unique index releases_one_live on releases (project, function) where status = 'live';
create index releases_newest on releases (project, created_ns desc, id desc);

create table release_approvals (
    id text primary key,
    project text not null references projects (id),
    release_id text not null references releases (id),
    member text not null,
    member_name text not null,
    decision text not null check (decision in ('approved', 'rejected')),
    comment text not null,
    bundle_hash text not null,
    created_ns bigint not null
);

create index release_approvals_of_release on release_approvals (release_id, created_ns, id);
