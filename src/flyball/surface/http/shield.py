"""The outermost layer of the control process: which hosts are answered, how much is read, which headers every answer has.

Pure ASGI, so that it also covers answers that the framework makes by itself. Knows no route and no caller.
"""

import ipaddress
import logging
import re
from typing import Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flyball.kit.errors import FlyballError
from flyball.kit.ids import new_span_id
from flyball.settings import Settings

from .capping import BODY, CappedBody, Holding
from .cookies import HTTPS
from .errors import HostRefusedError
from .responses import failure

logger = logging.getLogger("flyball.http")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
STRICT_TRANSPORT = "max-age=31536000"  # a year, and this name alone: neighbours are not ours to bind
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::[0-9]{1,5})?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class AllowedHosts:
    """Which Host headers are answered: loopback, the configured names, and bare addresses once bound beyond loopback.

    A bare address cannot be rebound by somebody else's DNS, a name can.
    """

    def __init__(self, settings: Settings) -> None:
        further = (name.strip().lower() for name in settings.allowed_hosts.split(","))
        self._names = LOOPBACK_NAMES | {name for name in (*further, settings.host.lower()) if name}
        self._any_address = settings.host not in LOOPBACK_NAMES and settings.host != "::1"

    def __contains__(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower()
        return name in self._names or (self._any_address and _is_address(name))


class Shield:
    """An ASGI application around another, for one door: `admin` (a private socket) or `public`."""

    def __init__(self, app: ASGIApp, *, door: Literal["admin", "public"], settings: Settings) -> None:
        self._app = app
        self._door = door
        self._hosts = AllowedHosts(settings)
        self._most_bytes = settings.max_body_bytes
        self._holding = Holding(settings.most_body_bytes)
        self._https = door == "public" and settings.browsers_use_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP is closed."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        given = Headers(scope=scope).get("x-request-id", "")
        scope["flyball.request_id"] = given if _REQUEST_ID.fullmatch(given) else new_span_id()
        scope["flyball.door"] = self._door
        scope[HTTPS] = self._https
        answer = _Answer(scope, send)
        headers = Headers(scope=scope)
        body = scope[BODY] = CappedBody(receive, headers, self._holding, self._most_bytes)
        try:
            self._check(headers)
            await self._app(scope, body, answer)
        except FlyballError as error:
            await self._fail(scope, receive, answer, error)
        except ClientDisconnect:
            logger.debug("request %s: the client left", scope["flyball.request_id"])
        except Exception:  # -- the door: the framework has answered 500 already, the cause belongs in the log
            logger.exception("request %s failed: %s %r", scope["flyball.request_id"], scope["method"], scope["path"])
            await self._fail(scope, receive, answer, FlyballError("flyball failed; the cause is in its log"))
        finally:
            body.release()

    def _check(self, headers: Headers) -> None:
        host = headers.getlist("host")
        if self._door == "public" and (len(host) != 1 or host[0] not in self._hosts):
            raise HostRefusedError(
                f"this server does not answer for the host {', '.join(host) or 'none given'!r:.100}",
                next_step="add the name to FLYBALL_ALLOWED_HOSTS and start flyball again",
            )

    async def _fail(self, scope: Scope, receive: Receive, answer: "_Answer", error: FlyballError) -> None:
        if not answer.started:
            await failure(error)(scope, receive, answer)


class _Answer:
    """Adds the headers and the cookies of this request when the answer starts."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.started = False
        self._scope = scope
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY_HEADERS)
            if self._scope[HTTPS] and not _names_localhost(headers=Headers(scope=self._scope)):
                headers["strict-transport-security"] = STRICT_TRANSPORT
            headers.setdefault("cache-control", "no-store")
            headers["x-request-id"] = self._scope["flyball.request_id"]
            for cookie in self._scope.get("flyball.cookies", {}).values():
                headers.append("set-cookie", cookie)
        await self._send(message)


def _names_localhost(headers: Headers) -> bool:
    """Whether a browser would hold every server on this machine to what it is told of this one."""
    return headers.get("host", "").partition(":")[0].lower() == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
