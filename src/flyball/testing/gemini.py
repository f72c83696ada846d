"""How a scripted answer is worded for a client of Gemini, at AI Studio's paths and at Vertex AI's.

`candidatesTokenCount` is without the thoughts here, so they are taken out of the script's. A stream is a JSON array where
the query does not ask for server-sent events.
"""

import re
from typing import Any
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
    mark,
    scripted,
    span,
    words,
)
from .script import Turn, signature_of
from .strict import keys
from .strict.gemini import refusal as refusal  # noqa: PLC0414 -- a part of the dialect

NAME = "gemini"
REQUEST_ID = "x-gemini-service-tier: standard"
locked = keys.gemini
_STOPS = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "stop_sequence": "STOP",
    "pause": "STOP",
    "max_tokens": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "PROHIBITED_CONTENT",
}
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_PATH = re.compile(r"(?:^|/)models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")
_LIST = re.compile(r"/v1(?:beta|alpha|beta1)/models$")


def place(path: str) -> Place | None:
    """The model and the verb stand in the path."""
    found = _PATH.search(path)
    if found is None:
        return Place("models") if _LIST.search(path) else None
    verb = found[2]
    return Place("count" if verb == "countTokens" else "generate", unquote(found[1]), verb.startswith("stream"))


class _Generation(msgspec.Struct, rename="camel"):
    candidate_count: int | None = 1


class _Body(msgspec.Struct, rename="camel"):
    generation_config: _Generation | None = None


def ask(place: Place, query: str, body: bytes) -> Ask:
    """How to frame a stream stands in the query, how many answers are wanted in the body."""
    generation = _DECODER.decode(body).generation_config or _Generation()
    framing = "sse" if "alt=sse" in query.split("&") else "array"
    return Ask(place.model, bool(place.stream), place.verb, framing, answers=generation.candidate_count or 1)


_DECODER = msgspec.json.Decoder(_Body)


def whole(turn: Turn, ask: Ask) -> bytes:
    """An unary answer's body."""
    if turn.fault == "malformed":
        return b'{"candidates": [{"content": {"parts": [{"text": "half an answ'
    if turn.fault == "error_in_200":
        return error(scripted(turn), ask).body
    parts = _parts(turn, ask)
    if turn.signature and not turn.tool_calls and parts:
        parts[-1] = parts[-1] | {"thoughtSignature": turn.signature}
    return msgspec.json.encode(_answer(turn, ask, parts, ended=True, said=turn.completion_tokens))


def _parts(turn: Turn, ask: Ask) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"text": turn.thinking, "thought": True}] if turn.thinking else []
    if turn.text and not turn.refusal:
        found.append({"text": turn.text})
    if turn.image:
        found.append(_image(turn))
    return found + _calls(turn, ask)


def _image(turn: Turn) -> dict[str, Any]:
    return {"inlineData": {"mimeType": "image/png", "data": turn.image}}


def _calls(turn: Turn, ask: Ask) -> list[dict[str, Any]]:
    """Calls, the first one signed: by what the script says, or as these models always do."""
    found: list[dict[str, Any]] = []
    for call in turn.tool_calls:
        id_ = {"id": call.id} if call.id else {}
        found.append({"functionCall": {**id_, "name": call.name, "args": arguments(call)}})
    signature = call_signature(turn, ask.model)
    if found and signature:
        found[0]["thoughtSignature"] = signature
    return found


def call_signature(turn: Turn, model: str) -> str:
    """What the first call is signed with; Gemini 3 signs calls in any case."""
    always = signature_of(turn.tool_calls[0].name) if turn.tool_calls and model.startswith("gemini-3") else ""
    return turn.signature or always


def _answer(turn: Turn, ask: Ask, parts: list[dict[str, Any]], *, ended: bool, said: int) -> dict[str, Any]:
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    candidate: dict[str, Any] = {"content": content}
    if ended:
        candidate["finishReason"] = _STOPS.get(turn.ending, turn.ending)
        if turn.refusal:
            candidate["finishMessage"] = turn.refusal
        if turn.citations:
            candidate["groundingMetadata"] = _grounding(turn)
    answer: dict[str, Any] = {"candidates": [{**candidate, "index": index} for index in range(ask.answers)]}
    if turn.fault != "no_usage":
        answer["usageMetadata"] = _usage(turn, said)
    return answer | {"modelVersion": ask.model, "responseId": f"scripted{mark(turn)}"}


def _grounding(turn: Turn) -> dict[str, Any]:
    supports = []
    for number, source in enumerate(turn.citations):
        start, end = span(turn.text, source.quote)
        place = {"startIndex": len(turn.text[:start].encode()), "endIndex": len(turn.text[:end].encode())}
        supports.append({"segment": place | {"text": turn.text[start:end]}, "groundingChunkIndices": [number]})
    chunks = [{"web": {"uri": source.url, "title": source.title}} for source in turn.citations]
    return {"groundingChunks": chunks, "groundingSupports": supports, "webSearchQueries": ["scripted"]}


