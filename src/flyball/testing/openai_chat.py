"""How a scripted answer is worded for a client of OpenAI's Chat Completions.

Thoughts are in `reasoning_content`, as compatible servers send them; nothing signs them.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from .dialect import (
    Ask,
    Failure,
    Issued,
    Place,
    Streamed,
    Strewing,
    Telling,
    Worded,
    call_id,
    pieces,
    scripted,
    span,
    sse,
    words,
)
from .script import Turn
from .strict import keys
from .strict.openai_chat import refusal as refusal  # noqa: PLC0414 -- a part of the dialect

NAME = "openai_chat"
REQUEST_ID = "x-request-id: scripted"
locked = keys.openai
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_HEAD = {"id": "chatcmpl-scripted", "created": 1_700_000_000, "system_fingerprint": "fp_scripted"}
_STOPS = {"max_tokens": "length", "context": "length", "stop_sequence": "stop", "refusal": "stop", "pause": "stop"}
_KINDS = {401: "authentication_error", 429: "rate_limit_error"}


def place(path: str) -> Place | None:
    """Below whatever prefix. At Azure the path names a deployment, which stands for a model."""
    if path.endswith("/chat/completions"):
        deployment = _DEPLOYMENT.search(path)
        return Place(model=deployment[1] if deployment else "")
    return Place("models") if path.endswith("/models") else None


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Body(msgspec.Struct, gc=False):
    model: str = ""
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    n: int | None = 1


def ask(place: Place, query: str, body: bytes) -> Ask:  # noqa: ARG001 -- nothing is in the query
    """The model and whether to stream are in the body."""
    found = _DECODER.decode(body)
    options = found.stream_options
    counts = options is not None and options.include_usage is True
    return Ask(found.model or place.model, found.stream is True, "generate", "sse", counts, found.n or 1)


_DECODER = msgspec.json.Decoder(_Body)


def whole(turn: Turn, ask: Ask) -> bytes:
    """An unary answer's body."""
    if turn.fault == "malformed":
        return b'{"choices": [{"message": {"content": "half an answ'
    if turn.fault == "error_in_200":
        return error(scripted(turn), ask).body
    message = {"role": "assistant", "content": turn.text, **_more(turn)}
    if turn.refusal or (turn.tool_calls and not turn.text):
        message["content"] = None
    if turn.tool_calls:
        message["tool_calls"] = [
            _call(turn, number, arguments=call.arguments) for number, call in enumerate(turn.tool_calls)
        ]
    choices = [{"index": index, "message": message, "finish_reason": _finish(turn)} for index in range(ask.answers)]
    return msgspec.json.encode(
        {**_HEAD, "object": "chat.completion", "model": ask.model, "choices": choices, **_usage(turn)}
    )


def _more(turn: Turn) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if turn.refusal:
        more["refusal"] = turn.refusal
    if turn.thinking:
        more["reasoning_content"] = turn.thinking
    if turn.citations:
        more["annotations"] = _annotations(turn)
    return more


def _annotations(turn: Turn) -> list[dict[str, Any]]:
    found = []
    for source in turn.citations:
        start, end = span(turn.text, source.quote)
        cited = {"start_index": start, "end_index": end, "title": source.title, "url": source.url}
        found.append({"type": "url_citation", "url_citation": cited})
    return found


def _call(turn: Turn, number: int, *, arguments: str) -> dict[str, Any]:
    call = turn.tool_calls[number]
    called = {"name": call.name, "arguments": arguments}
    return {"id": call_id(call, number, "call_"), "type": "function", "function": called}


def _finish(turn: Turn) -> str:
    return _STOPS.get(turn.ending, turn.ending)


