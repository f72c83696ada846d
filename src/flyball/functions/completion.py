"""Calling the model behind a prompt variant: which endpoint, how often, in which order, with what told to whom.

Keys are looked up here, at the last moment, and never leave: what an upstream says of one is blotted out of errors.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from flyball.kit.clock import Clock
from flyball.llm.dialects import openai_chat
from flyball.llm.errors import UpstreamCutError, UpstreamError
from flyball.llm.patience import Patience
from flyball.llm.providers.openai_compatible import OpenAICompatible, Reply, Upstream, error_in_body, understand
from flyball.llm.sse import EventParser, EventTooLongError
from flyball.llm.usage import Usage, usage_from_openai
from flyball.models import endpoints
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.records import ModelSpec
from flyball.prompts.records import RenderedMessage

OnDelta: TypeAlias = Callable[[str], Awaitable[None]]


class Completion(NamedTuple):
    """What a model answered, and who answered."""

    text: str = ""
    usage: Usage | None = None
    usage_raw: dict[str, Any] | None = None
    finish_reason: str = "stop"
    provider: str = ""
    model_requested: str = ""
    model_response: str = ""


class ModelCaller:
    """Calls models of the catalog. One per process."""

    def __init__(
        self,
        provider: OpenAICompatible,
        clock: Clock,
        *,
        seconds: float = 600,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._seconds = seconds
        self._environment = environment

    async def complete(
        self,
        name: str,
        spec: ModelSpec,
        messages: Sequence[RenderedMessage],
        parameters: Mapping[str, Any],
        on_delta: OnDelta | None = None,
    ) -> Completion:
        """One answer; its text goes to `on_delta` piece by piece where one is given.

        Endpoints are tried in an order drawn by their weights, again while the deadline lasts, but never after the
        first piece was handed on.

        Raises:
            ModelNotConfiguredError: no endpoint can be called from this process.
            UpstreamError: the last failure.
        """
        order = _drawn(endpoints.resolve(name, spec, self._environment))
        patience = Patience(self._clock, seconds=self._seconds)
        attempt = 0
        while True:
            endpoint = order[attempt % len(order)]
            stream = _Stream(on_delta)
            patience.start_try()
            try:
                async with asyncio.timeout(patience.seconds_left):
                    return await self._try(endpoint, messages, parameters, stream, patience)
            except TimeoutError:
                raise patience.expired() from None
            except UpstreamError as failure:
                _blot(failure, endpoint)
                wait = None if stream.begun else patience.wait_after(failure, elsewhere=len(order) > 1)
                if wait is None:
                    raise
            attempt += 1
            await asyncio.sleep(wait)

    async def _try(
        self,
        endpoint: ResolvedEndpoint,
        messages: Sequence[RenderedMessage],
        parameters: Mapping[str, Any],
        stream: "_Stream",
        patience: Patience,
    ) -> Completion:
        upstream = Upstream(base_url=endpoint.base_url, model=endpoint.model, api_key=endpoint.api_key)
        body = {**parameters, "model": endpoint.model, "messages": messages}
        if stream.wanted:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        async with self._provider.chat(upstream, msgspec.json.encode(body), seconds=patience.seconds_left) as reply:
            if stream.wanted:
                done = await stream.read(reply)
            else:
                whole = understand(await reply.read_all(), reply)
                done = Completion(
                    whole.text, whole.usage, whole.usage_raw, whole.finish_reason or "stop", model_response=whole.model
                )
        return done._replace(provider=endpoint.provider, model_requested=endpoint.model)


class _Stream:
    """One attempt's streamed answer, as far as it has come."""

    def __init__(self, on_delta: OnDelta | None) -> None:
        self._on_delta = on_delta
        self._pieces: list[str] = []
        self._usage_raw: dict[str, Any] | None = None
        self._finish_reason = ""
        self._model = ""
        self._done = False

    @property
    def wanted(self) -> bool:
        return self._on_delta is not None

    @property
    def begun(self) -> bool:
        return bool(self._pieces)

    async def read(self, reply: Reply) -> Completion:
        parser = EventParser()
        while (data := await reply.read()) is not None:
            try:
                events = parser.feed(data)
            except EventTooLongError as error:
                raise UpstreamCutError(f"{reply.where}: {error}") from error
            for event in events:
                await self._take(event.data, reply)
        for event in parser.finish():
            await self._take(event.data, reply)
        if not (self._done or self._finish_reason):
            raise UpstreamCutError(f"{reply.where} ended its stream before the answer was complete")
        text = "".join(self._pieces)
        usage = usage_from_openai(self._usage_raw)
        return Completion(text, usage, self._usage_raw, self._finish_reason or "stop", model_response=self._model)

    async def _take(self, data: bytes, reply: Reply) -> None:
        if not data:
            return
        if data.strip() == b"[DONE]":
            self._done = True
            return
        try:
            chunk = openai_chat.parse_chunk(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamCutError(f"{reply.where} streamed something that is no chunk ({error})") from error
        if chunk.error is not None:
            raise error_in_body(chunk.error, reply)
        self._model = chunk.model or self._model
        self._usage_raw = chunk.usage or self._usage_raw
        self._finish_reason = chunk.finish_reason or self._finish_reason
        if chunk.text and self._on_delta is not None:
            self._pieces.append(chunk.text)
            await self._on_delta(chunk.text)


def _drawn(available: Sequence[ResolvedEndpoint]) -> list[ResolvedEndpoint]:
    """The endpoints in an order in which the heavier ones come first more often."""
    draws = [(random.random() ** (1 / endpoint.weight), endpoint) for endpoint in available]  # noqa: S311 -- balancing needs no secrecy
    return [endpoint for _, endpoint in sorted(draws, key=lambda draw: draw[0], reverse=True)]


def _blot(failure: UpstreamError, endpoint: ResolvedEndpoint) -> None:
    """Some providers repeat the key that they refuse."""
    if endpoint.api_key is not None:
        failure.message = failure.message.replace(endpoint.api_key.reveal(), "***")
        failure.args = (failure.message,)
