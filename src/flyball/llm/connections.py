"""Connections to hosts over TCP and TLS: pooled, through the proxies that the environment names, closed by leaving.

Knows addresses and the ways to them; knows no request but CONNECT. HTTP/1.1 alone: every exchange has a connection to itself, so
that closing it tells the other side to stop, at any moment.
"""

import asyncio
import base64
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from flyball.kit.errors import FlyballError
from flyball.kit.http1 import Connection

_IDLE_SECONDS = 30.0
_MOST_IDLE = 100  # of one origin
_MOST_TRIED = 4  # numbers of one name
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_AS_THEY_ARE = "%/:=&?~#+!$,;'@()*[]-._"  # in a path and its query; everything else is quoted


Guard: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""The numbers behind an address such as `https://host:443/`, all of which may be called. Raises FlyballError where one may not."""


class ConnectError(Exception):
    """There is no way to an address; says why, in words."""


class ClosedError(Exception):
    """A connection ended too early; says why, in words, where that is known."""


class Address(NamedTuple):
    """Where a URL leads."""

    secure: bool
    host: str
    port: int
    named: str  # the value of the Host header
    target: str  # path and query, quoted


class Origin(NamedTuple):
    """What connections are pooled by: whom they lead to, through whom, and whether that was checked."""

    secure: bool
    host: str
    port: int
    proxy: str
    guarded: bool = False


@lru_cache(maxsize=4096)
def address_of(url: str) -> Address:
    """Take a URL apart. Raises ValueError for one that leads nowhere."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"{parts.scheme or 'nothing'} is no scheme, or there is no host")
    secure = parts.scheme == "https"
    host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    if not host.isprintable() or " " in host:
        raise ValueError("the host is no name")
    usual = 443 if secure else 80
    port = parts.port or usual
    shown = f"[{host}]" if ":" in host else host
    target = quote(parts.path or "/", safe=_AS_THEY_ARE) + (
        f"?{quote(parts.query, safe=_AS_THEY_ARE)}" if parts.query else ""
    )
    return Address(secure, host, port, shown if port == usual else f"{shown}:{port}", target)


class Connections:
    """Those of one process. `take` one, `give_back` it."""

    def __init__(
        self, connect_seconds: float, *, tls: ssl.SSLContext | None = None, guard: Guard | None = None
    ) -> None:
        self._connect_seconds = connect_seconds
        self._guard = guard
        # Made now: it reads the system's certificates from disk, which no call may wait for.
        self._tls = tls or ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._proxies = getproxies_environment()
        self._idle: dict[Origin, list[Connection]] = {}

    def way_to(self, address: Address, *, guarded: bool = False) -> Origin:
        """Whom a connection leads to, and through which proxy. A guarded one goes through none: what a proxy calls nobody checks."""
        if guarded:
            return Origin(address.secure, address.host, address.port, "", guarded=True)
        proxy = ""
        if self._proxies and address.host not in _LOOPBACK:
            proxy = self._proxies.get("https" if address.secure else "http") or self._proxies.get("all") or ""
            if proxy and proxy_bypass(f"{address.host}:{address.port}", self._proxies):
                proxy = ""
        return Origin(address.secure, address.host, address.port, proxy)

    async def take(self, origin: Origin) -> Connection:
        """A connection that nobody else uses. Raises ConnectError."""
        idle = self._idle.get(origin)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if not connection.closed and now - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._connect(origin)
        except TimeoutError:
            raise ConnectError(f"no connection within {self._connect_seconds:g} s") from None
        except FlyballError as error:
            raise ConnectError(error.message) from error
        except (OSError, ClosedError) as error:  # names that nobody knows and TLS that fails are OSErrors too
            raise ConnectError(_reason(error)) from error

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose exchange is over; close any other at once."""
        idle = self._idle.setdefault(origin, [])
        if connection.reusable and len(idle) < _MOST_IDLE:
            connection.idle_since = asyncio.get_running_loop().time()
            idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what waits for use."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    async def _connect(self, origin: Origin) -> Connection:
        if origin.proxy:
            return await self._through(urlsplit(origin.proxy), origin)
        if origin.guarded:
            return await self._to_one_of(await self._checked(origin), origin)
        return await self._to_one_of((origin.host,), origin)

    async def _checked(self, origin: Origin) -> Sequence[str]:
        """The numbers to connect to, looked up once: what was checked is what is called."""
        if self._guard is None:
            raise ConnectError("nobody here checks where addresses lead")
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        return (await self._guard(f"http{'s' if origin.secure else ''}://{host}:{origin.port}/"))[:_MOST_TRIED]

    async def _to_one_of(self, hosts: Sequence[str], origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        tls, named = (self._tls, origin.host) if origin.secure else (None, None)
        failed: OSError = OSError("nobody knows the name")
        for host in hosts:
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(ClosedError), host, origin.port, ssl=tls, server_hostname=named
                )
            except OSError as error:
                failed = error
            else:
                return connection
        raise failed

    async def _through(self, proxy: SplitResult, origin: Origin) -> Connection:
        """A connection by way of a proxy: a tunnel where the end is to be encrypted."""
        if proxy.scheme != "http" or not proxy.hostname:
            raise ConnectError(f"the proxy that the environment names is none of http:// ({proxy.scheme}://)")
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(ClosedError), proxy.hostname, proxy.port or 80)
        if not origin.secure:
            return connection
        through = False
        try:
            await self._tunnel(connection, origin)
            through = True
        finally:
            if not through:
                connection.close()
        return connection

    async def _tunnel(self, connection: Connection, origin: Origin) -> None:
        place = (f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}").encode()
        connection.begin(without_body=True)
        connection.send(b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (place, place, presented_to(origin.proxy)))
        status, _ = await connection.head()
        if status != 200:
            raise ConnectError(f"the proxy answered {status}")
        await connection.encrypt(self._tls, origin.host)


def _reason(error: Exception) -> str:
    """Why, in the system's own words where it has some: `Connection refused`."""
    number = error.errno if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    if number is not None and number > 0:
        return os.strerror(number)
    return str(error) or type(error).__name__


def presented_to(proxy: str) -> bytes:
    """The header line by which a proxy knows us, where its address holds a name and a password."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return b""
    known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"proxy-authorization: Basic %b\r\n" % base64.b64encode(known.encode())
