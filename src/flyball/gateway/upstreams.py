"""Calling a model: its endpoints in their order, tried again until the first content or until patience ends.

The caller's key goes nowhere; of the caller's headers none is passed on, of the upstream's those on a list.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from typing import NamedTuple

from flyball.llm.dialects import openai_chat
from flyball.llm.dialects.openai_chat import ChatRequest
from flyball.llm.errors import UpstreamError, UpstreamRefusedError
from flyball.llm.patience import Patience
from flyball.llm.providers import openai_compatible
from flyball.llm.providers.openai_compatible import Upstream, understand

from .choose import ModelRoute
from .exchange import Header
from .house import House
from .record import Attempt, Entry
from .relay import Relay
from .replies import Reply, StreamedReply, WholeReply

_KEY_REFUSED = frozenset({401, 402, 403})
_PASSED_HEADERS = ("x-request-id", "openai-processing-ms", "openai-version")
_PASSED_PREFIX = "x-ratelimit-"
_MOST_PASSED = 20
_LONGEST_PASSED = 200


class _Call(NamedTuple):
    """What every attempt of one call needs."""

    asked: ChatRequest
    entry: Entry
    house: House
    patience: Patience


@asynccontextmanager
async def call_model(
    route: ModelRoute, asked: ChatRequest, entry: Entry, house: House, patience: Patience
) -> AsyncIterator[Reply]:
    """The first good answer of the model's endpoints. Raises the last attempt's UpstreamError."""
    endpoints = route.endpoints
    call = _Call(asked, entry, house, patience)
    number = 0
    while True:
        endpoint = endpoints[number % len(endpoints)]
        number += 1
        attempt = entry.attempt(endpoint)
        patience.start_try()
        async with AsyncExitStack() as stack:
            try:
                reply = await _try(call, attempt, stack)
            except UpstreamError as failure:
                entry.failed(attempt, failure)
                wait = _wait(failure, patience, others_left=number < len(endpoints), elsewhere=len(endpoints) > 1)
                if wait is None:
                    raise
            else:
                yield reply
                return
        await asyncio.sleep(wait)


async def _try(call: _Call, attempt: Attempt, stack: AsyncExitStack) -> Reply:
    """One attempt, as far as its first content, or whole. What has to be closed goes onto the stack."""
    asked, endpoint = call.asked, attempt.endpoint
    upstream = Upstream(base_url=endpoint.base_url, model=endpoint.model, api_key=endpoint.api_key)
    body = openai_chat.body_for(asked, model=endpoint.model, include_usage=asked.stream)
    chat = call.house.provider.chat(upstream, body, seconds=call.patience.seconds_left)
    answered = await stack.enter_async_context(chat)
    headers = _passed(answered.headers)
    if asked.stream:
        relay = Relay(answered, entry=call.entry, attempt=attempt, wants_usage=asked.wants_usage)
        await relay.open()
        return StreamedReply(relay.pieces(), headers)
    return await _whole(answered, call.entry, attempt, headers)


async def _whole(
    answered: openai_compatible.Reply, entry: Entry, attempt: Attempt, headers: tuple[Header, ...]
) -> WholeReply:
    # Until the head of a whole answer the deadline counts, not the idle timeout: thinking is silent.
    body = await answered.read_all()
    completion = understand(body, answered)
    entry.content(attempt, completion.text)
    entry.finish_reason = completion.finish_reason
    attempt.answered_by = completion.model
    attempt.usage, attempt.usage_raw = completion.usage, completion.usage_raw
    return WholeReply(body, headers)


def _wait(failure: UpstreamError, patience: Patience, *, others_left: bool, elsewhere: bool) -> float | None:
    """Seconds until the next try, None for giving up. A key that is refused here may work elsewhere, at once."""
    if isinstance(failure, UpstreamRefusedError) and failure.upstream_status in _KEY_REFUSED and others_left:
        return 0.0
    return patience.wait_after(failure, elsewhere=elsewhere)


def _passed(headers: Mapping[str, str]) -> tuple[Header, ...]:
    passed = (name for name in headers if name in _PASSED_HEADERS or name.startswith(_PASSED_PREFIX))
    return tuple(
        (name.encode("latin-1"), headers[name].encode("latin-1", "replace"))
        for name in islice(passed, _MOST_PASSED)
        if len(headers[name]) <= _LONGEST_PASSED
    )
