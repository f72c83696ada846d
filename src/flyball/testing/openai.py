"""How a scripted answer is worded for a client of OpenAI's Chat Completions."""

import re
from typing import Any

import msgspec

from .script import Turn

_HEAD = {"id": "chatcmpl-scripted", "created": 1_700_000_000, "system_fingerprint": "fp_scripted"}


class Ask(msgspec.Struct):
    """What the script needs to know of a request."""

    model: str = ""
    stream: bool = False
    stream_options: dict[str, Any] | None = None


def whole(turn: Turn, model: str) -> bytes:
    """An unary answer's body."""
    if turn.fault == "malformed":
        return b'{"choices": [{"message": {"content": "half an answ'
    if turn.fault == "error_in_200":
        return error(turn)
    choice = {"index": 0, "message": {"role": "assistant", "content": turn.text}, "finish_reason": "stop"}
    return msgspec.json.encode(
        {**_HEAD, "object": "chat.completion", "model": model, "choices": [choice], **_usage(turn)}
    )


def events(turn: Turn, ask: Ask) -> list[bytes]:
    """A streamed answer's events, `[DONE]` last; faults that concern words are in them already."""
    if turn.fault == "error_in_200":
        return [b"data: " + error(turn) + b"\n\n"]
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": word}, None) for word in re.findall(r"\S+\s*", turn.text)]
    deltas += [({}, "stop")]
    found = [_chunk(ask.model, [{"index": 0, "delta": delta, "finish_reason": end}]) for delta, end in deltas]
    if turn.fault == "malformed":
        found.insert(turn.after_chunks, b'data: {"choices": [{"delta"\n\n')
    if turn.fault == "error_midway":
        found.insert(turn.after_chunks, b"data: " + error(turn) + b"\n\n")
    if (ask.stream_options or {}).get("include_usage") and turn.fault != "no_usage":
        found.append(_chunk(ask.model, [], **_usage(turn)))
    return [*found, b"data: [DONE]\n\n"]


def error(turn: Turn) -> bytes:
    """An error body."""
    kind = "rate_limit_error" if turn.status == 429 else "server_error"
    message = f"scripted failure {turn.status}"
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": "scripted"}})


def _chunk(model: str, choices: list[dict[str, Any]], **extra: Any) -> bytes:
    chunk = {**_HEAD, "object": "chat.completion.chunk", "model": model, "choices": choices, **extra}
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def _usage(turn: Turn) -> dict[str, Any]:
    if turn.fault == "no_usage":
        return {}
    if turn.fault == "wrong_usage":
        return {"usage": {"prompt_tokens": -3, "completion_tokens": "many", "total_tokens": None}}
    return {
        "usage": {
            "prompt_tokens": turn.prompt_tokens,
            "completion_tokens": turn.completion_tokens,
            "total_tokens": turn.prompt_tokens + turn.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": turn.cached_tokens},
        }
    }
