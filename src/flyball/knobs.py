"""Every knob as one row: name, default, help. A table; how values are found and parsed is `settings`."""

from typing import Any, NamedTuple

from flyball.kit.secrets import Secret

NAMEABLE = "*KEY,*KEY_ID,*TOKEN,*SECRET,*CREDENTIALS,*URL,*ENDPOINT"


class Knob(NamedTuple):
    """A row of the table: the field's name, its environment variable, default, type and one sentence of help; `choices` where only some words count."""

    name: str
    default: Any
    type: type
    help: str
    choices: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """`FLYBALL_` and the name in capitals."""
        return f"FLYBALL_{self.name.upper()}"


KNOBS: tuple[Knob, ...] = (
    Knob(
        "data",
        ".flyball",
        str,
        "The data directory: everything that flyball keeps, and the sockets by which commands reach it.",
    ),
    Knob("config", "", str, "The flyball.yaml that `flyball up` applies at start; empty: none."),
    Knob(
        "host",
        "127.0.0.1",
        str,
        "The address that the one public port binds to. Anything but loopback needs a password that somebody has set, and a word about TLS.",
    ),
    Knob("port", 4000, int, "The one public port: model API, control API and pages. 0 takes a free one."),
    Knob(
        "tls",
        "",
        str,
        "How the way to a port beyond loopback is encrypted: `proxy` (by one in front) or `none-i-know`; empty: by `tls_certificate`.",
    ),
    Knob("tls_certificate", "", str, "A PEM file with the certificate by which the public port itself speaks HTTPS."),
    Knob("tls_key", "", str, "The PEM file with that certificate's key, without a passphrase."),
    Knob("workers", 1, int, "Gateway workers, each on its own core."),
    Knob(
        "database_url",
        "",
        str,
        "A PostgreSQL server (postgresql://...); empty: the embedded one in the data directory.",
    ),
    Knob("database_pool", 8, int, "Most connections that one process holds to PostgreSQL."),
    Knob(
        "lake_url",
        "",
        str,
        "Where tables live: a folder (file:///...) or a bucket (s3://bucket/prefix, with `AWS_...` in the environment); empty: `lake/` in the data directory.",
    ),
    Knob(
        "blobs_url",
        "",
        str,
        "Where artifacts live: a folder (file:///...), a bucket (s3://bucket/prefix), or what an installed fsspec driver reaches; empty: `blobs/` in the data directory.",
    ),
    Knob("server", "", str, "A remote flyball that the commands talk to; empty: the local one, through its socket."),
    Knob("key", "", str, "The API key that commands and the SDK present to a remote flyball."),
    Knob(
        "project",
        "",
        str,
        "The project in which commands at the server itself act: project, or organisation/project; empty: the project default.",
    ),
    Knob("max_body_bytes", 32 * 1024 * 1024, int, "The largest request body that is read; above it the answer is 413."),
    Knob("max_json_depth", 64, int, "The deepest nesting of a JSON body that is parsed; above it the answer is 400."),
    Knob("most_calls", 1000, int, "Model calls that one gateway worker takes at once; above it the answer is 503."),
    Knob(
        "most_body_bytes",
        256 * 1024 * 1024,
        int,
        "Bytes of request bodies that one gateway worker, or the control process, holds at once; above it the answer is 503.",
    ),
    Knob("request_deadline_seconds", 600, int, "The longest that one call may take, all attempts together."),
    Knob("connect_timeout_seconds", 5, int, "The longest wait for a connection to an upstream."),
    Knob(
        "first_byte_timeout_seconds",
        60,
        int,
        "The longest wait for the head of a streamed answer; then another attempt is made. 0: the deadline alone.",
    ),
    Knob(
        "first_content_timeout_seconds",
        300,
        int,
        "The longest wait for the first content of a streamed answer that has begun; then another attempt is made. "
        "0: the deadline alone.",
    ),
    Knob("idle_timeout_seconds", 60, int, "The longest silence of an upstream between two chunks."),
    Knob("keep_alive_seconds", 15, int, "After so much silence a stream that has begun says that it lives; 0: never."),
    Knob(
        "early_keep_alive_seconds",
        0,
        int,
        "After so much silence a stream is begun without content; its failures are events from then on. 0: never.",
    ),
    Knob(
        "cancelled_calls",
        "cut",
        str,
        "What becomes of an answer whose caller has left: `cut` hangs up on the provider, and what was used is estimated; `drain` reads "
        "on, so that what the provider bills is known.",
        choices=("cut", "drain"),
    ),
    Knob("drain_seconds", 30, int, "How long `drain` reads on; then the answer is cut off."),
    Knob("drain_bytes", 1024 * 1024, int, "How much of an answer `drain` reads on; then it is cut off."),
    Knob(
        "spool_bytes",
        64 * 1024 * 1024,
        int,
        "How much a gateway worker keeps of what it could not record yet; beyond it spans are dropped and counted.",
    ),
    Knob(
        "ledger_spool_bytes",
        32 * 1024 * 1024,
        int,
        "How much a gateway worker keeps of what calls cost while PostgreSQL is away; three quarters full, it begins no call.",
    ),
    Knob("otlp_grpc_port", 4317, int, "The port on `host` that takes OTLP over gRPC; 0: none. HTTP's is `port`."),
    Knob("ingest_waiting_bytes", 2 * 1024**3, int, "How much OTLP may wait to be stored; beyond it the answer is 429."),
    Knob("ingest_waiting_seconds", 0, int, "How long the oldest of it may wait, else 429; 0: while there is room."),
    Knob("ingest_disk_free_bytes", 1024**3, int, "How much of the disk OTLP leaves free; else the answer is 503."),
    Knob("flush_seconds", 1.0, float, "How often the flusher moves the inbox into the tables."),
    Knob(
        "trace_retention_days",
        0,
        int,
        "How many days of traces, logs, metrics and scores are kept, by whole days; a project may say otherwise. 0: for ever.",
    ),
    Knob("lag_slo_seconds", 2.0, float, "Objective for lag: how long a record waits at most for its table."),
    Knob("lag_slo_percent", 99.0, float, "In how many percent of the minutes of a day that has to hold."),
    Knob("metrics_token", None, Secret, "Reads `/metrics` and nothing else; empty: only keys and members do."),
    Knob("session_hours", 168, int, "How long a sign-in lasts at most."),
    Knob("session_idle_hours", 24, int, "How long a sign-in lasts without being used; 0: as long as `session_hours`."),
    Knob(
        "require_totp",
        "none",
        str,
        "Who needs a second factor who signs in by password or link: none, owners or everybody. Until it is set up, they may do nothing else.",
        ("none", "owners", "everybody"),
    ),
    Knob(
        "public_url",
        "",
        str,
        "The address by which browsers reach the pages, such as https://flyball.example.com; empty: the one that each request names.",
    ),
    Knob(
        "allowed_hosts",
        "",
        str,
        "Further host names, separated by commas, by which browsers may reach the pages; loopback and `host` always may.",
    ),
    Knob(
        "allowed_networks",
        "",
        str,
        "Networks and addresses, separated by commas, that webhooks, sign-in providers and models of other organisations than `default` may be in although they are not public.",
    ),
    Knob(
        "content_references",
        "",
        str,
        "Places, separated by commas (s3://bucket/prompts/{project}/), from which content is fetched that spans only refer to; `{project}` is the project that reads. Empty: from nowhere.",
    ),
    Knob(
        "master_key",
        None,
        Secret,
        "The key under which secrets are encrypted: 32 bytes in base64 or hexadecimal. Where neither it nor the next two are set, a file "
        "in the data directory is made with the first secret, which protects less.",
    ),
    Knob("master_key_file", "", str, "A file that holds the master key."),
    Knob("master_key_command", "", str, "A command that prints the master key; run without a shell."),
    Knob(
        "master_key_old",
        None,
        Secret,
        "Earlier master keys, separated by spaces, while `flyball secrets rotate-master` is due.",
    ),
    Knob(
        "secret_environment",
        NAMEABLE,
        str,
        "The environment variables that models may name as `env:NAME`: names and patterns, separated by commas. Never flyball's own.",
    ),
    Knob(
        "secret_files",
        "",
        str,
        "The folders below which models may name files as `file:/path`, separated by colons; empty: `/run/secrets`, and `secrets/` in the "
        "data directory.",
    ),
    Knob(
        "secret_commands",
        "",
        str,
        "The YAML file of commands, `NAME: [program, argument]`, that models may name as `cmd:NAME`; empty: none.",
    ),
    Knob("secret_seconds", 300.0, float, "How long what `cmd:` and `vault:` gave is used before it is fetched again."),
    Knob(
        "audit_checkpoint_events",
        1000,
        int,
        "After so many events of a project the server signs where its audit chain stands.",
    ),
    Knob(
        "audit_checkpoint_seconds",
        300.0,
        float,
        "After so long it signs what no checkpoint covers yet, be it one event.",
    ),
    Knob(
        "audit_retention_days",
        0,
        int,
        "How long audit events are kept, at least 180 days; a signed statement takes the place of older ones. 0: for ever.",
    ),
    Knob(
        "audit_trusted_keys",
        "",
        str,
        "Further public keys, separated by commas, whose checkpoints count: of an earlier data directory, or of other servers.",
    ),
    Knob("audit_webhook", "", str, "Where audit events are sent: https://...; empty: nowhere."),
    Knob(
        "audit_webhook_secret",
        "",
        str,
        "What signs each delivery (HMAC-SHA256): `env:NAME` or `file:/path` of at least 16 bytes. A webhook needs one.",
    ),
    Knob(
        "audit_syslog",
        "",
        str,
        "Where audit events are sent as RFC 5424: udp://host:514, tcp://host:601, tls://host:6514 or unix:///dev/log.",
    ),
    Knob(
        "smtp_server",
        "",
        str,
        "The SMTP server that takes notifications by e-mail: host, or host:port; empty: none are sent.",
    ),
    Knob(
        "smtp_security",
        "starttls",
        str,
        "How the way to the SMTP server is encrypted: starttls (port 587 unless given), tls (465) or none (25).",
        ("starttls", "tls", "none"),
    ),
    Knob("smtp_from", "", str, "Whom notifications by e-mail come from, such as `flyball <flyball@example.com>`."),
    Knob("smtp_user", "", str, "The name by which flyball signs in to the SMTP server; empty: it does not."),
    Knob("smtp_password", "", str, "The password of that name: env:NAME, file:/path, cmd:NAME or vault:path#field."),
    Knob(
        "trusted_proxies",
        "",
        str,
        "Addresses and networks, separated by commas, of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    ),
    Knob(
        "max_weights_bytes",
        256 * 1024**3,
        int,
        "The largest file of weights that `flyball models admit` takes, and the most that an archive of them may unpack to.",
    ),
    Knob(
        "max_weights_header_bytes",
        8 * 1024 * 1024,
        int,
        "The largest header of a safetensors file that is read; the format itself allows 100 MB.",
    ),
    Knob("log_level", "info", str, "debug, info, warning or error."),
)
