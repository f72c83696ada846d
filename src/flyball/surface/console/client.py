"""How commands speak with the control API: one request at a time, JSON in and out. Knows no route and no noun."""

import io
from typing import IO, Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from flyball.kit.layout import Layout
from flyball.settings import Settings

from .errors import ControlError
from .options import options
from .transport import Answer, Payload, RemoteTransport, SocketTransport


class Transport(Protocol):
    """What carries one request to the control process."""

    def send(self, method: str, target: str, body: Payload, *, timeout: float) -> Answer:
        """The answer, whatever its status; raises NotReachableError where there is none."""
        ...


class ControlClient:
    """The control API, as the commands use it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @classmethod
    def local(cls, layout: Layout, project: str = "") -> "ControlClient":
        """Through the Unix socket in the data directory, with the authority of its owner, in the project that they name."""
        return cls(SocketTransport(layout.socket("admin"), layout.root, project))

    @classmethod
    def remote(cls, server: str, key: str) -> "ControlClient":
        """Over HTTP(S), with the authority of a key."""
        return cls(RemoteTransport(server, key))

    def get(self, path: str, *, timeout: float = 60, **query: Any) -> Any:
        """GET; query values that are None are left out, lists are repeated."""
        return self._call("GET", path, None, timeout, query)

    def get_bytes(self, path: str, *, timeout: float = 60, **query: Any) -> bytes:
        """GET something that is no JSON: the answer's body as it is."""
        answer = self._transport.send("GET", _target(path, query), None, timeout=timeout)
        if answer.status >= 400:
            raise _refusal(answer, f"GET {path}")
        return answer.body

    def post(self, path: str, body: Any = None, *, timeout: float = 60, **query: Any) -> Any:
        """POST a value (records and dicts become JSON)."""
        return self._call("POST", path, {} if body is None else body, timeout, query)

    def put(self, path: str, body: Any, *, timeout: float = 60) -> Any:
        """PUT a value."""
        return self._call("PUT", path, body, timeout, {})

    def send_file(self, path: str, file: IO[bytes], *, timeout: float = 3600, **query: Any) -> Any:
        """POST a file's bytes as they are read; it is not held in memory."""
        return self._call("POST", path, file, timeout, query)

    def delete(self, path: str, *, timeout: float = 60) -> Any:
        """DELETE the thing at the path."""
        return self._call("DELETE", path, None, timeout, {})

    def _call(self, method: str, path: str, body: Any, timeout: float, query: dict[str, Any]) -> Any:
        payload: Payload = body if body is None or isinstance(body, io.BufferedReader) else msgspec.json.encode(body)
        answer = self._transport.send(method, _target(path, query), payload, timeout=timeout)
        if answer.status >= 400:
            raise _refusal(answer, f"{method} {path}")
        return _decode(answer, f"{method} {path}")


def _target(path: str, query: dict[str, Any]) -> str:
    asked = {name: value for name, value in query.items() if value is not None}
    return quote(path, safe="/%~:@") + (f"?{urlencode(asked, doseq=True)}" if asked else "")


def control(settings: Settings | None = None) -> ControlClient:
    """The client that the running command line chose: `--server`, else the local data directory.

    Raises ControlError for a remote one and a project: a key acts in its own.
    """
    settings = settings or options().settings()
    if settings.server and settings.project:
        raise ControlError(
            f"a key acts in its own project, so {settings.project!r:.60} cannot be chosen",
            status=400,
            code="project_of_key",
            next_step="give a key of that project, and no --project (FLYBALL_PROJECT)",
        )
    if settings.server:
        return ControlClient.remote(settings.server, settings.key)
    return ControlClient.local(Layout(settings.data_path), settings.project)


def segment(name: str) -> str:
    """A name as one segment of a path: a slash in it stays in it."""
    return quote(name, safe="")


def _decode(answer: Answer, asked: str) -> Any:
    if not answer.body:
        return None
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        raise ControlError(
            f"{asked} was answered with something that is not JSON: {answer.body[:80]!r}",
            status=502,
            code="not_json",
            next_step="check that --server names a flyball, not a proxy's error page",
        ) from None


def _refusal(answer: Answer, asked: str) -> ControlError:
    try:
        told = msgspec.json.decode(answer.body)["error"]
        return ControlError(
            str(told["message"]),
            status=answer.status,
            code=str(told.get("code") or "error"),
            next_step=str(told.get("next_step") or ""),
        )
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        text = answer.body[:200].decode(errors="replace").strip()
        return ControlError(
            f"{asked} was refused with status {answer.status}: {text or 'no reason given'}",
            status=answer.status,
            code="http_error",
            next_step="look at the logs in the data directory, or run `flyball doctor`",
        )
