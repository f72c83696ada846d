-- One durable execution each: a pipeline, an evaluation, an index build. The worker finds the queued ones here;
-- which steps of a run are finished is the job machinery's own knowledge (schema dbos).
create table runs (
    id text primary key,
    project text not null references projects(id),
    kind text not null,
    arguments jsonb not null,
    status text not null check (status in ('queued', 'running', 'succeeded', 'failed')),
    done bigint not null default 0,
    total bigint,
    note text not null default '',
    result jsonb,
    error text,
    error_code text,
    attempts integer not null default 0,
    created_by text not null,
    created_ns bigint not null,
    started_ns bigint,
    finished_ns bigint
);

-- The list of a project's runs, newest first, by keyset.
create index runs_by_project on runs (project, created_ns desc, id desc);

-- What a worker has to start or to resume.
create index runs_unfinished on runs (created_ns) where status in ('queued', 'running');
