"""One attempt at one endpoint: it is asked, and its answer comes back in the caller's dialect, relayed or translated."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import islice

from flyball.kit.clock import NANOSECONDS
from flyball.llm.calling import Question, counted, put, question, whole
from flyball.llm.completions import Completion
from flyball.llm.dialect import Asked, Frame
from flyball.llm.errors import UpstreamTimeoutError
from flyball.llm.losses import Losses
from flyball.llm.translation import dialect
from flyball.llm.wire import Reply as Answered
from flyball.models.endpoints import upstream_of

from .beside import beside
from .choose import extension
from .errand import Errand
from .exchange import Header
from .record import Attempt, Entry
from .relay import Relay
from .replies import Reply, StreamedReply, WholeReply, dropped_header
from .translated import Translated

# Of the caller's headers, those that say something of its body; passed on where its own dialect is spoken.
_CALLERS: Mapping[str, tuple[str, ...]] = {"anthropic_messages": ("anthropic-beta",)}
_UPSTREAMS = frozenset(("request-id", "x-request-id", "openai-processing-ms", "openai-version", "x-amzn-requestid"))
_UPSTREAMS_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_MOST_PASSED = 20
_LONGEST_PASSED = 200


async def attempt_once(errand: Errand, attempt: Attempt, stack: AsyncExitStack) -> Reply | None:
    """One attempt, as far as its first content, or whole. What has to be closed goes onto the stack.

    None: nobody there can count tokens. Raises UpstreamError, InvalidBodyError, CannotCarryError.
    """
    asked, entry = errand.asked, errand.entry
    upstream = upstream_of(attempt.endpoint)
    losses = Losses(f"{attempt.endpoint.provider}'s {upstream.model!r}", strict=extension(asked).get("strict") is True)
    headers = _passed_on(asked.dialect, entry.headers)
    size = sum(map(len, asked.fields.values()))
    asking = await beside(size, partial(question, asked, errand.verb, upstream, losses, headers=headers))
    if asking is None:
        return None
    if not asking.relayed:
        losses.drop_all(name for name, _ in headers)
    attempt.dialect, attempt.dropped = asking.dialect.name, losses
    losses.answering(dialect(asked.dialect).title)
    streamed = asked.stream and errand.verb == "generate"
    left = errand.patience.seconds_left
    seconds = min(left, errand.house.first_byte_seconds or left) if streamed else left
    attempt.asked = True
    answered = await stack.enter_async_context(put(asking, errand.house.wire, upstream, seconds=seconds))
    attempt.answered = True
    if errand.verb == "count_tokens":
        return await _counted(asking, asked, answered)
    if streamed:
        return await _streamed(errand, attempt, asking, answered)
    body, completion = await whole(answered, asking.dialect, relayed=asking.relayed)
    _note(completion, entry, attempt)
    if not asking.relayed:
        body = dialect(asked.dialect).write_completion(completion, _frame(errand), losses)
    return WholeReply(body, (*_passed_back(answered.headers, entry), *dropped_header(losses)))


async def _streamed(errand: Errand, attempt: Attempt, asking: Question, answered: Answered) -> StreamedReply:
    asked, entry = errand.asked, errand.entry
    losses = attempt.dropped
    stream: Relay | Translated
    if asking.relayed:
        stream = Relay(answered, asking, entry=entry, attempt=attempt, wants_usage=asked.wants_usage)
    else:
        told = dialect(asked.dialect)
        stream = Translated(answered, asking, told, _frame(errand), entry=entry, attempt=attempt)
    most = errand.house.first_content_seconds
    try:
        async with asyncio.timeout(most or None):
            await stream.open()
    except TimeoutError:
        raise UpstreamTimeoutError(
            f"{answered.where} sent no content within {most:g} s",
            next_step="raise FLYBALL_FIRST_CONTENT_TIMEOUT_SECONDS if it thinks that long",
        ) from None
    headers = (*_passed_back(answered.headers, entry), *dropped_header(losses))
    return StreamedReply(stream.pieces(), stream.closing, stream.broke, stream.unheaded, headers)


async def _counted(asking: Question, asked: Asked, answered: Answered) -> WholeReply:
    body, tokens = await counted(answered, asking.dialect)
    if not asking.relayed:
        body = dialect(asked.dialect).write_count(tokens) or b""
    return WholeReply(body)


def _frame(errand: Errand) -> Frame:
    asked, entry = errand.asked, errand.entry
    created = errand.house.clock.now_ns() // NANOSECONDS
    return Frame(id=entry.trace_id, created=created, model=asked.model, asked=asked, wants_usage=asked.wants_usage)


def _note(completion: Completion, entry: Entry, attempt: Attempt) -> None:
    entry.content(attempt, completion.text)
    stop = completion.choices[0].stop if completion.choices else None
    entry.finish_reason = (stop.native or stop.reason) if stop else ""
    attempt.answered_by = completion.model
    attempt.usage, attempt.usage_raw, attempt.whole = completion.usage, completion.usage_raw, True


def _passed_on(spoken: str, headers: Mapping[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    names = _CALLERS.get(spoken, ())
    return tuple((name, headers[name.encode()].decode("latin-1")) for name in names if name.encode() in headers)


def _passed_back(headers: Mapping[str, str], entry: Entry) -> tuple[Header, ...]:
    """Of the upstream's headers those on the list; its limits, which are this server's there, never in the place of the caller's here."""
    passed = (name for name in headers if name in _UPSTREAMS or name.startswith(_UPSTREAMS_PREFIXES))
    return tuple(
        (_renamed(name, entry).encode("latin-1"), headers[name].encode("latin-1", "replace"))
        for name in islice(passed, _MOST_PASSED)
        if len(headers[name]) <= _LONGEST_PASSED
    )


def _renamed(name: str, entry: Entry) -> str:
    limits = entry.tells_limits and name.startswith(_UPSTREAMS_PREFIXES)
    return f"x-upstream-{name.removeprefix('x-')}" if limits else name
