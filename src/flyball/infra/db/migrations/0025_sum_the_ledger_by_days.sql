-- Sums of the ledger by the hour and by the day, by everything that costs are asked by. A row's stripe is its writer's choice, so
-- that workers that settle at once do not wait for each other's rows; a sum is that of its stripes.

-- As the owner of the tables, whom the guard of rows holds too: all of them are meant.
select set_config('flyball.project', '*', true);

drop table ledger_hours;
drop table ledger_tag_hours;

-- An empty name: the entries say none.
create table ledger_hours (
    project                text     not null references projects (id),
    hour_ns                bigint   not null,
    key_id                 text     not null,
    member                 text     not null,
    function               text     not null,
    variant                text     not null,
    release                text     not null,
    model                  text     not null,
    provider               text     not null,
    price_version          text     not null,   -- what a token costs is known by it
    state                  text     not null,
    stripe                 smallint not null check (stripe between 0 and 15),
    entries                bigint   not null,
    requests               bigint   not null,
    input_tokens           bigint   not null,
    cache_read_tokens      bigint   not null,
    cache_write_tokens     bigint   not null,
    cache_write_1h_tokens  bigint   not null,
    audio_input_tokens     bigint   not null,
    output_tokens          bigint   not null,
    reasoning_tokens       bigint   not null,
    audio_output_tokens    bigint   not null,
    web_searches           bigint   not null,
    estimated              bigint   not null,   -- how many entries are estimates
    nano_usd               bigint   not null,
    unpriced               bigint   not null,   -- how many entries have no known price
    tokens                 bigint   not null generated always as (
        input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens + audio_input_tokens
        + output_tokens + reasoning_tokens + audio_output_tokens
    ) stored,
    primary key (project, hour_ns, key_id, member, function, variant, release, model, provider, price_version, state, stripe)
);

create table ledger_days (like ledger_hours including constraints including generated, foreign key (project) references projects (id));
alter table ledger_days rename hour_ns to day_ns;
alter table ledger_days add primary key
    (project, day_ns, key_id, member, function, variant, release, model, provider, price_version, state, stripe);

-- Entries that carry tags, by the set of them. A set may be longer than a key can be: its hash stands for it there.
create table ledger_tag_hours (
    like ledger_hours including constraints including generated,
    tags       text[] not null,
    tags_hash  text   not null,
    foreign key (project) references projects (id),
    primary key
        (project, hour_ns, key_id, member, function, variant, release, model, provider, price_version, state, tags_hash, stripe)
);

create table ledger_tag_days (like ledger_tag_hours including constraints including generated, foreign key (project) references projects (id));
alter table ledger_tag_days rename hour_ns to day_ns;
alter table ledger_tag_days add primary key
    (project, day_ns, key_id, member, function, variant, release, model, provider, price_version, state, tags_hash, stripe);

select flyball_guard_table('ledger_hours');
select flyball_guard_table('ledger_days');
select flyball_guard_table('ledger_tag_hours');
select flyball_guard_table('ledger_tag_days');

-- What is in the ledger already.
do $$
declare
    wanted  record;
    names   text := 'key_id, member, function, variant, release, model, provider, price_version';
    sums    text := 'requests, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, '
        || 'output_tokens, reasoning_tokens, audio_output_tokens, web_searches';
    named   text := (select string_agg(format('coalesce(%s, '''')', n), ', ') from unnest(string_to_array(names, ', ')) as n);
    summed  text := (select string_agg(format('sum(%s)', n), ', ') from unnest(string_to_array(sums, ', ')) as n);
begin
    for wanted in select * from (values
        ('ledger_hours', 'hour_ns', 3600000000000, false), ('ledger_days', 'day_ns', 86400000000000, false),
        ('ledger_tag_hours', 'hour_ns', 3600000000000, true), ('ledger_tag_days', 'day_ns', 86400000000000, true)
    ) as t (name, period, long, by_tags) loop
        execute format(
            'insert into %I (project, %I, %s, state %s, stripe, entries, %s, estimated, nano_usd, unpriced)
            select project, at_ns - at_ns %% %s, %s, state %s, 0, count(*), %s, count(*) filter (where estimated),
                coalesce(sum(nano_usd), 0), count(*) filter (where nano_usd is null)
            from ledger %s group by %s',
            wanted.name, wanted.period, names, case when wanted.by_tags then ', tags, tags_hash' else '' end, sums,
            wanted.long, named, case when wanted.by_tags then ', tag_set, md5(to_jsonb(tag_set)::text)' else '' end, summed,
            case when wanted.by_tags then
                'join lateral (select array_agg(distinct tag collate "C" order by tag collate "C") as tag_set '
                || 'from unnest(tags) as tag) as each on tag_set is not null'
            else '' end,
            (select string_agg(n::text, ', ') from generate_series(1, case when wanted.by_tags then 13 else 11 end) as n)
        );
    end loop;
end
$$;
