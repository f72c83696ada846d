"""Amazon's way to prove who asks: Signature Version 4 of one request, in its headers.

Knows no service and no clock: the caller says which, where and when. The path is signed as it is sent, quoted once more, as
every service but S3 demands.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from flyball.kit.secrets import hiding

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


@hiding("key", "token")
class Signer(NamedTuple):
    """Who asks, and of whom. `token` is that of temporary credentials, else empty."""

    key_id: str
    key: str
    token: str
    region: str
    service: str


def signed(
    signer: Signer, method: str, url: str, *, headers: Mapping[str, str], body: bytes, at: datetime
) -> dict[str, str]:
    """The headers to add to a request: its date, the token, the signature of all that is here. `at` is in UTC.

    `headers` are those to be signed beside the host, under names in lower case; more may be sent unsigned.
    """
    parts = urlsplit(url)
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": stamp, **({"x-amz-security-token": signer.token} if signer.token else {})}
    signing = dict(sorted({**headers, **added, "host": _host(url)}.items()))
    names = ";".join(signing)
    canonical = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/~"),
            _canonical_query(parts.query),
            *(f"{name}:{' '.join(value.split())}" for name, value in signing.items()),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{signer.region}/{signer.service}/aws4_request"
    words = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = _hmac(_signing_key(signer, stamp[:8]), words).hex()
    proof = f"{_ALGORITHM} Credential={signer.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**added, "authorization": proof}


def _host(url: str) -> str:
    """As HTTP clients send it: with the port where it is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in (None, _PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _canonical_query(query: str) -> str:
    """The parameters, quoted as they are sent, by name and then by value."""
    pairs = [piece.partition("=") for piece in query.split("&") if piece]
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))


def _signing_key(signer: Signer, day: str) -> bytes:
    key = f"AWS4{signer.key}".encode()
    for words in (day, signer.region, signer.service, "aws4_request"):
        key = _hmac(key, words)
    return key


def _hmac(key: bytes, words: str) -> bytes:
    return hmac.new(key, words.encode(), hashlib.sha256).digest()
