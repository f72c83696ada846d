"""Identifiers. Sortable by time where a list is paged by them; OpenTelemetry's own shapes for traces and spans."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def new_id(prefix: str, now_ns: int) -> str:
    """`<prefix>_` and 26 characters: 48 bits of milliseconds, 80 random bits. Sorts by time of making."""
    value = (now_ns // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def new_trace_id() -> str:
    """32 lower-case hexadecimal digits, as OpenTelemetry has them."""
    return secrets.token_hex(16)


def new_span_id() -> str:
    """16 lower-case hexadecimal digits, as OpenTelemetry has them."""
    return secrets.token_hex(8)
