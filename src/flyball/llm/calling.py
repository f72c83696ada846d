"""Asking one upstream once: which dialect is spoken to it, what is sent, how its answer is cut into events, what failures mean.

Knows dialects, providers and the wire by their interfaces alone. Tries nothing again and records nothing: its callers do.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple, TypeAlias

from flyball.kit.secrets import Secret

from .addressing import counted_by
from .catalog import vendor
from .completions import Completion, Trouble
from .dialect import Asked, Dialect
from .errors import InvalidBodyError, UpstreamCutError, UpstreamRefusedError, UpstreamTimeoutError
from .eventstream import EventstreamParser
from .losses import Losses
from .patience import may_retry
from .providers import provider_for
from .providers.protocol import Ask, Upstream
from .sse import BOM, Event, EventParser, FramingError
from .translation import dialect
from .wire import Order, Reply, Wire

Headers: TypeAlias = tuple[tuple[str, str], ...]
Verb = Literal["generate", "count_tokens"]
_NONSENSE = (ValueError, RecursionError)  # msgspec's errors are ValueErrors


class Question(NamedTuple):
    """What is sent. `relayed`: in the caller's own words."""

    dialect: Dialect
    ask: Ask
    relayed: bool
    framing: Literal["sse", "eventstream"]


def question(asked: Asked, verb: Verb, upstream: Upstream, losses: Losses, *, headers: Headers = ()) -> Question | None:
    """The caller's request for this upstream: relayed where it speaks the caller's dialect, else translated.

    `headers` are those of the caller's that only its own dialect understands. None: nobody there can count tokens.

    Raises:
        InvalidBodyError: the request is not what its dialect asks for.
        CannotCarryError: the upstream cannot be asked this.
    """
    provider = provider_for(upstream.vendor)
    spoken = provider.dialects(upstream) if verb == "generate" else counted_by(upstream)
    if not spoken:
        return None
    quirks = vendor(upstream.vendor).quirks_for(upstream.model)
    ours = dialect(asked.dialect)
    if asked.dialect in spoken:
        body: bytes | None = ours.relayed(asked, model=upstream.model, quirks=quirks, losses=losses)
        return Question(
            ours, Ask(ours.name, verb, asked.stream, body or b"", headers), relayed=True, framing=provider.framing
        )
    theirs = dialect(spoken[0])
    request = ours.parse_request(asked)
    write = theirs.write_request if verb == "generate" else theirs.write_count_request
    body = write(request, model=upstream.model, quirks=quirks, losses=losses)
    if body is None:
        return None
    if not _is_text(body):
        raise InvalidBodyError("the body is not UTF-8", next_step="encode it as UTF-8")
    return Question(theirs, Ask(theirs.name, verb, asked.stream, body, ()), relayed=False, framing=provider.framing)


@asynccontextmanager
async def put(question: Question, wire: Wire, upstream: Upstream, *, seconds: float) -> AsyncIterator[Reply]:
    """Send a question; the answer has begun and is read inside the block. Raises UpstreamError."""
    try:
        async with asyncio.timeout(seconds) as limit:
            order = await provider_for(upstream.vendor).order(upstream, question.ask, wire)
    except TimeoutError:
        raise UpstreamTimeoutError(f"the token for the model {upstream.model!r} did not come in time") from None
    left = (limit.when() or 0) - asyncio.get_running_loop().time()
    try:
        async with wire.send(order, seconds=left) as reply:
            if reply.headers.get("content-type", "").startswith("text/html"):
                raise UpstreamCutError(
                    f"{reply.where} answered with a page of HTML", next_step="check that the model's base_url is right"
                )
            yield reply
    except UpstreamRefusedError as refusal:
        if not refusal.dialect:
            _understand(refusal, question.dialect, order)
        raise


def _understand(refusal: UpstreamRefusedError, spoken: Dialect, order: Order) -> None:
    """Take its own word from an error status. A secret that stood there in JSON's escapes stands in no words of ours."""
    refusal.dialect, refusal.body = spoken.name, refusal.body.removeprefix(BOM)
    refusal.message = _without(order.blot, refusal.message)
    if (trouble := spoken.parse_error(refusal.body)) is None:
        return
    said, refusal.upstream_code = _without(order.blot, trouble.message), _without(order.blot, trouble.code)
    if (said, refusal.upstream_code) != (trouble.message, trouble.code):
        refusal.body = spoken.error(refusal.upstream_status, said, code=refusal.upstream_code)


