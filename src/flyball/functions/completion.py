"""Calling the model behind a prompt variant: which endpoint, how often, in which order, with what told to whom.

Keys are looked up here, at the last moment, and never leave: what an upstream says of one is blotted out of errors.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import msgspec

from flyball.kit.clock import Clock
from flyball.kit.errors import FlyballError
from flyball.llm import completions as llm
from flyball.llm.calling import Events, Question, in_200, nonsense, put, question, unfinished, whole
from flyball.llm.completions import Assembly, Broke, Counted, Grew, Opened, StreamEvent
from flyball.llm.errors import UpstreamError, UpstreamRefusedError
from flyball.llm.losses import Losses
from flyball.llm.messages import Text
from flyball.llm.patience import Patience, Rota
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage, estimated, tokens_of
from flyball.llm.wire import Reply, Wire
from flyball.models.endpoints import ResolvedEndpoint, upstream_of
from flyball.models.reaching import Reach
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
    dropped: tuple[str, ...] = ()  # parameters that the model's provider cannot be told


@dataclass(slots=True, eq=False)
class Try:
    """One attempt at one endpoint, and what came of it. Times are the clock's."""

    endpoint: ResolvedEndpoint
    start_ns: int
    end_ns: int = 0
    completion: Completion | None = None
    usage: Usage | None = None  # of one that broke off: estimated
    error: str = ""
    asked_tokens: int = 0  # of the question that was sent, estimated; 0: none was
    begun: bool = False  # its upstream began to answer: nobody knows what it bills where it told no usage

    def fail(self, error: BaseException, told: Usage | None, pieces: int) -> None:
        """It has ended without an answer. Where it was broken off here, its question counts too, of which nothing came."""
        self.error = error.message if isinstance(error, FlyballError) else "cancelled"
        if isinstance(error, UpstreamRefusedError) and not pieces:
            self.begun = False
        elif told or pieces or (self.asked_tokens and isinstance(error, asyncio.CancelledError)):
            self.usage = estimated(told, question_tokens=self.asked_tokens, pieces=pieces)


class ModelCaller:
    """Calls models of the catalog. One per process."""

    def __init__(
        self,
        wire: Wire,
        clock: Clock,
        *,
        reach: Reach,
        seconds: float = 600,
        guarded: bool = False,
    ) -> None:
        self._wire = wire
        self._clock = clock
        self._seconds = seconds
        self._reach = reach
        self._guarded = guarded

    def guarded(self) -> "ModelCaller":
        """One like this that calls only public addresses and those that the operator lists."""
        return ModelCaller(self._wire, self._clock, reach=self._reach, seconds=self._seconds, guarded=True)

    async def complete(
        self,
        name: str,
        spec: ModelSpec,
        messages: Sequence[RenderedMessage],
        parameters: Mapping[str, Any],
        on_delta: OnDelta | None = None,
        *,
        project: str = "",
        tries: list[Try] | None = None,
    ) -> Completion:
        """One answer; its text goes to `on_delta` piece by piece where one is given.

        Endpoints are tried in an order drawn by their weights, again while the deadline lasts, but never after the
        first piece was handed on. Each attempt stands in `tries`, however this ends.

        Raises:
            ModelNotConfiguredError: no endpoint can be called from this process.
            UpstreamError: the last failure.
        """
        order = _drawn(await self._reach(project, name, spec))
        patience = Patience(self._clock, seconds=self._seconds)
        rota = Rota(len(order), self._clock)
        while True:
            at = rota.next()
            one, stream = Try(order[at], self._clock.now_ns()), _Stream(on_delta)
            if tries is not None:
                tries.append(one)
            patience.start_try()
            try:
                return await self._tried(one, messages, parameters, stream, patience)
            except UpstreamError as failure:
                rota.failed(at, failure)
                wait = None if stream.begun else patience.wait_after(failure, rota.owed)
                if wait is None:
                    raise
            await asyncio.sleep(wait)

    async def _tried(
        self,
        one: Try,
        messages: Sequence[RenderedMessage],
        parameters: Mapping[str, Any],
        stream: "_Stream",
        patience: Patience,
    ) -> Completion:
        """An attempt's answer, noted; so is its failure."""
        try:
            async with asyncio.timeout(patience.seconds_left):
                one.completion = await self._try(one, messages, parameters, stream, patience)
        except TimeoutError:
            expired = patience.expired()
            one.fail(expired, stream.told, stream.pieces)
            raise expired from None
        except (FlyballError, asyncio.CancelledError) as failure:
            if isinstance(failure, UpstreamError):
                _blot(failure, one.endpoint)
            one.fail(failure, stream.told, stream.pieces)
            raise
        finally:
            one.end_ns = self._clock.now_ns()
            one.error = one.error or ("" if one.completion else "it was interrupted")
        one.usage = one.completion.usage
        return one.completion

    async def _try(
        self,
        one: Try,
        messages: Sequence[RenderedMessage],
        parameters: Mapping[str, Any],
        stream: "_Stream",
        patience: Patience,
    ) -> Completion:
        endpoint = one.endpoint
        upstream = upstream_of(endpoint)
        if self._guarded:
            upstream = msgspec.structs.replace(upstream, guarded=True)
        body = {**parameters, "model": endpoint.model, "messages": messages, "stream": stream.wanted}
        asked = dialect("openai_chat").ask(msgspec.json.encode(body))
        losses = Losses(f"{endpoint.provider}'s {endpoint.model!r}")
        asking = question(asked, "generate", upstream, losses)
        assert asking is not None  # noqa: S101 -- only a question for a number of tokens may have none
        one.asked_tokens = tokens_of(asked.fields["messages"]) + 1
        async with put(asking, self._wire, upstream, seconds=patience.seconds_left) as reply:
            one.begun = True
            found = await stream.read(reply, asking) if stream.wanted else (await whole(reply, asking.dialect))[1]
        stop = found.choices[0].stop if found.choices else None
        return Completion(
            text=found.text,
            usage=found.usage,
            usage_raw=found.usage_raw,
            finish_reason=_WORDS.get(stop.reason, "stop") if stop else "stop",
            provider=endpoint.provider,
            model_requested=endpoint.model,
            model_response=found.model,
            dropped=losses.dropped,
        )


