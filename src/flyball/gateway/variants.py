"""Calling a function: its variant runs in the runner, reached over its Unix socket; the answer is worded here.

The runner answers in lines of JSON (`orders.RunLine`): pieces of text while it writes, then the answer or a refusal.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import msgspec

from flyball.functions.records import Answer, CallIds
from flyball.infra.sockets.errors import PeerError
from flyball.infra.sockets.http_over_unix import Reply as RunnerReply
from flyball.kit.clock import NANOSECONDS
from flyball.llm.completions import Began, Choice, Closed, Completion, Counted, Grew, Opened, Stopped
from flyball.llm.dialect import OURS, Asked, Frame, Writer
from flyball.llm.losses import Losses
from flyball.llm.messages import Stop, StopReason, Text
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage
from flyball.traces.records import Span

from .choose import FunctionRoute
from .errors import ClientGoneError, RunnerAwayError, VariantRefusedError
from .exchange import JSON
from .house import House
from .orders import LEFT_PATH, RUN_PATH, RunLine, RunOrder
from .record import Entry, shortened
from .replies import Reply, StreamedReply, WholeReply, dropped_header

_LINE = msgspec.json.Decoder(RunLine)
_ACCOUNT_SECONDS = 2.0


@asynccontextmanager
async def call_variant(route: FunctionRoute, asked: Asked, entry: Entry, house: House) -> AsyncIterator[Reply]:
    """The variant's answer. Raises RunnerAwayError, or GatewayError with what the runner says."""
    if entry.left:
        raise ClientGoneError
    order = RunOrder(
        variant=route.variant,
        input=dict(route.input),
        ids=CallIds(
            project=route.release.project,
            trace_id=entry.trace_id,
            parent_id=entry.span_id,
            release=route.release.release_id,
        ),
        stream=asked.stream,
        guarded=route.function.guarded,
    )
    told = dialect(asked.dialect)
    created = house.clock.now_ns() // NANOSECONDS
    frame = Frame(id=entry.trace_id, created=created, model=asked.model, asked=asked, wants_usage=asked.wants_usage)
    losses = Losses(told.title)
    losses.drop_all(_unread(asked, told.input_field))
    try:
        async with house.runner.request("POST", RUN_PATH, headers=[JSON], body=msgspec.json.encode(order)) as answered:
            run = _Run(answered, route, entry)
            if asked.stream:
                await run.open()
                writer = told.writer(frame, losses)
                unheaded = partial(_unheaded, frame, losses)
                yield StreamedReply(
                    run.pieces(writer, frame), writer.end, writer.broke, unheaded, dropped_header(losses)
                )
            else:
                answer = await run.whole()
                frame.extra["flyball"] = _provenance(route, entry, answer)
                body = told.write_completion(_completion(answer, asked), frame, losses)
                yield WholeReply(body, dropped_header(losses))
    except asyncio.CancelledError:
        if not entry.spans:
            entry.spans = await _done_until_then(house, order.ids)
        raise
    except PeerError as error:
        raise RunnerAwayError(error.message) from error


async def _done_until_then(house: House, ids: CallIds) -> Sequence[Span]:
    """What a run did that nobody waits for any more; it ends with that. Nothing where the runner cannot say."""
    with suppress(PeerError, TimeoutError, msgspec.MsgspecError):
        async with (
            asyncio.timeout(_ACCOUNT_SECONDS),
            house.runner.request("POST", LEFT_PATH, headers=[JSON], body=msgspec.json.encode(ids)) as answered,
        ):
            line = _LINE.decode(await answered.read_all())
            return line.refusal.spans if line.refusal is not None else ()
    return ()


def _unheaded(frame: Frame, losses: Losses) -> bytes:
    """Nothing to say first: where no header names what is not read, the event that ends the stream does."""
    if losses.dropped:
        frame.extra.setdefault("flyball", {})["dropped"] = shortened(losses.dropped)
    return b""


