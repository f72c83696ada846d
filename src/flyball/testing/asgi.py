"""Calls an ASGI application in this process, as a browser or a program would: one request, its whole answer. For tests.

Knows the protocol and cookies; knows no route. Sockets are not involved, so neither is anything that belongs to them.
"""

import asyncio
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode

import msgspec

Application = Any  # an ASGI 3 application


class Answered(NamedTuple):
    """What came back. Header names are lower case; of a repeated header, all values."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str:
        """The header's value; an empty string where it is missing."""
        return ", ".join(self.headers.get(name.lower(), []))

    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class AsgiClient:
    """Keeps cookies between requests, as a browser does. `headers` are sent with every request."""

    def __init__(self, app: Application, **headers: str) -> None:
        self.app = app
        self.headers = {"host": "127.0.0.1:4000"} | {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **more: Any) -> Answered:
        """GET."""
        return await self.send("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> Answered:
        """POST a value as JSON, or `form={...}`, or `body=b"..."`."""
        return await self.send("POST", path, json=json, **more)

    async def delete(self, path: str, **more: Any) -> Answered:
        """DELETE."""
        return await self.send("DELETE", path, **more)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: dict[str, str] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        """Any request. Lists of bytes cannot be sent: the body goes in one piece."""
        sent = {name.lower(): value for name, value in (self.headers | (headers or {})).items()}
        if form is not None:
            body = urlencode(form).encode()
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        elif json is not None:
            body = msgspec.json.encode(json)
            sent.setdefault("content-type", "application/json")
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answered = await _call(self.app, method, path, sent, body or b"")
        self._keep_cookies(answered)
        return answered

    def _keep_cookies(self, answered: Answered) -> None:
        for line in answered.headers.get("set-cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


async def _call(app: Application, method: str, path: str, headers: dict[str, str], body: bytes) -> Answered:
    address, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(address),
        "raw_path": address.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": None,
        "server": ("127.0.0.1", 4000),
    }
    gone = asyncio.Event()
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    started: dict[str, Any] = {}
    chunks: list[bytes] = []

    async def receive() -> Any:
        if waiting:
            return waiting.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    gone.set()
    found: dict[str, list[str]] = {}
    for name, value in started["headers"]:
        found.setdefault(name.decode().lower(), []).append(value.decode())
    return Answered(started["status"], found, b"".join(chunks))
