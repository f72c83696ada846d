-- Items that are put into a dataset one by one, before a version is frozen from them; what is said of such a dataset;
-- and experiments: which trace an application made of which item, under which name.

create table dataset_abouts (
    project          text   not null references projects (id),
    dataset_id       text   not null references datasets (id),
    title            text   not null,
    description      text   not null default '',
    metadata         json,
    input_schema     json,
    expected_schema  json,
    updated_ns       bigint not null,
    primary key (project, dataset_id)
);

-- An item as it was from one moment on; the row without an end is how it is now.
create table dataset_items (
    project          text   not null references projects (id),
    item_id          text   not null,
    since_ns         bigint not null,
    until_ns         bigint,
    dataset_id       text   not null references datasets (id),
    dataset          text   not null,
    status           text   not null check (status in ('ACTIVE', 'ARCHIVED')),
    input            json,
    expected_output  json,
    metadata         json,
    source_trace_id  text   not null default '',
    source_span_id   text   not null default '',
    created_ns       bigint not null,
    created_by       text   not null,
    primary key (project, item_id, since_ns)
);

create unique index dataset_items_now on dataset_items (project, item_id) where until_ns is null;
create index dataset_items_in_order on dataset_items (project, dataset_id, created_ns desc, item_id);

create table experiments (
    project      text   not null references projects (id),
    dataset_id   text   not null references datasets (id),
    id           text   not null,
    name         text   not null,
    description  text   not null default '',
    metadata     json,
    created_ns   bigint not null,
    updated_ns   bigint not null,
    created_by   text   not null,
    primary key (project, dataset_id, id),
    unique (project, dataset_id, name)
);

create table experiment_items (
    project        text   not null,
    dataset_id     text   not null,
    experiment_id  text   not null,
    id             text   not null,
    item_id        text   not null,
    trace_id       text   not null,
    span_id        text   not null default '',
    created_ns     bigint not null,
    primary key (project, dataset_id, experiment_id, id),
    foreign key (project, dataset_id, experiment_id) references experiments (project, dataset_id, id) on delete cascade
);

select flyball_guard_table('dataset_abouts');
select flyball_guard_table('dataset_items');
select flyball_guard_table('experiments');
select flyball_guard_table('experiment_items');
