-- The ledger's days once more by who called and by tags, with what pages ask of those alone: neither variants, prices nor states, and
-- tokens of all kinds together. A month of them is a fraction of the rows.

-- As the owner of the tables, whom the guard of rows holds too: all of them are meant.
select set_config('flyball.project', '*', true);

create table ledger_day_keys (
    project    text     not null references projects (id),
    day_ns     bigint   not null,
    key_id     text     not null,
    member     text     not null,
    function   text     not null,
    release    text     not null,
    model      text     not null,
    stripe     smallint not null check (stripe between 0 and 15),
    entries    bigint   not null,
    requests   bigint   not null,
    tokens     bigint   not null,
    estimated  bigint   not null,
    nano_usd   bigint   not null,
    unpriced   bigint   not null,
    primary key (project, day_ns, key_id, member, function, release, model, stripe)
);

create table ledger_day_tags (
    project    text     not null references projects (id),
    day_ns     bigint   not null,
    function   text     not null,
    model      text     not null,
    tags       text[]   not null,
    tags_hash  text     not null,
    stripe     smallint not null check (stripe between 0 and 15),
    entries    bigint   not null,
    requests   bigint   not null,
    tokens     bigint   not null,
    estimated  bigint   not null,
    nano_usd   bigint   not null,
    unpriced   bigint   not null,
    primary key (project, day_ns, function, model, tags_hash, stripe)
);

select flyball_guard_table('ledger_day_keys');
select flyball_guard_table('ledger_day_tags');

insert into ledger_day_keys (
    project, day_ns, key_id, member, function, release, model, stripe, entries, requests, tokens, estimated, nano_usd, unpriced
)
select
    project, day_ns, key_id, member, function, release, model, 0, sum(entries), sum(requests), sum(tokens), sum(estimated),
    sum(nano_usd), sum(unpriced)
from ledger_days group by 1, 2, 3, 4, 5, 6, 7;

insert into ledger_day_tags (
    project, day_ns, function, model, tags, tags_hash, stripe, entries, requests, tokens, estimated, nano_usd, unpriced
)
select
    project, day_ns, function, model, tags, tags_hash, 0, sum(entries), sum(requests), sum(tokens), sum(estimated), sum(nano_usd),
    sum(unpriced)
from ledger_tag_days group by 1, 2, 3, 4, 5, 6;
