"""Google's Vertex AI: Gemini, Claude and the models of others, under a project and a location, for a service account.

The account's key signs a short request for an access token; the token is kept until shortly before it expires, and asked for
once by all who need it. A ready token may be given as the API key instead.
"""

import asyncio
import base64
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flyball.kit.clock import NANOSECONDS
from flyball.kit.secrets import Secret, hiding
from flyball.llm.addressing import dialects_of, order_of
from flyball.llm.errors import UpstreamCutError, UpstreamError, UpstreamRefusedError
from flyball.llm.wire import Order, Wire

from .protocol import Ask, Upstream

_CLAUDE = "anthropic_messages"
_CLAUDES_VERSION = msgspec.Raw(b'"vertex-2023-10-16"')  # in the body here, where Anthropic itself has a header
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE = 3600  # seconds that a token is asked for
_EARLY = 300 * NANOSECONDS  # before its end a token is replaced
_PAUSE = 30 * NANOSECONDS  # after a token could not be replaced, and before the next attempt
_PATIENCE = 10.0  # seconds that the token server may take


class Account(msgspec.Struct, frozen=True):
    """A service account's key, as Google hands it out."""

    client_email: str
    private_key: Secret
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address
    private_key_id: str = ""


class _Token(NamedTuple):
    secret: Secret
    renew_ns: int
    ends_ns: int


class Vertex:
    """An address by location, a path by project, and the tokens of service accounts."""

    framing: Literal["sse", "eventstream"] = "sse"

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._coming: dict[str, asyncio.Future[_Token]] = {}

    def dialects(self, upstream: Upstream) -> tuple[str, ...]:
        """By the model's name: each family is spoken to in its own."""
        return dialects_of(upstream)

    async def order(self, upstream: Upstream, ask: Ask, wire: Wire) -> Order:
        """A POST with an access token. Raises UpstreamError where none is to be had."""
        if ask.dialect == _CLAUDE:
            ask = ask._replace(body=_for_claude(ask))
        return order_of(upstream, ask, upstream.api_key or await self._token(upstream, wire))

    async def _token(self, upstream: Upstream, wire: Wire) -> Secret | None:
        if upstream.service_account is None:
            return None  # a proxy before Vertex may know us otherwise; Google says 401
        key = upstream.service_account.reveal()
        while True:
            held = self._tokens.get(key)
            if held is not None and wire.clock.now_ns() < held.renew_ns:
                return held.secret
            if (coming := self._coming.get(key)) is None:
                guarded = upstream.guarded or upstream.guarded_tokens
                return (await self._renew(key, held, wire, guarded=guarded)).secret
            await asyncio.wait((coming,))
            if not coming.cancelled():
                return coming.result().secret  # or raises what the one who asked was told

    async def _renew(self, key: str, held: _Token | None, wire: Wire, *, guarded: bool) -> _Token:
        """A new token, for all who wait. The one that is held stays in use while it lives, where no new one is to be had."""
        coming = self._coming[key] = asyncio.get_running_loop().create_future()
        try:
            token = self._tokens[key] = await _exchange(_account(key), held, wire, guarded=guarded)
            coming.set_result(token)
        except UpstreamError as error:
            coming.set_exception(error)
            coming.exception()  # seen: there may be nobody else
            raise
        finally:
            del self._coming[key]
            coming.cancel()  # where we were cancelled: the next who waits asks
        return token


async def _exchange(account: Account, held: _Token | None, wire: Wire, *, guarded: bool) -> _Token:
    now_ns = wire.clock.now_ns()
    try:
        return await _ask_for_token(account, wire, guarded=guarded)
    except UpstreamError:
        if held is None or held.ends_ns <= now_ns:
            raise
        return held._replace(renew_ns=min(now_ns + _PAUSE, held.ends_ns))


async def _ask_for_token(account: Account, wire: Wire, *, guarded: bool) -> _Token:
    where = f"the token server {account.token_uri} for the service account {account.client_email}"
    now = wire.clock.now_ns() // NANOSECONDS
    assertion = _assertion(account, now)
    order = Order(
        url=account.token_uri,
        headers=(),
        body=urlencode({"grant_type": _GRANT, "assertion": assertion.reveal()}).encode(),
        where=where,
        blot=(assertion,),
        content_type="application/x-www-form-urlencoded",
        guarded=guarded,
    )
    try:
        async with wire.send(order, seconds=_PATIENCE) as reply:
            body = await reply.read_all()
    except UpstreamRefusedError as refusal:
        if not 400 <= refusal.upstream_status < 500 or refusal.retryable:
            raise
        raise _refused(refusal.message) from None
    try:
        granted = msgspec.json.decode(body, type=_Granted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UpstreamCutError(f"{where} answered with something that is no token") from error
    ends_ns = (now + granted.expires_in) * NANOSECONDS
    return _Token(Secret(granted.access_token), ends_ns - min(_EARLY, granted.expires_in * NANOSECONDS // 2), ends_ns)


@hiding("access_token")
class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int = _LIFE


def _account(text: str) -> Account:
    try:
        return msgspec.json.decode(text, type=Account, dec_hook=_hidden)
    except msgspec.MsgspecError:
        raise _refused("the service account is not the JSON of a service account's key") from None


def _hidden(_: type, value: Any) -> Secret:
    return Secret(str(value))


def _assertion(account: Account, now: int) -> Secret:
    """What the account says of itself, signed: a JSON Web Token. Raises UpstreamRefusedError for a key that is none."""
    try:
        key = load_pem_private_key(account.private_key.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise _refused(f"the private key of the service account {account.client_email} is no RSA key in PEM")
    head = {"alg": "RS256", "typ": "JWT", **({"kid": account.private_key_id} if account.private_key_id else {})}
    claims = {"iss": account.client_email, "scope": _SCOPE, "aud": account.token_uri, "iat": now, "exp": now + _LIFE}
    said = b".".join(_base64(msgspec.json.encode(part)) for part in (head, claims))
    return Secret(b".".join((said, _base64(key.sign(said, PKCS1v15(), SHA256())))).decode())


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _refused(message: str) -> UpstreamRefusedError:
    return UpstreamRefusedError(
        message, upstream_status=401, next_step="check the service account's key and its role (Vertex AI User)"
    )


_Fields: TypeAlias = dict[str, msgspec.Raw]


def _for_claude(ask: Ask) -> bytes:
    """The body of Anthropic's dialect as Vertex takes it: with the version, and with the model in the path alone."""
    fields: _Fields = {
        **msgspec.json.decode(ask.body, type=_Fields),
        "anthropic_version": _CLAUDES_VERSION,
    }
    if ask.verb == "generate":
        fields.pop("model", None)
    return msgspec.json.encode(fields)


PROVIDER = Vertex()
