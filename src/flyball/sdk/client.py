"""The client: an asynchronous core, and the same verbs for synchronous code over the one bridge.

Knows the routes that an application needs and how refusals read. Knows no server code.
"""

import asyncio
import functools
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from typing import Any, Self

import msgspec
from pyreqwest.client import Client as HttpClient
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from flyball.kit.causes import last_cause
from flyball.kit.errors import FlyballError, InvalidInputError, UnavailableError

from . import bridge
from .spans import trace_headers

_SECONDS = 600.0


class NotConfiguredError(InvalidInputError):
    """The client was told neither which flyball nor with which key."""

    code = "not_configured"


class RefusedError(FlyballError):
    """flyball refused a call; `status` and `code` are those of its answer."""

    def __init__(self, message: str, *, status: int, code: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.code = code


class AsyncClient:
    """flyball's verbs for an application, as coroutines.

    Args:
        server: the address of flyball, such as `http://127.0.0.1:4000`; FLYBALL_SERVER unless given.
        key: an API key; FLYBALL_KEY unless given.
        seconds: the longest that one call may take.
    """

    def __init__(self, server: str | None = None, key: str | None = None, *, seconds: float = _SECONDS) -> None:
        self.server = (server or os.environ.get("FLYBALL_SERVER", "")).rstrip("/")
        self._key = key or os.environ.get("FLYBALL_KEY", "")
        self._seconds = seconds
        self._http: HttpClient | None = None

    @property
    def configured(self) -> bool:
        """Whether it knows a server and a key."""
        return bool(self.server and self._key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def call(
        self,
        function: str,
        input: Mapping[str, Any] | str,  # noqa: A002 -- the product's word
        **parameters: Any,
    ) -> dict[str, Any]:
        """Call a function (or a model) with its input; the answer as OpenAI's clients know it, with the field `flyball`.

        The call is a child of the span that is observed around it.
        """
        text = input if isinstance(input, str) else msgspec.json.encode(input).decode()
        body: dict[str, Any] = {"model": function, "messages": [{"role": "user", "content": text}], **parameters}
        if not isinstance(input, str):
            body["flyball"] = {"input": input}
        answer: dict[str, Any] = await self._send("POST", "/v1/chat/completions", body)
        return answer

    async def feedback(
        self, trace_id: str, value: float, *, comment: str = "", correction: str = "", identifier: str = ""
    ) -> dict[str, Any]:
        """Say what a person thinks of a trace: 1 is a thumbs-up, -1 a thumbs-down. The score that was kept."""
        said = {"trace_id": trace_id, "value": value, "comment": comment, "correction": correction}
        score: dict[str, Any] = await self._send("POST", "/api/feedback", said | {"identifier": identifier})
        return score

    async def send_spans(self, spans: Sequence[Mapping[str, Any]]) -> int:
        """Send ended spans; how many were new. On return they are durable; sending them again changes nothing."""
        answer = await self._send("POST", "/api/traces/spans", {"spans": spans})
        return int(answer["new"])

    async def get_trace(self, trace_id: str) -> dict[str, Any]:
        """One trace with its spans and scores. The key needs the permission traces.read."""
        tree: dict[str, Any] = await self._send("GET", f"/api/traces/{trace_id}", None)
        return tree

    async def post(self, path: str, body: bytes, content_type: str) -> bytes:
        """Send bytes as they are, outside of any trace; the answer's. For what was written before."""
        self._check()
        headers = {"authorization": f"Bearer {self._key}", "content-type": content_type}
        status, answer = await self._exchange("POST", self.server + path, headers, body)
        if status >= 400:
            raise _refusal("POST", path, status, answer)
        return answer

    async def _send(self, method: str, path: str, body: Any) -> Any:
        self._check()
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json", **trace_headers()}
        data = None if body is None else msgspec.json.encode(body)
        status, answer = await self._exchange(method, self.server + path, headers, data)
        if status >= 400:
            raise _refusal(method, path, status, answer)
        try:
            return msgspec.json.decode(answer)
        except msgspec.DecodeError as error:
            raise RefusedError(
                f"{method} {path} was answered with something that is not JSON: {answer[:80]!r}",
                status=502,
                code="not_json",
                next_step="check that FLYBALL_SERVER names a flyball",
            ) from error

    def _check(self) -> None:
        if not self.configured:
            raise NotConfiguredError(
                "the client knows no flyball",
                next_step="set FLYBALL_SERVER and FLYBALL_KEY (`flyball keys create NAME`)",
            )

    async def _exchange(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        if _Runtime.forked:
            return await _send_forked(method, url, headers, body, self._seconds)
        _Runtime.used = True
        if self._http is None:
            self._http = ClientBuilder().timeout(timedelta(seconds=self._seconds)).build()
        try:
            request = self._http.request(method, url).headers(headers)
            response = await (request if body is None else request.body_bytes(body)).build().send()
            return response.status, bytes(await response.bytes())
        except ValueError as error:
            raise NotConfiguredError(
                f"{self.server!r:.200} is no address that can be called ({last_cause(error)})",
                next_step="set FLYBALL_SERVER to the whole address, such as http://127.0.0.1:4000",
            ) from error
        except PyreqwestError as error:
            raise UnavailableError(
                f"{self.server} does not answer ({last_cause(error)})",
                next_step="check FLYBALL_SERVER, and that flyball is up",
            ) from error


class Client:
    """The same verbs for synchronous code. Arguments as for `AsyncClient`."""

    def __init__(self, server: str | None = None, key: str | None = None, *, seconds: float = _SECONDS) -> None:
        self._core = AsyncClient(server, key, seconds=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        bridge.run(self._core.close())

    def call(
        self,
        function: str,
        input: Mapping[str, Any] | str,  # noqa: A002 -- the product's word
        **parameters: Any,
    ) -> dict[str, Any]:
        """Call a function with its input; see `AsyncClient.call`."""
        return bridge.run(self._core.call(function, input, **parameters))

    def feedback(
        self, trace_id: str, value: float, *, comment: str = "", correction: str = "", identifier: str = ""
    ) -> dict[str, Any]:
        """Say what a person thinks of a trace; see `AsyncClient.feedback`."""
        return bridge.run(
            self._core.feedback(trace_id, value, comment=comment, correction=correction, identifier=identifier)
        )

    def send_spans(self, spans: Sequence[Mapping[str, Any]]) -> int:
        """Send ended spans; see `AsyncClient.send_spans`."""
        return bridge.run(self._core.send_spans(spans))

    def get_trace(self, trace_id: str) -> dict[str, Any]:
        """One trace with its spans and scores."""
        return bridge.run(self._core.get_trace(trace_id))


class _Runtime:
    """The HTTP client's threads: used in this process, or in the one it was forked from, whose threads and locks are not here."""

    used = False
    forked = False

    @classmethod
    def forget(cls) -> None:
        """In a forked child."""
        cls.forked = cls.forked or cls.used


os.register_at_fork(after_in_child=_Runtime.forget)


def _refusal(method: str, path: str, status: int, data: bytes) -> RefusedError:
    try:
        told = msgspec.json.decode(data)["error"]
        message, code, step = str(told["message"]), str(told.get("code") or "error"), str(told.get("next_step") or "")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        message, code, step = data[:200].decode("utf-8", "replace"), "http_error", ""
    return RefusedError(
        f"{method} {path} was refused with {status}: {message}", status=status, code=code, next_step=step
    )


async def _send_forked(
    method: str, url: str, headers: dict[str, str], body: bytes | None, seconds: float
) -> tuple[int, bytes]:
    send = functools.partial(import_module("flyball.sdk.forked").send, method, url, headers, body, seconds)
    try:
        answer: tuple[int, bytes] = await asyncio.to_thread(send)
    except (
        RuntimeError
    ):  # the interpreter is shutting down and starts no thread: whoever still waits for us may wait here
        answer = send()
    return answer