def _without(secrets: Iterable[Secret], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret.reveal(), "***")
    return text


async def whole(reply: Reply, spoken: Dialect, *, relayed: bool = False) -> tuple[bytes, Completion]:
    """A whole answer and its meaning; none where it is relayed and says what we do not understand.

    Raises UpstreamCutError for nonsense, UpstreamRefusedError for an error in a 200.
    """
    body = await _text(reply)
    try:
        found = spoken.parse_completion(body)
    except _NONSENSE as error:
        if not (relayed and isinstance(_object(body).get(spoken.output_field), list)):
            raise UpstreamCutError(
                f"{reply.where} answered 200 with something that is no answer ({_blotted(error, reply)})"
            ) from error
        return body, Completion(choices=())
    if isinstance(found, Trouble):
        raise in_200(found, reply, spoken)
    return body, found


async def counted(reply: Reply, spoken: Dialect) -> tuple[bytes, int]:
    """The answer to a question for the number of tokens, and the number. Raises like `whole`."""
    body = await _text(reply)
    try:
        return body, spoken.parse_count(body)
    except _NONSENSE as error:
        if (trouble := spoken.parse_error(body)) is not None:
            raise in_200(trouble, reply, spoken) from None
        raise UpstreamCutError(
            f"{reply.where} answered 200 with something that is no number of tokens ({_blotted(error, reply)})"
        ) from error


async def _text(reply: Reply) -> bytes:
    """A whole body without the byte order mark that some begin with, as a stream's events come without it."""
    body = (await reply.read_all()).removeprefix(BOM)
    if not _is_text(body):
        raise UpstreamCutError(f"{reply.where} answered 200 with something that is no UTF-8")
    return body


class Events:
    """A stream's events, read by read, whatever frames them."""

    def __init__(self, reply: Reply, question: Question) -> None:
        self._reply = reply
        self._spoken = question.dialect
        self._parser = EventstreamParser() if question.framing == "eventstream" else EventParser()
        self.ended = False

    async def read(self) -> list[Event]:
        """The events of the next read; at the end `ended` is set, and what was left over is the last. Raises UpstreamError."""
        data = await self._reply.read()
        try:
            if data is not None:
                return self._parser.feed(data)
            self.ended = True
            if (trouble := self._spoken.parse_error(self._parser.rest)) is not None:
                raise in_200(trouble, self._reply, self._spoken)  # plain JSON instead of a stream
            return list(self._parser.finish())
        except FramingError as error:
            raise UpstreamCutError(f"{self._reply.where}: {error}") from None


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_unknown(event: Event) -> bool:
    """Whether an event that was not understood may be one all the same: a relay passes on what is newer than it is."""
    return bool(_object(event.data))


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object that these bytes are, halves of characters included; empty for anything else."""
    try:
        found = json.loads(body.decode())  # of bytes it would guess the encoding
    except _NONSENSE:
        return {}
    return found if isinstance(found, dict) else {}


def nonsense(error: Exception, reply: Reply) -> UpstreamCutError:
    """The failure for an event that makes no sense."""
    return UpstreamCutError(f"{reply.where} sent an event that makes no sense ({_blotted(error, reply)})")


def unfinished(reply: Reply) -> UpstreamCutError:
    """The failure for a stream that ends without its terminal event."""
    return UpstreamCutError(f"{reply.where} ended its answer before it was complete")


def in_200(trouble: Trouble, reply: Reply, spoken: Dialect) -> UpstreamRefusedError:
    """The failure that came in the body or stream of a 200; it has the status that it means, where it says one."""
    said, code = _blotted(trouble.message, reply), _blotted(trouble.code, reply)
    status = trouble.status or 200
    body = spoken.error(status if status >= 400 else 502, said, code=code)
    refusal = UpstreamRefusedError(
        f"{reply.where} answered 200 with an error in it: {said}",
        upstream_status=status,
        body=body,
        retryable=status == 200 or may_retry(status, {}),
    )
    refusal.dialect, refusal.upstream_code = spoken.name, code
    return refusal


def _blotted(said: object, reply: Reply) -> str:
    """Words of an upstream's, or about it, without the secrets that it was sent."""
    return reply.without_key(str(said).encode("utf-8", "replace")).decode()
