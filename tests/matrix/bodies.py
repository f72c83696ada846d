"""What a route takes, filled in soundly: bodies by their struct, fields of every form, a file; all naming what another tenant has."""

import re
from pathlib import Path
from typing import Any

from test_hostile_input import BODIES

from .tenant import Tenant, weights

SOURCE = Path(__file__).parents[2] / "src/flyball"
NOUNS = {
    "member": "members", "function": "functions", "functions": "functions", "models": "models", "dataset": "datasets",
    "evidence": "reports", "to": "releases", "replacing": "releases", "trace_id": "traces", "span_id": "spans",
    "project": "projects",
}  # fmt: skip
# One form for all pages: each takes the fields that it knows.
FORM = {
    "name": "n", "role": "viewer", "email": "maria@example.org", "project": "p", "password": "four unrelated words",
    "again": "four unrelated words", "current": "x", "code": "123456", "provider": "company", "source": "jsonl",
    "location": "/nowhere", "licence": "MIT", "function": "f", "evidence": "rpt", "reason": "r", "override": "o",
    "decision": "approved", "comment": "c", "bundle_hash": "", "correction": "d", "value": "up", "next": "/", "token": "t",
    "overlap": "24h", "expires": "90d", "models": "m", "functions": "f", "addresses": "10.0.0.0/8", "kind": "service",
    "permissions": "traces.read", "description": "d", "hosts": "example.org", "declared": "yes", "issuer": "https://example.org",
    "client_id": "c", "label": "l", "client_secret": "", "client_auth": "none", "scopes": "openid", "groups_claim": "groups",
    "groups": "", "domains": "example.org", "joining": "invited", "link_by_email": "yes", "enforced": "", "shown": "yes",
    "address": "https://example.org/hook", "secret": "", "amount": "5", "unit": "requests", "scope": "project", "per": "day", "stop": "hard",
    "when_away": "open", "open": "", "alerts": "80", "wide": "", "days": "3", "what": "user", "named": "u", "organisation_wide": "", "sure": "yes",
}  # fmt: skip
OCTETS = {"content-type": "application/octet-stream"}


def body_of(route, other: Tenant, noun: str) -> dict[str, Any]:
    """What to send to a changing route, as arguments of a client's `send`; empty for a route that takes nothing."""
    if route.path.endswith(("/v1/traces", "/v1/logs", "/v1/metrics")):  # a request of OTLP without a record
        return {"json": {}}
    if route.body is bytes:
        return {"body": weights(), "headers": OCTETS}
    if route.body is not None:
        return {"json": _pointed(BODIES[f"{route.method} {re.sub(r':path}', '}', route.path)}"], other, noun)}
    return {} if route.documented else {"form": _pointed(FORM, other, noun)}


def _pointed(value: Any, other: Tenant, noun: str, name: str = "") -> Any:
    """The same value, with what the other tenant has wherever a thing is named."""
    if isinstance(value, dict):
        return {key: _pointed(inner, other, noun, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_pointed(inner, other, noun, name) for inner in value]
    if name == "name":
        return other.one(noun) if noun in other.has else value
    if NOUNS.get(name) in other.has and isinstance(value, str):
        return other.one(NOUNS[name])
    return value


def fields_that_pages_read() -> set[str]:
    read = re.compile(r'form(?:\.get\(|\[)"(\w+)"|_listed\(form, "(\w+)"')
    texts = [path.read_text() for path in SOURCE.glob("*/*pages.py")]
    return {name for text in texts for pair in read.findall(text) for name in pair if name}
