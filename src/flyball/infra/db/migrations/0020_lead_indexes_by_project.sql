-- Tenancy in the key of every index that serves a question of one project: decision 24 says which are for all projects, and why.

alter table dataset_versions
    drop constraint dataset_versions_dataset_id_version_key,
    add constraint dataset_versions_dataset_id_version_key unique (project, dataset_id, version);
alter table index_versions
    drop constraint index_versions_index_id_version_key,
    add constraint index_versions_index_id_version_key unique (project, index_id, version);
alter table evaluation_reports
    drop constraint evaluation_reports_run_id_key,
    add constraint evaluation_reports_run_id_key unique (project, run_id);

drop index index_versions_dataset;
create index index_versions_dataset on index_versions (project, dataset_version_id);
drop index release_approvals_of_release;
create index release_approvals_of_release on release_approvals (project, release_id, created_ns, id);
drop index keys_replacing;
create index keys_replacing on keys (project, replaces) where replaces is not null;

-- What a person has is looked for in one project and in all of theirs: the person stands first.
drop index keys_of_member;
create index keys_of_member on keys (member, project) where member is not null and revoked_ns is null;
drop index memberships_of_member;
create index memberships_of_member on memberships (member, project);
drop index sessions_of_member;
create index sessions_of_member on sessions (member, project) where revoked_ns is null;
