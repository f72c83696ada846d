"""One HTTP exchange, over the data directory's Unix socket or to a remote server. Knows bytes and addresses, no JSON."""

import http.client
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias
from urllib.parse import quote

from pyreqwest.client import SyncClientBuilder
from pyreqwest.exceptions import BuilderError, RequestError

from flyball.kit.causes import last_cause

from .errors import NotReachableError


class Answer(NamedTuple):
    """A status and a body."""

    status: int
    body: bytes


Payload: TypeAlias = bytes | IO[bytes] | None
_PIECE = 256 * 1024
_PROJECT_HEADER = "x-flyball-project"  # surface.http reads it; its words are encoded as in an address


class SocketTransport:
    """A fresh connection per request to a Unix socket: commands make few."""

    def __init__(self, path: Path, root: Path, project: str = "") -> None:
        self._path = path
        self._root = root
        self._headers = {_PROJECT_HEADER: quote(project)} if project else {}

    def send(self, method: str, target: str, body: Payload, *, timeout: float) -> Answer:
        """Ask, and read the whole answer."""
        connection = _UnixConnection(self._path, timeout)
        try:
            connection.request(method, target, body, _described(body) | self._headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotReachableError(
                f"no flyball is running on {self._root}",
                next_step=f"start it with `flyball up --data {self._root}`, or name another with --data or --server",
            ) from None
        except PermissionError:
            raise NotReachableError(
                f"the socket {self._path} belongs to another user",
                next_step="run the command as the user who runs flyball, or use --server and --key",
            ) from None
        except TimeoutError:
            raise NotReachableError(
                f"flyball on {self._root} did not answer {method} {target} within {timeout:g} s",
                next_step="run `flyball doctor`",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise NotReachableError(
                f"flyball on {self._root} broke off while answering {method} {target} ({error or type(error).__name__})",
                next_step="repeat the command; if it happens again, run `flyball doctor`",
            ) from None
        finally:
            connection.close()


def _described(body: Payload) -> dict[str, str]:
    if body is None or isinstance(body, bytes):
        return {"content-type": "application/json"} if body is not None else {}
    return {"content-type": "application/octet-stream", "content-length": str(os.fstat(body.fileno()).st_size)}


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout, blocksize=_PIECE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path in place of a host and port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class RemoteTransport:
    """HTTP(S) with a bearer key; proxies and certificates of the machine are honoured."""

    def __init__(self, server: str, key: str) -> None:
        self._server = server.rstrip("/")
        self._key = key

    def send(self, method: str, target: str, body: Payload, *, timeout: float) -> Answer:
        """Ask, and read the whole answer."""
        headers = _described(body) | ({"authorization": f"Bearer {self._key}"} if self._key else {})
        try:
            with SyncClientBuilder().timeout(timedelta(seconds=timeout)).build() as client:
                request = client.request(method, self._server + target).headers(headers)
                if body is not None:
                    request = (
                        request.body_bytes(body) if isinstance(body, bytes) else request.body_stream(_pieces(body))
                    )
                response = request.build().send()
                return Answer(response.status, bytes(response.bytes()))
        except (RequestError, BuilderError, ValueError) as error:
            raise NotReachableError(
                f"{self._server} cannot be reached ({last_cause(error)})",
                next_step="check --server (FLYBALL_SERVER), such as https://flyball.example.com",
            ) from None
