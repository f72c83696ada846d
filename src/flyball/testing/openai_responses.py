"""How a scripted answer is worded for a client of OpenAI's Responses.

An answer is a list of items; a stream opens, fills and closes each of them, and numbers its events.
"""

from functools import partial
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
    mark,
    pieces,
    scripted,
    span,
    sse,
    words,
)
from .script import Turn
from .strict import keys
from .strict.openai_responses import refusal as refusal  # noqa: PLC0414 -- a part of the dialect

NAME = "openai_responses"
REQUEST_ID = "x-request-id: scripted"
locked = keys.openai
_INCOMPLETE = {"max_tokens": "max_output_tokens", "context": "max_output_tokens", "content_filter": "content_filter"}
_KINDS = {401: "authentication_error", 429: "rate_limit_error"}
_ENCRYPTED = "reasoning.encrypted_content"


def place(path: str) -> Place | None:
    """Below whatever prefix."""
    if path.endswith("/responses"):
        return Place()
    return Place("count") if path.endswith("/responses/input_tokens") else None


class _Body(msgspec.Struct):
    model: str = ""
    stream: bool | None = False
    include: list[str] | None = None
    store: bool | None = True


def ask(place: Place, query: str, body: bytes) -> Ask:  # noqa: ARG001 -- all is in the body
    """The model, whether to stream, and what becomes of thoughts are in the body."""
    found = _DECODER.decode(body)
    return Ask(
        found.model,
        bool(found.stream) and place.verb == "generate",
        place.verb,
        encrypted=_ENCRYPTED in (found.include or ()),
        stored=found.store is not False,
    )


_DECODER = msgspec.json.Decoder(_Body)


def whole(turn: Turn, ask: Ask) -> bytes:
    """An unary answer's body. An error in it is a response that failed, which is a 200."""
    if turn.fault == "malformed":
        return b'{"object": "response", "output": [{"type": "message", "content": [{"text": "half an answ'
    if turn.fault == "error_in_200":
        return msgspec.json.encode(_failed(turn, ask))
    return msgspec.json.encode(_response(turn, ask, _status(turn), items(turn, ask)))


def _status(turn: Turn) -> str:
    return "incomplete" if turn.ending in _INCOMPLETE else "completed"


def _response(turn: Turn, ask: Ask, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    ended = status not in ("in_progress", "failed")
    counts = {"usage": _usage(turn)} if ended and turn.fault != "no_usage" else {"usage": None}
    return {
        "id": f"resp_{mark(turn)}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": _INCOMPLETE[turn.ending]} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": ask.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": ask.stored,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        **counts,
        "user": None,
        "metadata": {},
    }


def _failed(turn: Turn, ask: Ask) -> dict[str, Any]:
    code = "rate_limit_exceeded" if turn.status == 429 else "server_error"
    return _response(turn, ask, "failed", []) | {"error": {"code": code, "message": scripted(turn).message}}


def _usage(turn: Turn) -> dict[str, Any]:
    if turn.fault == "wrong_usage":
        return {"input_tokens": -3, "output_tokens": "many", "total_tokens": None}
    read = {"cached_tokens": turn.cached_tokens, "cache_write_tokens": turn.cache_write_tokens}
    return {
        "input_tokens": turn.prompt_tokens,
        "input_tokens_details": read,
        "output_tokens": turn.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": turn.reasoning_tokens},
        "total_tokens": turn.prompt_tokens + turn.completion_tokens,
    }


def items(turn: Turn, ask: Ask) -> list[dict[str, Any]]:
    """What the answer consists of."""
    id_, found = mark(turn), []
    if turn.thinking:
        summary = [{"type": "summary_text", "text": turn.thinking}]
        found.append(_reasoning(f"rs_{id_}", summary, turn.signature, ask))
    if turn.redacted:
        found.append(_reasoning(f"rs_{id_}_hidden", [], turn.redacted, ask))
    if turn.text or turn.refusal:
        part = {"type": "refusal", "refusal": turn.refusal} if turn.refusal else _text(turn)
        message = {"id": f"msg_{id_}", "type": "message", "status": _status(turn), "role": "assistant"}
        found.append(message | {"content": [part]})
    if turn.image:
        shown = {"id": f"ig_{id_}", "type": "image_generation_call", "status": "completed", "result": turn.image}
        found.append(shown)
    for number, call in enumerate(turn.tool_calls):
        called = call_id(call, number, "call_")
        function = {"id": f"fc_{id_}_{number}", "type": "function_call", "status": "completed", "call_id": called}
        found.append(function | {"name": call.name, "arguments": call.arguments})
    return found


