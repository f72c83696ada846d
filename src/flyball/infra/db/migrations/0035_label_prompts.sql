-- Labels of prompts: names that point to one version and are moved. And what a client gave where it gave no prompt file.

alter table prompt_versions add column said json;   -- text or messages as given, configuration, tags; null: a prompt file

create table prompt_labels (
    project    text    not null references projects (id),
    name       text    not null,
    label      text    not null,
    version    integer not null,
    set_ns     bigint  not null,
    set_by     text    not null,
    primary key (project, name, label),
    foreign key (project, name, version) references prompt_versions (project, name, version)
);

select flyball_guard_table('prompt_labels');
