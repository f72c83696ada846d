"""The one public port: bound before anything starts, named with its holder where it is taken. Knows sockets, no HTTP."""

import errno
import ipaddress
import socket
from typing import Any

import psutil

from .errors import AddressRefusedError, PortInUseError

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, to be inherited by the gateway workers. Port 0 takes a free one.

    Raises:
        PortInUseError: another program listens there; says which.
        AddressRefusedError: the host is not of this machine, or the port is not for us.
    """
    family, address = _resolve(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refusal(host, port, error) from None
    return listener


def url_of(host: str, listener: socket.socket, *, secure: bool = False) -> str:
    """The address to open in a browser: any-address becomes the loopback one."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 -- it is compared, not bound
    return f"http{'s' if secure else ''}://{f'[{name}]' if ':' in name else name}:{listener.getsockname()[1]}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def holder_of_port(port: int) -> str:
    """Who listens on a TCP port, in words; empty where nobody does or nobody may know."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
            return _describe(connection.pid)
    return ""


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {pid}"
    return f"process {pid}, {command[:80]}"


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    if not 0 <= port <= 65_535:
        raise AddressRefusedError(
            f"there is no port {port}", next_step="choose one from 1024 to 65535, or 0 for a free one"
        )
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise AddressRefusedError(
            f"the host {host!r} is not known ({error.strerror})",
            next_step="use --host 127.0.0.1, or an address of this machine",
        ) from None
    return found[0][0], found[0][4]


def _refusal(host: str, port: int, error: OSError) -> PortInUseError | AddressRefusedError:
    if error.errno == errno.EADDRINUSE:
        holder = holder_of_port(port)
        return PortInUseError(
            f"port {port} on {host} is in use" + (f" by {holder}" if holder else ""),
            next_step=f"stop that program, or choose another port with --port {port + 1} (0 takes a free one)",
        )
    if error.errno == errno.EACCES:
        return AddressRefusedError(
            f"port {port} needs more rights than this user has", next_step="choose a port above 1023 with --port"
        )
    return AddressRefusedError(
        f"{host} port {port} cannot be bound ({error.strerror})",
        next_step="use --host 127.0.0.1, or an address of this machine",
    )
