"""How a scripted answer is worded for a client of Amazon Bedrock's Converse, down to the frames of its streams.

Cached tokens are not part of `inputTokens` here, so they are taken out of the script's. Streams are frames of
`application/vnd.amazon.eventstream`, each with its checksums.
"""

import re
import struct
import zlib
from typing import Any, NamedTuple
from urllib.parse import unquote

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
    arguments,
    call_id,
    cut,
    scripted,
    words,
)
from .script import Turn
from .strict import keys
from .strict.bedrock import refusal as refusal  # noqa: PLC0414 -- a part of the dialect

NAME = "bedrock"
REQUEST_ID = "x-amzn-requestid: 00000000-0000-4000-8000-000000000000"
locked = keys.bedrock
_STOPS = {
    "stop": "end_turn",
    "pause": "end_turn",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "context": "model_context_window_exceeded",
}
_EXCEPTIONS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_STREAMED_EXCEPTIONS = {
    400: "validationException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    503: "serviceUnavailableException",
}
_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|count-tokens)$")


def place(path: str) -> Place | None:
    """The model and the verb stand in the path."""
    found = _PATH.search(path)
    if found is None:
        return None
    verb = found[2]
    return Place(
        "count" if verb == "count-tokens" else "generate", unquote(found[1]), verb == "converse-stream", "frames"
    )


class _Body(msgspec.Struct):
    pass


_DECODER = msgspec.json.Decoder(_Body)


def ask(place: Place, query: str, body: bytes) -> Ask:  # noqa: ARG001 -- all is in the path
    """Of the body only that it is an object."""
    _DECODER.decode(body)
    return Ask(place.model, bool(place.stream), place.verb, place.framing)


def whole(turn: Turn, ask: Ask) -> bytes:
    """An unary answer's body."""
    if turn.fault == "malformed":
        return b'{"output": {"message": {"content": [{"text": "half an answ'
    if turn.fault == "error_in_200":
        return error(scripted(turn), ask).body
    answer: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": _blocks(turn)}},
        "stopReason": _STOPS.get(turn.ending, turn.ending),
        "metrics": {"latencyMs": 1},
        **_more(turn),
    }
    return msgspec.json.encode(answer | ({} if turn.fault == "no_usage" else {"usage": _usage(turn)}))


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        thought = {"text": turn.thinking, "signature": turn.signature}
        blocks.append({"reasoningContent": {"reasoningText": thought}})
    if turn.redacted:
        blocks.append({"reasoningContent": {"redactedContent": turn.redacted}})
    text = turn.refusal or turn.text
    if text and turn.citations:
        blocks.append({"citationsContent": {"content": [{"text": text}], "citations": _citations(turn)}})
    elif text:
        blocks.append({"text": text})
    if turn.image:
        blocks.append({"image": {"format": "png", "source": {"bytes": turn.image}}})
    for number, call in enumerate(turn.tool_calls):
        id_ = call_id(call, number, "tooluse_")
        blocks.append({"toolUse": {"toolUseId": id_, "name": call.name, "input": arguments(call)}})
    return blocks


def _citations(turn: Turn) -> list[dict[str, Any]]:
    return [
        {"title": source.title, "sourceContent": [{"text": source.quote}], "location": {"web": {"url": source.url}}}
        for source in turn.citations
    ]


def _more(turn: Turn) -> dict[str, Any]:
    """What Converse has no word for comes as the model said it, where the caller asked for the path."""
    return {"additionalModelResponseFields": {"stop_sequence": turn.stop_sequence}} if turn.stop_sequence else {}


def _usage(turn: Turn) -> dict[str, Any]:
    if turn.fault == "wrong_usage":
        return {"inputTokens": -3, "outputTokens": -7, "totalTokens": -10}
    usage = {
        "inputTokens": turn.fresh_tokens,
        "outputTokens": turn.completion_tokens,
        "totalTokens": turn.prompt_tokens + turn.completion_tokens,
    }
    if turn.cached_tokens or turn.cache_write_tokens:
        usage |= {"cacheReadInputTokens": turn.cached_tokens, "cacheWriteInputTokens": turn.cache_write_tokens}
    return usage


