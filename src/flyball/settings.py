"""The knobs' values, parsed once at start into a frozen object; nobody reads the environment twice. The table is `knobs`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import Secret, hiding
from flyball.knobs import KNOBS, NAMEABLE, Knob

__all__ = ["KNOBS", "Settings", "load_settings"]


@hiding("key", "database_url", "audit_webhook")
class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs' values. Field by field the table above."""

    data: str = ".flyball"
    config: str = ""
    host: str = "127.0.0.1"
    port: int = 4000
    tls: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    workers: int = 1
    database_url: str = ""
    database_pool: int = 8
    lake_url: str = ""
    blobs_url: str = ""
    server: str = ""
    key: str = ""
    project: str = ""
    max_body_bytes: int = 32 * 1024 * 1024
    max_json_depth: int = 64
    most_calls: int = 1000
    most_body_bytes: int = 256 * 1024 * 1024
    request_deadline_seconds: int = 600
    connect_timeout_seconds: int = 5
    first_byte_timeout_seconds: int = 60
    first_content_timeout_seconds: int = 300
    idle_timeout_seconds: int = 60
    keep_alive_seconds: int = 15
    early_keep_alive_seconds: int = 0
    cancelled_calls: str = "cut"
    drain_seconds: int = 30
    drain_bytes: int = 1024 * 1024
    spool_bytes: int = 64 * 1024 * 1024
    ledger_spool_bytes: int = 32 * 1024 * 1024
    otlp_grpc_port: int = 4317
    ingest_waiting_bytes: int = 2 * 1024**3
    ingest_waiting_seconds: int = 0
    ingest_disk_free_bytes: int = 1024**3
    flush_seconds: float = 1.0
    trace_retention_days: int = 0
    lag_slo_seconds: float = 2.0
    lag_slo_percent: float = 99.0
    metrics_token: Secret | None = None
    session_hours: int = 168
    session_idle_hours: int = 24
    require_totp: str = "none"
    public_url: str = ""
    allowed_hosts: str = ""
    allowed_networks: str = ""
    content_references: str = ""
    max_weights_bytes: int = 256 * 1024**3
    max_weights_header_bytes: int = 8 * 1024 * 1024
    master_key: Secret | None = None
    master_key_file: str = ""
    master_key_command: str = ""
    master_key_old: Secret | None = None
    secret_environment: str = NAMEABLE
    secret_files: str = ""
    secret_commands: str = ""
    secret_seconds: float = 300.0
    audit_checkpoint_events: int = 1000
    audit_checkpoint_seconds: float = 300.0
    audit_retention_days: int = 0
    audit_trusted_keys: str = ""
    audit_webhook: str = ""
    audit_webhook_secret: str = ""
    audit_syslog: str = ""
    smtp_server: str = ""
    smtp_security: str = "starttls"
    smtp_from: str = ""
    smtp_user: str = ""
    smtp_password: str = ""
    trusted_proxies: str = ""
    log_level: str = "info"

    @property
    def data_path(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data).expanduser().resolve()

    @property
    def browsers_use_https(self) -> bool:
        """Whether browsers come by HTTPS, whatever a request says: to our own certificate, to a proxy in front, or to the address told."""
        return self.tls == "proxy" or bool(self.tls_certificate) or self.public_url.lower().startswith("https://")


def load_settings(environment: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Options given (not None) win over `FLYBALL_*`, which win over defaults.

    Raises:
        InvalidInputError: a value that is not of the knob's type, naming the variable and the value.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for knob in KNOBS:
        if options.get(knob.name) is not None:
            values[knob.name] = options[knob.name]
        elif knob.variable in environment:
            values[knob.name] = _parse(knob, environment[knob.variable])
        if knob.choices and values.get(knob.name, knob.default) not in knob.choices:
            raise InvalidInputError(
                f"{knob.variable}={values[knob.name]!r:.60} is none of {', '.join(knob.choices)}",
                next_step=f"set {knob.variable} to one of them",
            )
    return Settings(**values)


def _parse(knob: Knob, text: str) -> Any:
    try:
        return knob.type(text)
    except ValueError:
        raise InvalidInputError(
            f"{knob.variable}={text!r} is not a {knob.type.__name__}",
            next_step=f"set {knob.variable} to a {knob.type.__name__}, such as {knob.default!r}",
        ) from None
