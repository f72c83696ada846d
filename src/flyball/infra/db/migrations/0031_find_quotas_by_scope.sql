-- What settles looks up the quotas of its entries' keys, members, functions, models and tags, five times a second in each worker: not
-- all of thousands.
create index quotas_by_scope on quotas (organisation, scope) where removed_ns is null;
