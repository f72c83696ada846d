"""What crosses from one process to the next: W3C's `traceparent`, `tracestate` and `baggage`, read and written.

Knows the headers' grammar and that a stranger may have written them: what is not as it should be counts as not there. Of
baggage it reads `session.id` and `user.id`; the rest is passed on as it came. Knows no span.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

SESSION, USER = "session.id", "user.id"
_LONGEST_TRACESTATE = 1_024
_LONGEST_BAGGAGE = 8_192
_LONGEST_ID = 1_000
_NAMES = ("traceparent", "tracestate", "baggage")
# A version that we do not know may say more behind the flags.
_TRACEPARENT = re.compile(r"(?!ff)(?P<version>[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


class Carried(NamedTuple):
    """What came from outside. Without ids, no trace came; `recorded` is what the caller decided of it."""

    trace_id: str = ""
    span_id: str = ""
    recorded: bool = False
    tracestate: str = ""
    baggage: str = ""
    session: str = ""
    user: str = ""


def read(headers: Headers) -> Carried:
    """What a request's headers carry: a mapping or pairs, whatever the case of their names; WSGI's names as well."""
    found = _headers(headers)
    baggage = found["baggage"] if len(found["baggage"]) <= _LONGEST_BAGGAGE else ""
    members = _members(baggage)
    carried = Carried(baggage=baggage, session=members.get(SESSION, ""), user=members.get(USER, ""))
    parent = _TRACEPARENT.fullmatch(found["traceparent"].strip())
    if parent is None or (parent["version"] == "00" and parent[5]):
        return carried
    trace_id, span_id, flags = parent[2], parent[3], int(parent[4], 16)
    if not int(trace_id, 16) or not int(span_id, 16):
        return carried
    tracestate = found["tracestate"] if len(found["tracestate"]) <= _LONGEST_TRACESTATE else ""
    return carried._replace(trace_id=trace_id, span_id=span_id, recorded=bool(flags & 1), tracestate=tracestate)


def traceparent(trace_id: str, span_id: str, *, recorded: bool) -> str:
    """The header of that name."""
    return f"00-{trace_id}-{span_id}-0{int(recorded)}"


def baggage(carried: str, session: str, user: str) -> str:
    """What came, with this session and user."""
    own = {name: value for name, value in ((SESSION, session), (USER, user)) if value}
    others = [member for member in carried.split(",") if member.strip() and member.partition("=")[0].strip() not in own]
    return ",".join([*(f"{name}={quote(value)}" for name, value in own.items()), *others])[:_LONGEST_BAGGAGE]


def _headers(headers: Headers) -> dict[str, str]:
    found = dict.fromkeys(_NAMES, "")
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        plain = _text(name).lower().removeprefix("http_")
        if plain in found and isinstance(value, str | bytes) and _PRINTABLE.fullmatch(said := _text(value)):
            found[plain] = f"{found[plain]},{said}" if found[plain] else said
    return found


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _members(header: str) -> dict[str, str]:
    pairs = (member.partition(";")[0].partition("=") for member in header.split(","))
    return {name.strip(): unquote(value.strip())[:_LONGEST_ID] for name, equals, value in pairs if equals}
