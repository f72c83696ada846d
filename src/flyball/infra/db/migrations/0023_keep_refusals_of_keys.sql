-- Keys that are known and were refused: one row for a key, a reason and an hour. Workers write them, apart from any call; the control
-- process tells the audit record of the project, and forgets them after a day.

create table key_refusals (
    project   text    not null references projects (id),
    key       text    not null references keys (id) on delete cascade,
    reason    text    not null check (reason in ('expired', 'revoked', 'elsewhere')),
    hour      bigint  not null,
    at_ns     bigint  not null,
    address   text    not null,
    recorded  boolean not null default false,
    primary key (project, key, reason, hour)
);

create index key_refusals_waiting on key_refusals (project, at_ns) where not recorded;

select flyball_guard_table('key_refusals');
