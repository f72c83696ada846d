-- Evaluations: what is declared, and the reports that runs of it made. Item by item results live in the lake.

create table evaluations (
    project text not null references projects (id),
    name text not null,
    hash text not null,
    declaration jsonb not null,
    created_ns bigint not null,
    updated_ns bigint not null,
    created_by text not null,
    primary key (project, name)
);

create table evaluation_reports (
    id text primary key,
    project text not null references projects (id),
    evaluation text not null,
    run_id text not null unique, -- a run that resumes after its report was written does not write a second one
    hash text not null,
    function text not null,
    dataset text not null,
    dataset_version_id text not null,
    verdict text not null check (verdict in ('PASS', 'FAIL', 'INCONCLUSIVE')),
    winner text not null,
    body jsonb not null,
    created_ns bigint not null,
    created_by text not null
);

create index evaluation_reports_newest on evaluation_reports (project, evaluation, created_ns desc, id desc);
create index evaluation_reports_by_function on evaluation_reports (project, function, created_ns desc, id desc);

-- A report is evidence: it is written once and never changed.
create function evaluation_reports_are_immutable() returns trigger language plpgsql as $$
begin
    raise exception 'an evaluation report is immutable (report %)', old.id;
end
$$;

create trigger evaluation_reports_are_immutable before update on evaluation_reports
for each row execute function evaluation_reports_are_immutable();
