-- The body of a request lies in its row, or in a file beside the database: PostgreSQL cuts a large value into pieces of 2 kB and writes,
-- reads and deletes each by itself.

alter table inbox_batches
    alter column body drop not null,     -- packed by zstd; null: it lies in a file, as it came
    add column body_file text,           -- which, of the data directory's `inbox/`
    add column body_at bigint,           -- from which byte on; it has `size` bytes
    add constraint inbox_batches_body check (num_nonnulls(body, body_file) = 1 and (body_file is null) = (body_at is null));

-- Whether a file is still needed.
create index inbox_batches_of_file on inbox_batches (body_file) where body_file is not null;
