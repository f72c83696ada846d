"""Whether an ID token proves who signed in: its signature, its claims, its time. Pure: keys, time and what is expected are given.

After OpenID Connect Core 1.0, section 3.1.3.7. Signatures are joserfc's; which key and which algorithm may be used is decided here.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import JWKRegistry, RSAKey

from flyball.kit.nesting import nests_deeper
from flyball.kit.secrets import hiding

from .errors import TokenRefusedError

LONGEST = 64 * 1024
LEEWAY_SECONDS = 60
_OLDEST_SECONDS = 600  # of a token that was made for a sign-in that takes ten minutes at most
_SMALLEST_RSA = 2048
_DEEPEST = 20
# What signs, with which kind of key, and the hash that `at_hash` is cut from. No other algorithm is ever tried: no `none`, no shared secret.
_ALGORITHMS: Mapping[str, tuple[str, str, str]] = {
    "RS256": ("RSA", "", "sha256"),
    "ES256": ("EC", "P-256", "sha256"),
    "EdDSA": ("OKP", "Ed25519", "sha512"),
}


@hiding("nonce", "access_token")
class Expected(NamedTuple):
    """What the token has to say."""

    issuer: str
    client_id: str
    nonce: str
    now_seconds: int
    access_token: str = ""


class _Header(NamedTuple):
    algorithm: str
    kid: str | None


def key_name(token: str) -> str | None:
    """The name of the key that the token says it is signed by. Raises TokenRefusedError for what is no such token."""
    return _header(token).kid


def verify(token: str, keys: Iterable[Mapping[str, Any]], expected: Expected) -> Mapping[str, Any]:
    """The claims of a token that proves a sign-in. Raises TokenRefusedError naming what is wrong."""
    header = _header(token)
    claims = _claims(_signed(token, header, keys))
    _check_parties(claims, expected)
    _check_times(claims, expected.now_seconds)
    if not _same(claims.get("nonce"), expected.nonce):
        raise TokenRefusedError("the ID token was not made for this sign-in (nonce)")
    if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(expected.access_token, header.algorithm)):
        raise TokenRefusedError("the ID token belongs to another access token (at_hash)")
    return claims


def _header(token: str) -> _Header:
    if len(token) > LONGEST or token.count(".") != 2:
        raise TokenRefusedError("the ID token is none: not three parts, or too long")
    try:
        told = _object(_bytes(token.partition(".")[0]))
    except ValueError:
        told = None
    if told is None:
        raise TokenRefusedError("the ID token is none: its header is no JSON object")
    algorithm, kid = told.get("alg"), told.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise TokenRefusedError("the ID token is not signed by RS256, ES256 or EdDSA")
    if "crit" in told or "b64" in told or "zip" in told:
        raise TokenRefusedError("the ID token has a header that nobody here understands")
    if not isinstance(kid, str | None):
        raise TokenRefusedError("the ID token names its key by something other than text (kid)")
    return _Header(algorithm, kid)


def _object(text: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else, and for what nests deeper than any token does."""
    if nests_deeper(text, _DEEPEST):
        return None
    try:
        told = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return told if isinstance(told, dict) else None


def _signed(token: str, header: _Header, keys: Iterable[Mapping[str, Any]]) -> bytes:
    fitting = [key for key in keys if _fits(key, header)]
    if header.kid is None and len(fitting) > 1:
        raise TokenRefusedError("the ID token does not say which of the provider's keys signed it")
    for key in fitting:
        try:
            public = JWKRegistry.import_key(_public(key))
            if isinstance(public, RSAKey) and public.public_key.key_size < _SMALLEST_RSA:
                continue
            return jws.deserialize_compact(token, public, algorithms=[header.algorithm], registry=_REGISTRY).payload
        except (
            JoseError,
            ValueError,
            TypeError,
        ):  # neither a key that is none nor a signature that is another's proves anything
            continue
    raise TokenRefusedError("the ID token is not signed by a key of the provider")


def _fits(key: Mapping[str, Any], header: _Header) -> bool:
    kind, curve, _ = _ALGORITHMS[header.algorithm]
    return (
        key.get("kty") == kind
        and (not curve or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", header.algorithm) in (header.algorithm, "Ed25519" if header.algorithm == "EdDSA" else "")
        and (header.kid is None or key.get("kid") == header.kid)
    )


def _public(key: Mapping[str, Any]) -> dict[str, Any]:
    """The public part alone, whatever else was published by mistake."""
    return {name: key[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in key}


def _claims(payload: bytes) -> Mapping[str, Any]:
    claims = _object(payload)
    if claims is None:
        raise TokenRefusedError("the ID token's claims are no JSON object")
    return claims


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefusedError("the ID token is another issuer's (iss)")
    told = claims.get("aud")
    audiences = [told] if isinstance(told, str) else told if isinstance(told, list) else []
    if expected.client_id not in audiences:
        raise TokenRefusedError("the ID token is for another client (aud)")
    party = claims.get("azp")
    if (party is not None or len(audiences) > 1) and party != expected.client_id:
        raise TokenRefusedError("the ID token was given to another client (azp)")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise TokenRefusedError("the ID token names nobody (sub)")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    expires, made, begins = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or made is None:
        raise TokenRefusedError("the ID token does not say when it was made and until when it holds (iat, exp)")
    if now >= expires + LEEWAY_SECONDS:
        raise TokenRefusedError("the ID token has expired (exp)")
    if max(made, begins or 0) > now + LEEWAY_SECONDS:
        raise TokenRefusedError("the ID token is from the future (iat, nbf)")
    if made < now - _OLDEST_SECONDS - LEEWAY_SECONDS:
        raise TokenRefusedError("the ID token is older than this sign-in (iat)")


def _number(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else None


def _half_hash(access_token: str, algorithm: str) -> str:
    digest = hashlib.new(_ALGORITHMS[algorithm][2], access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")


def _same(told: object, expected: str) -> bool:
    return bool(expected) and isinstance(told, str) and hmac.compare_digest(told.encode(), expected.encode())


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class _Registry(jws.JWSRegistry):
    """joserfc's registry, with headers as long as ours, and without its warning that EdDSA has another name since RFC 9864."""

    max_header_length = 4096
    max_payload_length = LONGEST
    max_signature_length = 4096

    def get_alg(self, name: str) -> Any:
        if name not in _ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=list(_ALGORITHMS), strict_check_header=False)
