"""Syslog: each line of the chain as one RFC 5424 message, over UDP, TCP, TLS or the machine's own socket.

Over TCP and TLS messages are framed by their length (RFC 6587, RFC 5425). Syslog has no acknowledgement: a message counts as
taken when the connection has taken it; what a receiver loses after that shows as a gap in the chain's numbers.
"""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

import msgspec

from flyball.kit.clock import to_datetime

from .errors import SinkAwayError, SinkUnfitError

_PRIORITY = 13 * 8 + 6  # facility "log audit", severity informational
_SECONDS = 20.0
_ADDRESS = re.compile(
    r"(?P<way>udp|tcp|tls)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?/?|(?P<local>unix)://(?P<path>/.+)"
)
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}


class SyslogAddress(NamedTuple):
    """Where syslog listens: a host and port, or the path of a socket."""

    way: Literal["udp", "tcp", "tls", "unix"]
    host: str
    port: int


class _Said(msgspec.Struct, frozen=True):
    at_ns: str


class _Line(msgspec.Struct, frozen=True):
    event: _Said | None = None
    checkpoint: _Said | None = None


_DECODER = msgspec.json.Decoder(_Line)


def syslog_address(text: str) -> SyslogAddress:
    """Take the setting apart; raises SinkUnfitError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 1) < 65_536:
        raise SinkUnfitError(
            f"FLYBALL_AUDIT_SYSLOG={text!r:.200} is no address of syslog",
            next_step="write udp://host:514, tcp://host:601, tls://host:6514 or unix:///dev/log",
        )
    if match["local"]:
        return SyslogAddress("unix", match["path"], 0)
    way = cast("Literal['udp', 'tcp', 'tls']", match["way"])
    return SyslogAddress(way, match["host"].strip("[]"), int(match["port"] or _PORTS[way]))


class Syslog:
    """One receiver."""

    def __init__(self, name: str, address: SyslogAddress, hostname: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.name = name
        self._address = address
        self._hostname = "".join(letter for letter in hostname if "!" <= letter <= "~")[:255] or "-"
        self._tls = tls

    async def send(self, project: str, lines: Sequence[bytes]) -> None:  # noqa: ARG002 -- each line says its project
        """Hand all of it over; raises SinkAwayError where nobody listens."""
        messages = [message(line, self._hostname) for line in lines]
        try:
            async with asyncio.timeout(_SECONDS):
                if self._address.way in ("tcp", "tls"):
                    await self._stream(messages)
                else:
                    await self._datagrams(messages)
        except (OSError, TimeoutError) as error:
            raise SinkAwayError(
                f"{self.name} cannot be reached ({error or type(error).__name__})", next_step="check that it listens"
            ) from None

    async def _stream(self, messages: Sequence[bytes]) -> None:
        secure = self._address.way == "tls"
        tls = (self._tls or ssl.create_default_context()) if secure else None
        host = self._address.host
        _, writer = await asyncio.open_connection(
            host, self._address.port, ssl=tls, server_hostname=host if secure else None
        )
        try:
            for each in messages:
                writer.write(b"%d %b" % (len(each), each))
                await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ssl.SSLError):  # a receiver that hangs up without a farewell has all of it
                await writer.wait_closed()

    async def _datagrams(self, messages: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        local = self._address.way == "unix"
        where = self._address.host if local else (self._address.host, self._address.port)
        family = socket.AF_UNIX if local else await _family(self._address)
        with socket.socket(family, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            await loop.sock_connect(sending, where)
            for each in messages:
                await loop.sock_sendall(sending, each)


def message(line: bytes, hostname: str) -> bytes:
    """A line of the chain as one message: what happened when, and the line as it is."""
    found = _DECODER.decode(line)
    said = found.event or found.checkpoint
    when = to_datetime(int(said.at_ns)).isoformat(timespec="microseconds").replace("+00:00", "Z") if said else "-"
    kind = "event" if found.event else "checkpoint"
    return f"<{_PRIORITY}>1 {when} {hostname} flyball - audit-{kind} - ".encode() + line


async def _family(address: SyslogAddress) -> socket.AddressFamily:
    found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)
    return found[0][0]
