-- The ledger's days once more without who called: a month by function, variant and model is some thousand rows, however many keys,
-- members and releases there are.

-- As the owner of the tables, whom the guard of rows holds too: all of them are meant.
select set_config('flyball.project', '*', true);

create table ledger_day_models (like ledger_days including constraints including generated, foreign key (project) references projects (id));
alter table ledger_day_models drop column key_id, drop column member, drop column release;
alter table ledger_day_models add primary key (project, day_ns, function, variant, model, provider, price_version, state, stripe);

select flyball_guard_table('ledger_day_models');

insert into ledger_day_models (
    project, day_ns, function, variant, model, provider, price_version, state, stripe, entries, requests, input_tokens, cache_read_tokens,
    cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, web_searches,
    estimated, nano_usd, unpriced
)
select
    project, day_ns, function, variant, model, provider, price_version, state, 0, sum(entries), sum(requests), sum(input_tokens),
    sum(cache_read_tokens), sum(cache_write_tokens), sum(cache_write_1h_tokens), sum(audio_input_tokens), sum(output_tokens),
    sum(reasoning_tokens), sum(audio_output_tokens), sum(web_searches), sum(estimated), sum(nano_usd), sum(unpriced)
from ledger_days group by 1, 2, 3, 4, 5, 6, 7, 8;
