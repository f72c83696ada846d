"""How a scripted answer is worded for a client of Anthropic's Messages.

Cached tokens are not part of `input_tokens` here, so they are taken out of the script's.
"""

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
    arguments,
    call_id,
    cut,
    mark,
    scripted,
    sse,
    words,
)
from .script import Turn
from .strict import keys
from .strict.anthropic import refusal as refusal  # noqa: PLC0414 -- a part of the dialect

NAME = "anthropic"
REQUEST_ID = "request-id: req_scripted"
locked = keys.anthropic
_STOPS = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "context": "model_context_window_exceeded",
}
_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def place(path: str) -> Place | None:
    """Below whatever prefix, Vertex AI's included, whose verbs are others."""
    if path.endswith("/count-tokens:rawPredict"):
        return Place("count")
    if path.endswith(("/messages", ":rawPredict", ":streamRawPredict")):
        return Place()
    return Place("count") if path.endswith("/messages/count_tokens") else None


class _Body(msgspec.Struct):
    model: str = ""
    stream: bool | None = False


def ask(place: Place, query: str, body: bytes) -> Ask:  # noqa: ARG001 -- all is in the body
    """The model and whether to stream are in the body."""
    found = _DECODER.decode(body)
    return Ask(found.model, bool(found.stream) and place.verb == "generate", place.verb)


_DECODER = msgspec.json.Decoder(_Body)


def whole(turn: Turn, ask: Ask) -> bytes:
    """An unary answer's body."""
    if turn.fault == "malformed":
        return b'{"type": "message", "content": [{"type": "text", "text": "half an answ'
    if turn.fault == "error_in_200":
        return error(scripted(turn), ask).body
    message = _message(turn, ask.model) | {"content": _blocks(turn), **_ended(turn)}
    return msgspec.json.encode(message | ({} if turn.fault == "no_usage" else {"usage": _usage(turn)}))


def _message(turn: Turn, model: str) -> dict[str, Any]:
    return {
        "id": f"msg_{mark(turn)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": turn.thinking, "signature": turn.signature})
    if turn.redacted:
        blocks.append({"type": "redacted_thinking", "data": turn.redacted})
    if turn.text and not turn.refusal:
        cited = {"citations": _citations(turn)} if turn.citations else {}
        blocks.append({"type": "text", "text": turn.text, **cited})
    for number, call in enumerate(turn.tool_calls):
        id_ = call_id(call, number, "toolu_")
        blocks.append({"type": "tool_use", "id": id_, "name": call.name, "input": arguments(call)})
    return blocks


def _citations(turn: Turn) -> list[dict[str, Any]]:
    return [
        {
            "type": "web_search_result_location",
            "url": source.url,
            "title": source.title,
            "cited_text": source.quote,
            "encrypted_index": "c2NyaXB0ZWQ=",
        }
        for source in turn.citations
    ]


def _ended(turn: Turn) -> dict[str, Any]:
    reason = _STOPS.get(turn.ending, turn.ending)
    ended: dict[str, Any] = {
        "stop_reason": reason,
        "stop_sequence": (turn.stop_sequence or None) if reason == "stop_sequence" else None,
    }
    if turn.refusal:
        ended["stop_details"] = {"type": "refusal", "category": None, "explanation": turn.refusal}
    return ended


def _usage(turn: Turn, *, begun: bool = False) -> dict[str, Any]:
    if turn.fault == "wrong_usage":
        return {"input_tokens": -3, "output_tokens": "many", "cache_read_input_tokens": None}
    usage: dict[str, Any] = {
        "input_tokens": turn.fresh_tokens,
        "cache_creation_input_tokens": turn.cache_write_tokens,
        "cache_read_input_tokens": turn.cached_tokens,
        "output_tokens": 1 if begun else turn.completion_tokens,
    }
    if turn.reasoning_tokens and not begun:
        usage["output_tokens_details"] = {"thinking_tokens": turn.reasoning_tokens}
    return usage


def events(turn: Turn, ask: Ask) -> Streamed:
    """A streamed answer's events, `message_stop` last."""
    failed = b"event: error\ndata: " + error(scripted(turn), ask).body + b"\n\n"
    if turn.fault == "error_in_200":
        return Streamed([failed])
    telling = Telling()
    begun = _message(turn, ask.model)
    if turn.fault != "no_usage":
        begun["usage"] = _usage(turn, begun=True)
    telling.open(_event("message_start", message=begun))
    for index, block in enumerate(_blocks(turn)):
        _tell(telling, turn, index, block)
    counts = {} if turn.fault == "no_usage" else {"usage": _usage(turn)}
    telling.open(_event("message_delta", delta=_ended(turn), **counts), _event("message_stop"))
    strewing = Strewing(
        malformed=b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta"\n\n',
        error=failed,
        ping=_event("ping"),
        unknown=_event("brand_new", payload={"x": [1]}),
    )
    return telling.streamed(turn, strewing, list)


def _tell(telling: Telling, turn: Turn, index: int, block: dict[str, Any]) -> None:
    def delta(kind: str, **more: Any) -> bytes:
        return _event("content_block_delta", index=index, delta={"type": kind, **more})

    empty = {"text": "", "thinking": "", "signature": "", "input": {}, "citations": []}
    telling.open(
        _event("content_block_start", index=index, content_block={k: empty.get(k, value) for k, value in block.items()})
    )
    if not index:
        telling.open(_event("ping"))
    match block["type"]:
        case "thinking":
            for word in words(turn.thinking):
                telling.say(delta("thinking_delta", thinking=word))
            telling.say(delta("signature_delta", signature=turn.signature))
        case "text":
            for word in words(turn.text):
                telling.say(delta("text_delta", text=word))
            for citation in block.get("citations", ()):
                telling.say(delta("citations_delta", citation=citation))
        case "tool_use":
            said = next(
                call.arguments for at, call in enumerate(turn.tool_calls) if call_id(call, at, "toolu_") == block["id"]
            )
            telling.say(delta("input_json_delta", partial_json=""))
            for piece in cut(said):
                telling.say(delta("input_json_delta", partial_json=piece))
    telling.open(_event("content_block_stop", index=index))


def _event(kind: str, **more: Any) -> bytes:
    return sse({"type": kind, **more}, kind)


def counted(turn: Turn) -> bytes:
    """The answer of count_tokens."""
    return msgspec.json.encode({"input_tokens": turn.prompt_tokens})


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    data = [{"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"} for name in names]
    return msgspec.json.encode({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})


def error(failure: Failure, ask: Ask) -> Worded:  # noqa: ARG001 -- the same whole and streamed
    """An error body."""
    kind = _KINDS.get(failure.status, "api_error" if failure.status >= 500 else "invalid_request_error")
    body = {"type": "error", "error": {"type": kind, "message": failure.message}, "request_id": "req_scripted"}
    return Worded(msgspec.json.encode(body))


def issue(turn: Turn, ask: Ask, issued: Issued) -> None:  # noqa: ARG001 -- all turns are alike
    """Remember what thoughts are signed with."""
    issued.note(turn)
