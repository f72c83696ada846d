-- How flyball itself did, minute by minute: what the objective for lag is judged by, and what is drawn of a day.

-- One row per minute in which somebody measured. It is the whole server's. What was not measured is null.
create table health_minutes (
    minute_ns bigint primary key,          -- when it began
    samples integer not null,              -- how often the lag was measured
    failed integer not null,               -- how often it could not be
    worst_lag_ns bigint,                   -- how long the record waited at most that waited longest for its table
    waiting bigint,                        -- records that waited, at most
    waiting_bytes bigint,
    acknowledged bigint not null,          -- records
    refused bigint not null,
    stored bigint not null,
    flushes bigint not null,
    flush_ns bigint not null,              -- what they took together
    flush_failures bigint not null,
    disk_free bigint,                      -- bytes, at least
    memory bigint                          -- bytes of all processes, at most
);
