"""OTLP over gRPC, on a port of its own: prove the key, take the message's bytes, one verb, answer. Errors carry google.rpc.Status.

The key is proven before the message is read, as HTTP's guard does it. Knows gRPC; what a message holds is the verb's.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError, UnauthenticatedError, UnavailableError
from flyball.kit.secrets import Secret
from flyball.settings import Settings
from flyball.surface.http.errors import PermissionMissingError
from flyball.surface.http.identity import Prover, RefusalRecorder, require

from .answers import encoded, response_of, status_of
from .gate import gate_of
from .signals import SIGNALS, Signal
from .taking import PROTOBUF, take_request

PERMISSION = "traces.write"
_GRACE_SECONDS = 5
_PATIENCE_SECONDS = 20  # for a message whose call has begun: others wait for their turn
_logger = logging.getLogger(__name__)
_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_SIGNALS: Mapping[str, Signal] = {messages.method: signal for signal, messages in SIGNALS.items()}


@asynccontextmanager
async def serving(ctx: Context, prover: Prover, record: RefusalRecorder) -> AsyncIterator[int]:
    """Serve for as long as the block lasts, on `otlp_grpc_port`; the port, or 0 where it is off or taken, which is logged."""
    settings = ctx.settings
    if not settings.otlp_grpc_port:
        yield 0
        return
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.so_reuseport", 0),  # a port that another program holds is not shared with it
        ],
        maximum_concurrent_rpcs=settings.most_calls,
    )
    server.add_generic_rpc_handlers((_Services(_Door(ctx, prover, record)),))
    try:
        port = _bind(server, settings)
    except RuntimeError:
        _logger.warning(
            "OTLP over gRPC is not served: port %d on %s is taken. Next: free it, or set FLYBALL_OTLP_GRPC_PORT "
            "to another one, 0 for none",
            settings.otlp_grpc_port,
            settings.host,
        )
        yield 0
        return
    await server.start()
    try:
        yield port
    finally:
        await server.stop(_GRACE_SECONDS)


def _bind(server: Any, settings: Settings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.otlp_grpc_port}"
    if not settings.tls_certificate:
        return int(server.add_insecure_port(address))
    with open(settings.tls_key, "rb") as key, open(settings.tls_certificate, "rb") as certificate:  # noqa: PTH123 -- both at once
        credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
    return int(server.add_secure_port(address, credentials))


class _Services(grpc.GenericRpcHandler):  # type: ignore[misc] # the library has no types
    """The three services, by their methods."""

    def __init__(self, door: "_Door") -> None:
        self._handlers = {
            method: grpc.stream_unary_rpc_method_handler(partial(door.export, signal))
            for method, signal in _SIGNALS.items()
        }

    def service(self, handler_call_details: Any) -> Any:
        """What answers a call; None where nothing does."""
        return self._handlers.get(handler_call_details.method)


class _Door:
    def __init__(self, ctx: Context, prover: Prover, record: RefusalRecorder) -> None:
        self._ctx = ctx
        self._prover = prover
        self._record = record

    async def export(self, signal: Signal, messages: AsyncIterator[bytes], call: Any) -> bytes:
        """One call: a message, which on the wire cannot be told from a stream of one."""
        try:
            ctx = await self._let_in(call)
            async with gate_of(ctx).reading:
                return await self._take(ctx, signal, messages)
        except FlyballError as error:
            status = status_of(error)
        except Exception:  # -- the door: a mistake of ours is an answer too, and the cause belongs in the log
            _logger.exception("a request of OTLP over gRPC failed")
            status = status_of(FlyballError("flyball failed; the cause is in its log"))
        await _refuse(call, status)
        return b""

    async def _take(self, ctx: Context, signal: Signal, messages: AsyncIterator[bytes]) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                message = await anext(messages, b"")
        except TimeoutError:
            raise UnavailableError(
                f"the message did not arrive within {_PATIENCE_SECONDS} seconds", next_step="send it again"
            ) from None
        taken = await take_request(ctx, signal, message, content_type=PROTOBUF)
        return encoded(response_of(signal, taken), PROTOBUF)

    async def _let_in(self, call: Any) -> Context:
        metadata = {key: value for key, value in call.invocation_metadata() if isinstance(value, str)}
        key = _key(metadata)
        proof = await self._prover(self._ctx, bearer=Secret(key), session=None, address=_address(call)) if key else None
        if proof is None:
            raise UnauthenticatedError(
                "OTLP needs a valid key",
                next_step="send the metadata `authorization: Bearer KEY` (`flyball keys create NAME` makes a key)",
            )
        ctx = replace(self._ctx, actor=proof.actor, project=proof.project)
        try:
            require(ctx, PERMISSION)
        except PermissionMissingError:
            await self._note(ctx)
            raise
        return ctx

    async def _note(self, ctx: Context) -> None:
        note: Awaitable[None] = self._record(ctx, PERMISSION)
        try:
            await note
        except FlyballError as trouble:  # the caller is refused all the same
            _logger.warning("a refusal is not in the audit record: %s", trouble)


async def _refuse(call: Any, status: Status) -> None:
    details = (("grpc-status-details-bin", status.SerializeToString()),)
    await call.abort(_CODES[status.code], status.message, trailing_metadata=details)


def _key(metadata: Mapping[str, str]) -> str:
    """The key as a bearer token, as the password of Basic, or as x-api-key."""
    scheme, _, value = metadata.get("authorization", "").partition(" ")
    found = _READ.get(scheme.lower())
    return found(value.strip()) if found else metadata.get("x-api-key", "").strip()


def _bearer(value: str) -> str:
    return value


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2].strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


_READ: Mapping[str, Callable[[str], str]] = {"bearer": _bearer, "basic": _password}


def _address(call: Any) -> str:
    """Where a call comes from: `ipv4:192.0.2.1:4711`, or `ipv6:%5B::1%5D:4711`."""
    family, _, rest = unquote(call.peer()).partition(":")
    if family not in ("ipv4", "ipv6"):
        return ""
    return rest.rpartition(":")[0].strip("[]")
