-- Files of weights that were let in: content that is named by its hash and lies in the blobs, once for all projects that have it.

create table model_files (
    project     text   not null references projects (id),
    hash        text   not null,        -- sha256: of the file; of an archive that of its list of files
    name        text   not null,        -- for people; nothing is looked up by it
    format      text   not null check (format in ('safetensors', 'gguf', 'archive')),
    bytes       bigint not null,
    tensors     bigint not null,
    parameters  bigint not null,
    files       json   not null,        -- of an archive: path, hash, format and bytes of each; else empty
    notes       json   not null,
    created_ns  bigint not null,
    created_by  text   not null,
    primary key (project, hash)
);

select flyball_guard_table('model_files');