def _reasoning(id_: str, summary: list[dict[str, Any]], encrypted: str, ask: Ask) -> dict[str, Any]:
    item = {"id": id_, "type": "reasoning", "summary": summary}
    return item | ({"encrypted_content": encrypted} if ask.encrypted else {})


def _text(turn: Turn) -> dict[str, Any]:
    annotations = []
    for source in turn.citations:
        start, end = span(turn.text, source.quote)
        where = {"start_index": start, "end_index": end, "title": source.title, "url": source.url}
        annotations.append({"type": "url_citation", **where})
    return {"type": "output_text", "text": turn.text, "annotations": annotations, "logprobs": []}


def events(turn: Turn, ask: Ask) -> Streamed:
    """A streamed answer's events; the last one holds the whole response."""
    telling = Telling()
    begun = _response(turn, ask, "in_progress", [])
    telling.open(_event("response.created", response=begun), _event("response.in_progress", response=begun))
    if turn.fault == "error_in_200":
        telling.open(_event("response.failed", response=_failed(turn, ask)))
    else:
        for index, item in enumerate(items(turn, ask)):
            if item["type"] != "function_call" or not turn.interleaved:
                _TELLERS[item["type"]](telling, turn, index, item)
        if turn.interleaved:
            _tell_interleaved(telling, turn, items(turn, ask))
        status = _status(turn)
        telling.open(_event(f"response.{status}", response=_response(turn, ask, status, items(turn, ask))))
    failure = scripted(turn)
    strewing = Strewing(
        malformed=b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "del\n\n',
        error=_event("error", code=failure.code, message=failure.message, param=None),
        ping=b": keep-alive\n\n",
        unknown=_event("response.brand_new.delta", payload={"x": [1]}),
    )
    return telling.streamed(turn, strewing, _numbered)


def _numbered(events: list[Any]) -> list[bytes]:
    found, number = [], 0
    for event in events:
        if isinstance(event, bytes):
            found.append(event)
        else:
            found.append(sse({**event, "sequence_number": number}, event["type"]))
            number += 1
    return found


def _event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def _tell_reasoning(telling: Telling, turn: Turn, index: int, item: dict[str, Any]) -> None:
    of = partial(_event, item_id=item["id"], output_index=index)
    _added(telling, index, item | {"summary": []})
    for number, part in enumerate(item["summary"]):
        empty = {"type": "summary_text", "text": ""}
        telling.open(of("response.reasoning_summary_part.added", summary_index=number, part=empty))
        for word in words(turn.thinking):
            telling.say(of("response.reasoning_summary_text.delta", summary_index=number, delta=word))
        telling.open(of("response.reasoning_summary_text.done", summary_index=number, text=turn.thinking))
        telling.open(of("response.reasoning_summary_part.done", summary_index=number, part=part))
    _done(telling, index, item)


def _tell_message(telling: Telling, turn: Turn, index: int, item: dict[str, Any]) -> None:
    of = partial(_event, item_id=item["id"], output_index=index, content_index=0)
    (part,) = item["content"]
    _added(telling, index, item | {"status": "in_progress", "content": []})
    if part["type"] == "refusal":
        telling.open(of("response.content_part.added", part={"type": "refusal", "refusal": ""}))
        for word in words(turn.refusal):
            telling.say(of("response.refusal.delta", delta=word))
        telling.open(of("response.refusal.done", refusal=turn.refusal))
    else:
        telling.open(of("response.content_part.added", part=part | {"text": "", "annotations": []}))
        for word in words(turn.text):
            telling.say(of("response.output_text.delta", delta=word, logprobs=[]))
        for number, annotation in enumerate(part["annotations"]):
            kind = "response.output_text.annotation.added"
            telling.open(of(kind, annotation_index=number, annotation=annotation))
        telling.open(of("response.output_text.done", text=turn.text, logprobs=[]))
    telling.open(of("response.content_part.done", part=part))
    _done(telling, index, item)