def events(turn: Turn, ask: Ask) -> Streamed:
    """A streamed answer's events, `[DONE]` last; faults that concern words are in them already."""
    failed = b"data: " + error(scripted(turn), ask).body + b"\n\n"
    if turn.fault == "error_in_200":
        return Streamed([failed])
    telling = Telling()
    for index in range(ask.answers):
        _tell(telling, turn, ask.model, index)
    if ask.counts and turn.fault != "no_usage":
        telling.open(_chunk(ask.model, [], **_usage(turn)))
    telling.open(b"data: [DONE]\n\n")
    strewing = Strewing(
        malformed=b'data: {"choices": [{"delta"\n\n',
        error=failed,
        ping=b": keep-alive\n\n",
        unknown=sse({**_HEAD, "object": "brand.new", "model": ask.model, "choices": [], "brand_new": {"x": [1]}}),
        goes_on=True,
    )
    return telling.streamed(turn, strewing, list)


def _tell(telling: Telling, turn: Turn, model: str, index: int) -> None:
    def chunk(delta: dict[str, Any], end: str | None = None) -> bytes:
        return _chunk(model, [{"index": index, "delta": delta, "finish_reason": end}])

    telling.open(chunk({"role": "assistant", "content": ""}))
    for word in words(turn.thinking):
        telling.say(chunk({"reasoning_content": word}))
    for word in words("" if turn.refusal else turn.text):
        telling.say(chunk({"content": word}))
    for word in words(turn.refusal):
        telling.say(chunk({"refusal": word}))
    if turn.citations:
        telling.say(chunk({"annotations": _annotations(turn)}))
    for delta in _call_deltas(turn):
        telling.say(chunk({"tool_calls": [delta]}))
    telling.open(chunk({}, _finish(turn)))


def _call_deltas(turn: Turn) -> Iterator[dict[str, Any]]:
    """Each call opens with its id and name; where calls interleave, all of them do before the first piece."""
    opened = [{"index": number, **_call(turn, number, arguments="")} for number in range(len(turn.tool_calls))]
    grown = [(number, {"index": number, "function": {"arguments": piece}}) for number, piece in pieces(turn)]
    if turn.interleaved:
        yield from (*opened, *(delta for _, delta in grown))
        return
    for number, opening in enumerate(opened):
        yield opening
        yield from (delta for at, delta in grown if at == number)


def _chunk(model: str, choices: list[dict[str, Any]], **extra: Any) -> bytes:
    return sse({**_HEAD, "object": "chat.completion.chunk", "model": model, "choices": choices, **extra})


def _usage(turn: Turn) -> dict[str, Any]:
    if turn.fault == "no_usage":
        return {}
    if turn.fault == "wrong_usage":
        return {"usage": {"prompt_tokens": -3, "completion_tokens": "many", "total_tokens": None}}
    prompt: dict[str, int] = {"cached_tokens": turn.cached_tokens}
    if turn.cache_write_tokens:
        prompt["cache_write_tokens"] = turn.cache_write_tokens
    if turn.audio_prompt_tokens:
        prompt["audio_tokens"] = turn.audio_prompt_tokens
    usage: dict[str, Any] = {
        "prompt_tokens": turn.prompt_tokens,
        "completion_tokens": turn.completion_tokens,
        "total_tokens": turn.prompt_tokens + turn.completion_tokens,
        "prompt_tokens_details": prompt,
    }
    details = {"reasoning_tokens": turn.reasoning_tokens, "audio_tokens": turn.audio_completion_tokens}
    if any(details.values()):
        usage["completion_tokens_details"] = details
    return {"usage": usage}


def counted(turn: Turn) -> bytes:
    """Chat counts nothing ahead; never asked."""
    return msgspec.json.encode({"total_tokens": turn.prompt_tokens})


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": _HEAD["created"], "owned_by": "scripted"} for name in names]
    return msgspec.json.encode({"object": "list", "data": data})


def error(failure: Failure, ask: Ask) -> Worded:  # noqa: ARG001 -- the same whole and streamed
    """An error body."""
    kind = _KINDS.get(failure.status, "server_error" if failure.status >= 500 else "invalid_request_error")
    body = {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code or None}
    return Worded(msgspec.json.encode({"error": body}))


def issue(turn: Turn, ask: Ask, issued: Issued) -> None:  # noqa: ARG001 -- all turns are alike
    """Remember what thoughts are signed with."""
    issued.note(turn)
