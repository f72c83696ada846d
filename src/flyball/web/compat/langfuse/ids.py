"""Ids of theirs as ids of ours: OpenTelemetry's, as their newer SDKs make them, or whatever text an older one chose."""

import hashlib
import re

_TRACE = re.compile(r"[0-9a-f]{32}")
_SPAN = re.compile(r"[0-9a-f]{16}")


def trace_id_of(text: str) -> str:
    """The trace's id: the same 32 digits, a UUID without its dashes, else a digest of the text; "" of nothing."""
    plain = text.replace("-", "").lower()
    if _TRACE.fullmatch(plain) and plain != "0" * 32:
        return plain
    return _digest(text)[:32] if text else ""


def span_id_of(text: str) -> str:
    """The span's id: the same 16 digits, else a digest of the text; "" of nothing."""
    if _SPAN.fullmatch(text) and text != "0" * 16:
        return text
    return _digest(text)[:16] if text else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
