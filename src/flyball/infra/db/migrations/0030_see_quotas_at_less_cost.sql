-- The guard of quotas and of what belongs to them says the same as before, in words that PostgreSQL asks once for a statement and not,
-- as a function, once for each row: whose rows are seen, and of which organisation that project is.

do $$
declare
    name text;
begin
    foreach name in array array['quotas', 'counters', 'leases', 'alerts', 'receivers', 'notifications'] loop
        execute format('drop policy of_its_organisation on %I', name);
        execute format(
            'create policy of_its_organisation on %I using (
                current_setting(''flyball.project'', true) = ''*''
                or project = current_setting(''flyball.project'', true)
                or project is null and organisation = (
                    select p.organisation from projects p where p.id = current_setting(''flyball.project'', true)
                )
            )', name
        );
    end loop;
end
$$;

drop function flyball_sees_either(text, text);