# How OpenAI's callers know why an answer ended; everything else is a plain end to them.
_WORDS = {"max_tokens": "length", "context": "length", "content_filter": "content_filter", "refusal": "content_filter"}


class _Stream:
    """One attempt's streamed answer, as far as it has come."""

    def __init__(self, on_delta: OnDelta | None) -> None:
        self._on_delta = on_delta
        self._assembly = Assembly()
        self._texts: set[int] = set()
        self.begun = False
        self.pieces = 0  # of text
        self.told: Usage | None = None  # so far

    @property
    def wanted(self) -> bool:
        return self._on_delta is not None

    async def read(self, reply: Reply, asking: Question) -> llm.Completion:
        events, reader = Events(reply, asking), asking.dialect.reader()
        while not (events.ended or reader.done):
            for event in await events.read():
                try:
                    said = reader.read(event) if event.data else []
                except (ValueError, RecursionError) as error:
                    raise nonsense(error, reply) from None
                await self._take(said, reply, asking)
        await self._take(reader.finish() if events.ended else [], reply, asking)
        if not reader.done:
            raise unfinished(reply)
        return self._assembly.whole()

    async def _take(self, said: Sequence[StreamEvent], reply: Reply, asking: Question) -> None:
        for one in said:
            if isinstance(one, Broke):
                raise in_200(one.trouble, reply, asking.dialect)
            self._assembly.add(one)
            if isinstance(one, Counted):
                self.told = one.usage
            if isinstance(one, Opened) and isinstance(one.part, Text) and one.choice == 0:
                self._texts.add(one.at)
            if isinstance(one, Grew) and one.choice == 0 and one.at in self._texts and self._on_delta is not None:
                self.begun = True
                self.pieces += 1
                await self._on_delta(one.text)


def _drawn(available: Sequence[ResolvedEndpoint]) -> list[ResolvedEndpoint]:
    """The endpoints in an order in which the heavier ones come first more often."""
    draws = [(random.random() ** (1 / endpoint.weight), endpoint) for endpoint in available]  # noqa: S311 -- balancing needs no secrecy
    return [endpoint for _, endpoint in sorted(draws, key=lambda draw: draw[0], reverse=True)]


def _blot(failure: UpstreamError, endpoint: ResolvedEndpoint) -> None:
    """Some providers repeat the key that they refuse."""
    if endpoint.api_key is not None:
        failure.message = failure.message.replace(endpoint.api_key.reveal(), "***")
        failure.args = (failure.message,)