def _tell_image(telling: Telling, turn: Turn, index: int, item: dict[str, Any]) -> None:
    of = partial(_event, item_id=item["id"], output_index=index)
    _added(telling, index, item | {"status": "in_progress", "result": None})
    telling.open(of("response.image_generation_call.in_progress"), of("response.image_generation_call.generating"))
    partially = of("response.image_generation_call.partial_image", partial_image_b64=turn.image, partial_image_index=0)
    telling.say(partially)
    telling.open(of("response.image_generation_call.completed"))
    _done(telling, index, item)


def _tell_call(telling: Telling, turn: Turn, index: int, item: dict[str, Any]) -> None:
    _added(telling, index, item | {"status": "in_progress", "arguments": ""})
    number = int(item["id"].rpartition("_")[2])
    for at, piece in pieces(turn):
        if at == number:
            telling.say(_argued(item, index, piece))
    _called(telling, index, item)


def _tell_interleaved(telling: Telling, turn: Turn, found: list[dict[str, Any]]) -> None:
    calls = [(index, item) for index, item in enumerate(found) if item["type"] == "function_call"]
    for index, item in calls:
        _added(telling, index, item | {"status": "in_progress", "arguments": ""})
    for number, piece in pieces(turn):
        index, item = calls[number]
        telling.say(_argued(item, index, piece))
    for index, item in calls:
        _called(telling, index, item)


def _argued(item: dict[str, Any], index: int, piece: str) -> dict[str, Any]:
    return _event("response.function_call_arguments.delta", item_id=item["id"], output_index=index, delta=piece)


def _called(telling: Telling, index: int, item: dict[str, Any]) -> None:
    kind = "response.function_call_arguments.done"
    said = {"name": item["name"], "arguments": item["arguments"]}
    telling.open(_event(kind, item_id=item["id"], output_index=index, **said))
    _done(telling, index, item)


def _added(telling: Telling, index: int, item: dict[str, Any]) -> None:
    telling.open(_event("response.output_item.added", output_index=index, item=item))


def _done(telling: Telling, index: int, item: dict[str, Any]) -> None:
    telling.open(_event("response.output_item.done", output_index=index, item=item))


_TELLERS = {
    "reasoning": _tell_reasoning,
    "message": _tell_message,
    "image_generation_call": _tell_image,
    "function_call": _tell_call,
}


def counted(turn: Turn) -> bytes:
    """The answer of input_tokens."""
    return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": turn.prompt_tokens})


def models(names: tuple[str, ...]) -> bytes:
    """Never asked: the list is Chat's."""
    return msgspec.json.encode({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def error(failure: Failure, ask: Ask) -> Worded:  # noqa: ARG001 -- the same whole and streamed
    """An error body."""
    kind = _KINDS.get(failure.status, "server_error" if failure.status >= 500 else "invalid_request_error")
    body = {"message": failure.message, "type": kind, "param": failure.param, "code": failure.code or None}
    return Worded(msgspec.json.encode({"error": body}))


def issue(turn: Turn, ask: Ask, issued: Issued) -> None:
    """Remember what thoughts are signed with; which items stand behind which thought; and what is kept."""
    issued.note(turn)
    needed = ""
    for item in items(turn, ask):
        if item["type"] == "reasoning":
            needed = item["id"]
        if ask.stored:
            issued.items[item["id"]] = "" if item["type"] == "reasoning" else needed
        elif item["type"] != "reasoning" and needed:
            issued.items[item["id"]] = needed
    if ask.stored:
        issued.responses.add(f"resp_{mark(turn)}")
