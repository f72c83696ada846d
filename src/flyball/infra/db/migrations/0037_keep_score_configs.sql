-- What scores of a name may be: numbers in a range, one of some categories, true or false, or a text.

create table score_configs (
    project      text    not null references projects (id),
    id           text    not null,
    name         text    not null,
    data_type    text    not null check (data_type in ('NUMERIC', 'CATEGORICAL', 'BOOLEAN', 'TEXT')),
    min_value    double precision,
    max_value    double precision,
    categories   json,               -- of categorical ones: label and number of each
    description  text    not null default '',
    archived     boolean not null default false,
    created_ns   bigint  not null,
    updated_ns   bigint  not null,
    created_by   text    not null,
    primary key (project, id)
);

select flyball_guard_table('score_configs');