def _usage(turn: Turn, said: int) -> dict[str, Any]:
    if turn.fault == "wrong_usage":
        return {"promptTokenCount": -3, "candidatesTokenCount": -7, "totalTokenCount": -10}
    usage: dict[str, Any] = {
        "promptTokenCount": turn.prompt_tokens,
        "candidatesTokenCount": max(0, said - turn.reasoning_tokens),
        "totalTokenCount": turn.prompt_tokens + said,
        "promptTokensDetails": _modalities(turn.prompt_tokens, turn.audio_prompt_tokens),
    }
    if turn.audio_completion_tokens:
        usage["candidatesTokensDetails"] = _modalities(said - turn.reasoning_tokens, turn.audio_completion_tokens)
    if turn.reasoning_tokens:
        usage["thoughtsTokenCount"] = turn.reasoning_tokens
    if turn.cached_tokens:
        usage["cachedContentTokenCount"] = turn.cached_tokens
    return usage


def _modalities(tokens: int, audio: int) -> list[dict[str, Any]]:
    heard = [{"modality": "AUDIO", "tokenCount": audio}] if audio else []
    return [{"modality": "TEXT", "tokenCount": tokens - audio}, *heard]


def events(turn: Turn, ask: Ask) -> Streamed:
    """A streamed answer's chunks. Each counts; the last one says why it ended, and signs what had no call to sign."""
    failed = msgspec.Raw(_envelope(scripted(turn)))
    framed = _as_sse if ask.framing == "sse" else _as_array
    telling = Telling()
    if turn.fault == "error_in_200":
        telling.open(failed)
        return telling.streamed(turn, Strewing(None, None, None, None), framed)
    for said, parts in enumerate(_pieces(turn, ask)):
        telling.say(_answer(turn, ask, parts, ended=False, said=turn.reasoning_tokens + said + 1))
    last: dict[str, Any] = {"text": ""}
    if turn.signature and not turn.tool_calls:
        last["thoughtSignature"] = turn.signature
    telling.open(_answer(turn, ask, [last], ended=True, said=turn.completion_tokens))
    strewing = Strewing(
        malformed=msgspec.Raw(b'{"candidates": [{"content"'),
        error=failed,
        ping=b"\r\n" if ask.framing == "sse" else b"\n",  # its official client takes no comments
        unknown={"brandNew": {"x": [1]}, "modelVersion": ask.model},
    )
    return telling.streamed(turn, strewing, framed)


def _pieces(turn: Turn, ask: Ask) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = [[{"text": word, "thought": True}] for word in words(turn.thinking)]
    found += [[{"text": word}] for word in words("" if turn.refusal else turn.text)]
    if turn.image:
        found.append([_image(turn)])
    return found + [[part] for part in _calls(turn, ask)]


def _as_sse(events: list[Any]) -> list[bytes]:
    return [
        event if isinstance(event, bytes) else b"data: " + msgspec.json.encode(event) + b"\r\n\r\n" for event in events
    ]


def _as_array(events: list[Any]) -> list[bytes]:
    found, before = [], b"["
    for event in events:
        if isinstance(event, bytes):
            found.append(event)
        else:
            found.append(before + msgspec.json.encode(event))
            before = b"\n,\r\n"
    return [*found[:-1], found[-1] + b"\n]\n"]


def counted(turn: Turn) -> bytes:
    """The answer of countTokens."""
    details = _modalities(turn.prompt_tokens, turn.audio_prompt_tokens)
    return msgspec.json.encode({"totalTokens": turn.prompt_tokens, "promptTokensDetails": details})


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    verbs = ["generateContent", "countTokens"]
    found = [
        {
            "name": f"models/{name}",
            "displayName": name,
            "supportedGenerationMethods": verbs,
            "inputTokenLimit": 1_000_000,
        }
        for name in names
    ]
    return msgspec.json.encode({"models": found})


def error(failure: Failure, ask: Ask) -> Worded:
    """An error body; in an array where a stream would have been one."""
    body = _envelope(failure)
    return Worded(b"[" + body + b"\n]\n" if ask.stream and ask.framing == "array" else body)


def _envelope(failure: Failure) -> bytes:
    status = _STATUSES.get(failure.status, "UNKNOWN" if failure.status >= 500 else "FAILED_PRECONDITION")
    body: dict[str, Any] = {"code": failure.status, "message": failure.message, "status": status}
    details: list[dict[str, Any]] = []
    if failure.code not in ("", "scripted"):
        reason = {"reason": failure.code, "domain": "googleapis.com"}
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason})
    if failure.retry_after:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{failure.retry_after}s"})
    return msgspec.json.encode({"error": body | ({"details": details} if details else {})})


def issue(turn: Turn, ask: Ask, issued: Issued) -> None:
    """Remember what calls are signed with, too."""
    issued.note(turn)
    issued.signatures.add(call_signature(turn, ask.model))
