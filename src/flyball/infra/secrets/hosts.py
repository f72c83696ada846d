"""To which hosts a secret may be sent. An entry is `host`, for https on its own port, or `host:port`, for that port alone."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .errors import HostInvalidError

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_MOST = 20
_HTTPS = 443


def bound_to(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries in lower case, sorted, each once. Raises HostInvalidError; there must be at least one."""
    found = sorted({_entry(entry) for entry in entries})
    if not found or len(found) > _MOST:
        raise HostInvalidError(
            f"a secret is bound to 1 to {_MOST} hosts, and {len(found)} are given",
            next_step="say where it may be sent, such as `--host api.openai.com` or `--host 127.0.0.1:9001`",
        )
    return tuple(found)


def _entry(text: str) -> str:
    entry = text.strip().lower().rstrip(".")
    match = _HOST.fullmatch(entry)
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        raise HostInvalidError(
            f"{text!r:.100} is no host",
            next_step="write host or host:port, such as api.openai.com or 127.0.0.1:9001, without scheme or path",
        )
    return entry


def host_of(url: str) -> str:
    """The entry that lets a secret be sent to this address; empty where it is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if not host or parts.scheme not in ("http", "https"):
        return ""
    host = f"[{host}]" if ":" in host else host
    if parts.scheme == "https" and port in (None, _HTTPS):
        return host
    return f"{host}:{port or 80}"
