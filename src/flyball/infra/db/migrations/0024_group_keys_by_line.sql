-- A key and those that took its place are one line: what counts by key (budgets, limits, the ledger) counts the line, so that a
-- rotation neither frees nor loses anything.

-- As the owner of the tables, whom the guard of rows holds too: all of them are meant.
select set_config('flyball.project', '*', true);

alter table keys add column line text;   -- the id of its first key

with recursive lines as (
    select id, id as line from keys where replaces is null
    union all
    select k.id, l.line from keys k join lines l on k.replaces = l.id
)
update keys k set line = l.line from lines l where l.id = k.id;

alter table keys alter column line set not null;
create index keys_of_line on keys (project, line);
