-- Files beside traces and items: pictures, sounds, documents. Their bytes are blobs; whoever holds a ticket may send or fetch them once it is given.

create table media (
    project       text   not null references projects (id),
    media_id      text   not null,     -- the first letters of its digest, as its clients make it
    hash          text   not null,     -- sha256: of the bytes
    content_type  text   not null,
    bytes         bigint not null,
    trace_id      text   not null default '',
    span_id       text   not null default '',
    field         text   not null default '',
    created_ns    bigint not null,
    created_by    text   not null,
    uploaded_ns   bigint,              -- null: announced, and not sent yet
    primary key (project, media_id)
);

create table media_tickets (
    hash        bytea  primary key,
    project     text   not null,
    media_id    text   not null,
    deed        text   not null check (deed in ('send', 'fetch')),
    expires_ns  bigint not null,
    foreign key (project, media_id) references media (project, media_id) on delete cascade
);

create index media_tickets_by_end on media_tickets (project, expires_ns);

select flyball_guard_table('media');
select flyball_guard_table('media_tickets');