_READ = frozenset(("model", "stream", "stream_options", "user", "safety_identifier", "metadata", "store", *OURS))


def _unread(asked: Asked, input_field: str) -> Iterator[str]:
    """What a function makes nothing of: how it answers is its variant's business, and no caller's."""
    return (
        name for name, value in asked.fields.items() if name not in _READ and name != input_field and value != _NULL
    )


_NULL = msgspec.Raw(b"null")


def _completion(answer: Answer, asked: Asked) -> Completion:
    return Completion(
        model=asked.model,
        choices=(Choice(parts=(Text(text=answer.text),), stop=_stop(answer)),),
        usage=answer.usage or Usage(),
    )


def _stop(answer: Answer) -> Stop:
    return Stop(reason=_STOPS.get(answer.finish_reason, "stop"), native=answer.finish_reason)


_STOPS: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "content_filter"}


class _Run:
    """The runner's lines, one after the other."""

    def __init__(self, answered: RunnerReply, route: FunctionRoute, entry: Entry) -> None:
        self._answered = answered
        self._route = route
        self._entry = entry
        self._rest = bytearray()  # grows in place: a long line costs its length, not its square
        self._searched = 0
        self._lines: list[RunLine] = []
        self._answer: Answer | None = None

    async def open(self) -> None:
        """Wait for the first piece of text, or for the answer where it comes at once."""
        self._lines.append(await self._next())

    async def whole(self) -> Answer:
        """The answer, its pieces ignored."""
        while self._answer is None:
            await self._next()
        self._entry.text(self._answer.text)
        return self._answer

    async def pieces(self, writer: Writer, frame: Frame) -> AsyncGenerator[bytes, None]:
        """The events of the answer; what ends it, and says where it comes from, is the writer's `end`."""
        head = writer.write(Began(id=frame.id, model=frame.model)) + writer.write(Opened(0, Text(text="")))
        written = False
        while True:
            line = self._lines.pop() if self._lines else await self._next()
            if line.answer is not None:
                break
            written = True
            self._entry.text(line.delta)
            yield head + writer.write(Grew(0, line.delta))
            head = b""
        answer = line.answer
        if not written and answer.text:
            self._entry.text(answer.text)
            head += writer.write(Grew(0, answer.text))
        frame.extra.setdefault("flyball", {}).update(_provenance(self._route, self._entry, answer))
        head += writer.write(Closed(0)) + writer.write(Stopped(_stop(answer)))
        yield head + writer.write(Counted(answer.usage or Usage(), {}))

    async def _next(self) -> RunLine:
        """The next line. Raises GatewayError where it is a refusal."""
        while (end := self._rest.find(b"\n", self._searched)) < 0:
            self._searched = len(self._rest)
            data = await self._answered.read()
            if data is None:
                raise RunnerAwayError("its answer ended before it was complete")
            self._rest += data
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        self._searched = 0
        try:
            decoded = _LINE.decode(line)
        except msgspec.MsgspecError as error:
            raise RunnerAwayError(f"its answer cannot be understood: {error}") from error
        if decoded.refusal is not None:
            self._entry.spans = decoded.refusal.spans
            said = decoded.refusal
            raise VariantRefusedError(said.status, said.code, said.message, said.next_step)
        if decoded.answer is not None:
            self._answer = decoded.answer
            self._entry.spans = decoded.answer.spans
            self._entry.finish_reason = decoded.answer.finish_reason
        return decoded


def _provenance(route: FunctionRoute, entry: Entry, answer: Answer) -> dict[str, Any]:
    """The `flyball` object of an answer: what made it, and what it rests on."""
    return {
        "trace_id": entry.trace_id,
        "function": route.function.name,
        "variant": route.variant.name,
        "variant_hash": route.variant.hash,
        "release": route.release.release_id,
        "release_hash": route.release.release_hash,
        "output": answer.output,
        "citations": answer.citations,
    }