def events(turn: Turn, ask: Ask) -> Streamed:  # noqa: ARG001 -- the model is not named in it
    """A streamed answer's frames; usage comes behind the end."""
    kind = _STREAMED_EXCEPTIONS.get(turn.status, "internalServerException")
    failed = frame(kind, msgspec.json.encode({"message": scripted(turn).message}), message="exception")
    if turn.fault == "error_in_200":
        return Streamed([failed])
    telling = Telling()
    telling.open(_event("messageStart", role="assistant"))
    for index, block in enumerate(_blocks(turn)):
        _tell(telling, turn, index, block)
    telling.open(_event("messageStop", stopReason=_STOPS.get(turn.ending, turn.ending), **_more(turn)))
    if turn.fault != "no_usage":
        telling.open(_event("metadata", usage=_usage(turn), metrics={"latencyMs": 1}))
    strewing = Strewing(
        malformed=frame("contentBlockDelta", b'{"contentBlockIndex": 0, "del'),
        error=failed,
        ping=b"",  # there are none here
        unknown=_event("brandNew", payload={"x": [1]}),
    )
    return telling.streamed(turn, strewing, lambda found: [event for event in found if event])


def _tell(telling: Telling, turn: Turn, index: int, block: dict[str, Any]) -> None:
    ((kind, value),) = block.items()
    start, deltas = {
        "reasoningContent": _tell_reasoning,
        "text": _tell_text,
        "citationsContent": _tell_text,
        "image": _tell_image,
        "toolUse": _tell_call,
    }[kind](turn, value)
    if start:
        telling.open(_event("contentBlockStart", contentBlockIndex=index, start=start))
    for delta in deltas:
        telling.say(_event("contentBlockDelta", contentBlockIndex=index, delta=delta))
    telling.open(_event("contentBlockStop", contentBlockIndex=index))


class _Told(NamedTuple):
    """How a block begins, where it says so, and what it grows by."""

    start: dict[str, Any]
    deltas: list[dict[str, Any]]


def _tell_reasoning(turn: Turn, value: Any) -> _Told:
    if "redactedContent" in value:
        return _Told({}, [{"reasoningContent": value}])
    said = [{"text": word} for word in words(turn.thinking)]
    return _Told({}, [{"reasoningContent": delta} for delta in (*said, {"signature": turn.signature})])


def _tell_text(turn: Turn, value: Any) -> _Told:
    cited = [{"citation": citation} for citation in (value["citations"] if isinstance(value, dict) else ())]
    return _Told({}, [*({"text": word} for word in words(turn.refusal or turn.text)), *cited])


def _tell_image(turn: Turn, value: Any) -> _Told:  # noqa: ARG001 -- all tellers are alike
    return _Told({"image": {"format": "png"}}, [{"image": {"source": value["source"]}}])


def _tell_call(turn: Turn, value: Any) -> _Told:
    start = {"toolUse": {"toolUseId": value["toolUseId"], "name": value["name"]}}
    return _Told(start, [{"toolUse": {"input": piece}} for piece in cut(_said(turn, value["toolUseId"]))])


def _said(turn: Turn, id_: str) -> str:
    calls = enumerate(turn.tool_calls)
    return next(call.arguments for number, call in calls if call_id(call, number, "tooluse_") == id_)


def _event(kind: str, **payload: Any) -> bytes:
    return frame(kind, msgspec.json.encode(payload | {"p": "abcdefgh"}))  # Bedrock pads what it sends with `p`


def frame(kind: str, payload: bytes, *, message: str = "event") -> bytes:
    """One frame: its length and its headers' length with a checksum, headers, payload, and a checksum of it all."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in (
            (f":{message}-type", kind),
            (":content-type", "application/json"),
            (":message-type", message),
        )
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    found = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return found + struct.pack(">I", zlib.crc32(found))


def counted(turn: Turn) -> bytes:
    """The answer of CountTokens."""
    return msgspec.json.encode({"inputTokens": turn.prompt_tokens})


def models(names: tuple[str, ...]) -> bytes:
    """Never asked: another service of Amazon's lists them."""
    return msgspec.json.encode({"modelSummaries": [{"modelId": name} for name in names]})


def error(failure: Failure, ask: Ask) -> Worded:  # noqa: ARG001 -- the same whole and streamed
    """An error body; its kind stands in a header."""
    named = failure.code if failure.code.endswith("Exception") else ""
    kind = named or _EXCEPTIONS.get(failure.status, "InternalServerException")
    return Worded(
        msgspec.json.encode({"message": failure.message}), (f"x-amzn-errortype: {kind}:http://internal.amazon.com/",)
    )


def issue(turn: Turn, ask: Ask, issued: Issued) -> None:  # noqa: ARG001 -- all turns are alike
    """Remember what thoughts are signed with."""
    issued.note(turn)
