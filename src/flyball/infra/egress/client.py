"""A call to an address that came from outside: looked up once, every answer checked, connected to what was checked.

Knows bytes and addresses; knows not who calls. One connection per call, no proxy, no cookie, nothing unpacked, no redirect unless asked for.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple, Self, TypeAlias
from urllib.parse import urljoin

from flyball.kit.http1 import Connection, Headers
from flyball.kit.secrets import Secret
from flyball.settings import Settings

from .address import Target, target_of
from .errors import (
    AddressDeniedError,
    AddressUnfitError,
    AnswerTooLargeError,
    OutsideAwayError,
    OutsideCutError,
    RedirectRefusedError,
)
from .networks import Ip, Network, parse_networks, why_denied

Resolver: TypeAlias = Callable[[str, int], Awaitable[list[Ip]]]
"""Every address of a name, in the order in which they are tried. Raises OSError where there is none."""

MOST_BYTES = 1024 * 1024
_MOST_ADDRESSES = 4  # that are tried one after the other
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_GOES_ELSEWHERE = frozenset({"accept", "accept-language"})  # all that another origin is told
_OURS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "user-agent",
        "accept-encoding",
        "te",
        "upgrade",
        "expect",
    }
)
_METHOD = re.compile(r"[A-Z]{3,7}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Answer(NamedTuple):
    """What an address answered. Header names are in lower case; of several of one name the first. `url`: who said it in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _Call(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    most_bytes: int


class Egress:
    """The client. Holds no connection, so it needs no closing; one per process is enough."""

    def __init__(
        self,
        *,
        allowed: tuple[Network, ...] = (),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolver or resolve
        self._tls = tls or ssl.create_default_context()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The client that calls public addresses and those of FLYBALL_ALLOWED_NETWORKS."""
        return cls(allowed=parse_networks(settings.allowed_networks))

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        body: bytes = b"",
        seconds: float = 10.0,
        most_bytes: int = MOST_BYTES,
        redirects: int = 0,
    ) -> Answer:
        """Call an address, whatever its status says, within `seconds` for everything. A redirect is an answer like others.

        With `redirects` so many are followed, each checked like the first; to another origin neither headers nor a body go along.

        Raises:
            AddressUnfitError: it is not spelt as addresses are, or a header cannot be sent.
            AddressDeniedError: any of its numbers is in a network that is not called.
            OutsideError: there was no answer to use.
        """
        call = _Call(method, url, _plain(headers or {}), body, most_bytes)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(call, redirects)
        except TimeoutError:
            raise OutsideAwayError(
                f"{_shown(url)} gave no whole answer within {seconds:g} s", next_step="check that it runs and try again"
            ) from None

    async def check(self, url: str) -> None:
        """Prove that an address may be called, without calling it: for the form in which somebody enters it.

        Raises:
            AddressUnfitError, AddressDeniedError, OutsideAwayError: as `request` would.
        """
        try:
            async with asyncio.timeout(10):
                await self._numbers(target_of(url))
        except TimeoutError:
            raise OutsideAwayError(f"the name in {_shown(url)} cannot be looked up in time") from None

    async def numbers(self, url: str) -> list[str]:
        """The numbers behind an address, each of which may be called: for a caller with connections of its own.

        Raises:
            AddressUnfitError, AddressDeniedError, OutsideAwayError: as `request` would.
        """
        return [str(number) for number in await self._numbers(target_of(url))]

    async def _follow(self, call: _Call, redirects: int) -> Answer:
        target = target_of(call.url)
        answer = await self._once(call, target)
        for _ in range(redirects):
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            call, target = _next(call, target, answer)
            answer = await self._once(call, target)
        if redirects and answer.status in _REDIRECTS and "location" in answer.headers:
            raise RedirectRefusedError(f"{_shown(call.url)} sends on more than {redirects} times")
        return answer

    async def _once(self, call: _Call, target: Target) -> Answer:
        request = _bytes_of(call, target)
        connection = await self._connect(target, await self._numbers(target))
        try:
            connection.begin(without_body=call.method == "HEAD")
            connection.send(request)
            status, headers = await connection.head()
            return Answer(status, _texts(headers), await _read(connection, call), call.url)
        finally:
            connection.close()

    async def _numbers(self, target: Target) -> list[Ip]:
        """The target's addresses, all of them allowed: a name with one bad number among good ones is a trick."""
        if target.ip is not None:
            found = [target.ip]
        else:
            try:
                found = await self._resolve(target.host, target.port)
            except (OSError, UnicodeError):
                found = []
        if not found:
            raise OutsideAwayError(f"nobody knows the name {target.host!r:.120}", next_step="correct the address")
        for number in found:
            if why := why_denied(number, self._allowed):
                raise AddressDeniedError(
                    f"{target.host!r:.120} is not called: it leads to {why}",
                    next_step="give a public address, or list the network in FLYBALL_ALLOWED_NETWORKS and start flyball again",
                )
        return found

    async def _connect(self, target: Target, numbers: list[Ip]) -> Connection:
        """A connection to one of these numbers; the certificate is that of the name."""
        loop = asyncio.get_running_loop()
        tls, name = (self._tls, target.host) if target.secure else (None, None)

        def cut(why: str) -> Exception:
            return OutsideCutError(
                f"{target.named} closed the connection before its answer was complete{f' ({why})' if why else ''}"
            )

        reason = ""
        for number in numbers[:_MOST_ADDRESSES]:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(cut), str(number), target.port, ssl=tls, server_hostname=name
                )
            except OSError as error:  # TLS that fails is one too
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            else:
                return connection
        raise OutsideAwayError(
            f"{target.named} cannot be reached ({reason:.200})",
            next_step="check that it runs and that its certificate is good",
        )


async def resolve(host: str, port: int) -> list[Ip]:
    """Every address that the system knows for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)  # 1: SOCK_STREAM
    return list(dict.fromkeys(ip_address(address[0]) for *_, address in found))


def _plain(headers: Mapping[str, str | Secret]) -> dict[str, str]:
    plain = {name.lower(): value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
    for name, value in plain.items():
        if name in _OURS or not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise AddressUnfitError(f"the header {name!r:.80} cannot be sent")
    return plain


def _bytes_of(call: _Call, target: Target) -> bytes:
    if not _METHOD.fullmatch(call.method) or call.method == "CONNECT":
        raise AddressUnfitError(f"{call.method!r:.20} is no method that is sent")
    framing = {} if call.method in ("GET", "HEAD") and not call.body else {"content-length": str(len(call.body))}
    lines = {"host": target.named, "user-agent": "flyball", "accept-encoding": "identity", "connection": "close"}
    named = {**lines, "accept": "*/*", **call.headers, **framing}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"{call.method} {target.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + call.body


def _texts(headers: Headers) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(headers)}


async def _read(connection: Connection, call: _Call) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while (piece := await connection.read()) is not None:
        size += len(piece)
        if size > call.most_bytes:
            raise AnswerTooLargeError(f"{_shown(call.url)} answered with more than {call.most_bytes} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _next(call: _Call, target: Target, answer: Answer) -> tuple[_Call, Target]:
    """The call that a redirect asks for. Raises RedirectRefusedError where we do not make it."""
    try:
        url = urljoin(call.url, answer.headers["location"])
        to = target_of(url)
    except (ValueError, AddressUnfitError):
        raise RedirectRefusedError(f"{_shown(call.url)} sends on to what is no address") from None
    if target.secure and not to.secure:
        raise RedirectRefusedError(f"{_shown(call.url)} sends on to an address without TLS")
    keeps = answer.status in _KEEPS_METHOD
    method = call.method if keeps or call.method == "HEAD" else "GET"
    body = call.body if keeps else b""
    headers = call.headers
    if to.origin != target.origin:
        if body:
            raise RedirectRefusedError(f"{_shown(call.url)} sends what it was told on to {to.named}")
        headers = {name: value for name, value in headers.items() if name in _GOES_ELSEWHERE}
    return call._replace(method=method, url=url, headers=headers, body=body), to


def _shown(url: str) -> str:
    """An address in an error: the host, since paths and queries of webhooks are their passwords."""
    return repr(url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2][:120])
