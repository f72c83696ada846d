"""Streams in Responses' words, for callers: every event has its name and its number, items close before the answer does.

An item is added, filled and done. Texts that follow each other are parts of one message. The last event holds the whole.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.signatures import detached, wrap
from flyball.llm.usage import Usage, usage_to_responses

from .asking import NAME
from .errors import error_event
from .items import CALLS, HOME, annotation_of

_INCOMPLETE = {"max_tokens": "max_output_tokens", "context": "max_output_tokens", "content_filter": "content_filter"}
_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"))
# What an answer says of its question: the caller's own bytes, else these.
_ECHOED: dict[str, Any] = {
    **dict.fromkeys(("instructions", "max_output_tokens", "max_tool_calls", "user", "safety_identifier")),
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "top_p": None,
    "top_logprobs": None,
    "truncation": "disabled",
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
}
_NO_TOKENS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
_NO_IMAGES = {"image_gen": {**_NO_TOKENS, "input_tokens_details": {"image_tokens": 0, "text_tokens": 0}}}
_ENCODE = msgspec.json.encode
_KINDS = {
    m.Text: ("output_text", "text"),
    m.Refusal: ("refusal", "refusal"),
    m.Thinking: ("reasoning_summary_text", "text"),
}


class _Part(msgspec.Struct):
    """A part that has begun, in its item."""

    part: m.Part
    item: dict[str, Any]
    place: dict[str, Any]  # that its events name
    head: bytes  # of its deltas
    pieces: list[str] = []
    length: int = 0
    said: dict[str, Any] = {}  # the content as it will be
    signature: m.Signature | None = None


class Writer:
    """Words one stream for a caller, or a whole answer, of which no event is told.

    `ids` are those of thoughts that are known before, by their places.
    """

    def __init__(
        self, frame: Frame, losses: Losses, ids: Mapping[int, str] | None = None, *, is_whole: bool = False
    ) -> None:
        self._is_whole = is_whole
        self._frame = frame
        self._losses = losses
        self._ids = ids or {}
        self._number = 0
        self._began = self._refused = False
        self._output: list[dict[str, Any]] = []
        self._open: dict[int, _Part] = {}
        self._message: dict[str, Any] | None = None  # the item that the next text joins
        self._stop = m.Stop(reason="other")
        self._usage: Usage | None = None
        self._tier = ""

    def write(self, event: c.StreamEvent) -> bytes:  # noqa: PLR0911 -- one for each kind
        """The events for one."""
        if getattr(event, "choice", 0):
            self._losses.drop("choices[1]")
            return b""
        match event:
            case c.Grew():
                return self._grow(event)
            case c.Opened():
                return self._begin() + b"".join(self._opened(event.at, part) for part in detached((event.part,)))
            case c.Closed():
                return self._close(event.at)
            case c.Cited() | c.Signed():
                return self._add_to(event)
            case c.Began():
                return self._begin()
            case c.Stopped():
                self._stop = event.stop
            case c.Counted():
                self._usage = event.usage or self._usage
                self._tier = event.service_tier or self._tier
            case c.Lost():
                self._losses.drop(event.name)
        return b""

    def end(self) -> bytes:
        """Everything closed, and the whole answer."""
        said = self._begin() + b"".join(map(self._close, list(self._open))) + self._end_message()
        whole = {**self.whole(), **self._frame.extra}
        return said + self._event(f"response.{whole['status']}", {"response": whole, **self._frame.extra})

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event at which OpenAI's clients raise."""
        return error_event(self._number, status, message, code=code)

    def whole(self, tier: str = "") -> dict[str, Any]:
        """The answer, when everything has been said."""
        self._end_message()
        self._miss()
        tier = tier or self._tier
        reason = self._reason()
        if tier == "standard":
            tier = "default"
        elif tier and tier not in _TIERS:
            self._losses.drop("service_tier")
        whole = self._response("incomplete" if reason else "completed")
        whole["incomplete_details"] = {"reason": reason} if reason else None
        if reason and self._output and "status" in self._output[-1]:
            self._output[-1]["status"] = "incomplete"
        whole["output"] = self._output
        whole["usage"] = usage_to_responses(self._usage) if self._usage is not None else None
        if self._usage is not None and self._usage.web_searches:
            whole["tool_usage"] = {**_NO_IMAGES, "web_search": {"num_requests": self._usage.web_searches}}
        return {**whole, "service_tier": tier} if tier in _TIERS else whole

    def _miss(self) -> None:
        """Name what there are no words for: which of the sequences was met, a pause, a window that is full, odd reasons."""
        stop = self._stop
        if stop.sequence is not None:
            self._losses.drop("stop_sequence")
        if stop.reason in ("pause", "context") or (stop.reason == "other" and stop.native not in ("", "completed")):
            self._losses.drop("stop_reason")

    def _response(self, status: str) -> dict[str, Any]:
        frame, asked = self._frame, self._frame.asked
        fields = asked.fields if asked is not None and asked.dialect == NAME else {}
        echoed = {
            name: fields[name] if name in fields and bytes(fields[name]) != b"null" else value
            for name, value in _ECHOED.items()
        }
        head = {"id": f"resp_{frame.id}", "object": "response", "created_at": frame.created, "status": status}
        kept = {"background": False, "previous_response_id": None, "store": False}  # nothing is
        rest: dict[str, Any] = {"error": None, "incomplete_details": None, "model": frame.model}
        return {**head, **rest, "output": [], "usage": None, **kept, **echoed}

    def _begin(self) -> bytes:
        if self._began:
            return b""
        self._began = True
        begun = {"response": self._response("in_progress")}
        return self._event("response.created", begun) + self._event("response.in_progress", begun)

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        if self._is_whole:
            return b""
        said = _ENCODE({"type": kind, "sequence_number": self._next(), **fields})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), said)

    def _next(self) -> int:
        self._number += 1
        return self._number - 1

    # -- items

    def _add(self, prefix: str, fields: dict[str, Any], id_: str = "") -> tuple[dict[str, Any], dict[str, Any], bytes]:
        """A new item, the place that its events name, and its first event."""
        index = len(self._output)
        taken = any(one["id"] == id_ for one in self._output)
        own = {"id": f"{prefix}_{self._frame.id}_{index}" if taken or not id_ else id_}
        item = own | fields | own
        self._output.append(item)
        place = {"item_id": item["id"], "output_index": index}
        return item, place, self._event("response.output_item.added", {"output_index": index, "item": item})

    def _done(self, item: dict[str, Any]) -> bytes:
        return self._event("response.output_item.done", {"output_index": self._index(item), "item": item})

    def _index(self, item: dict[str, Any]) -> int:
        return next(at for at, one in enumerate(self._output) if one is item)

    def _opened(self, at: int, part: m.Part) -> bytes:
        match part:
            case m.Text() | m.Refusal():
                return self._open_text(at, part)
            case m.ToolCall():
                return self._open_call(at, part)
            case m.Thinking():
                return self._open_thought(at, part)
        ended = self._end_message()
        if isinstance(part, m.Media) and part.kind == "image" and part.data:
            form = part.media_type.rpartition("/")[2]
            shown = {"type": "image_generation_call", "status": "in_progress", "result": None}
            item, _, said = self._add("ig", shown | ({"output_format": form} if form != "png" else {}))
            item |= {"status": "completed", "result": part.data}
            return ended + said + self._done(item)
        if isinstance(part, m.Native) and part.dialect == NAME and isinstance(part.raw, dict):
            item, _, said = self._add("item", part.raw, str(part.raw.get("id", "")))
            return ended + said + self._done(item)
        if not isinstance(part, m.Native):  # those are named among the answer's leftovers
            self._losses.drop(getattr(part, "kind", "output"))
        return ended

    def _open_text(self, at: int, part: m.Text | m.Refusal) -> bytes:
        begun = b""
        if self._message is None:
            fields: dict[str, Any] = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            self._message, _, begun = self._add("msg", fields)
        item = self._message
        self._refused = self._refused or isinstance(part, m.Refusal)
        kind, field = _KINDS[type(part)]
        said: dict[str, Any] = {"type": kind, field: ""} | (
            {"annotations": [], "logprobs": []} if kind == "output_text" else {}
        )
        place = {"item_id": item["id"], "output_index": self._index(item), "content_index": len(item["content"])}
        begun += self._event("response.content_part.added", {**place, "part": said})
        item["content"].append(said)
        held = self._hold(at, part, item, place, f"response.{kind}.delta")
        held.said = said
        return begun + (self._grow(c.Grew(at, part.text)) if part.text else b"")

    def _open_call(self, at: int, part: m.ToolCall) -> bytes:
        ended = self._end_message()
        kind = "custom_tool_call" if part.custom else "function_call"
        status = {} if part.custom else {"status": "in_progress"}
        fields = {"type": kind, **status, "call_id": part.id, "name": part.name, CALLS[kind]: ""}
        item, place, begun = self._add("ctc" if part.custom else "fc", fields)
        self._hold(at, part, item, place, f"response.{kind}_{CALLS[kind]}.delta")
        return ended + begun + (self._grow(c.Grew(at, part.arguments)) if part.arguments else b"")

    def _open_thought(self, at: int, part: m.Thinking) -> bytes:
        ended = self._end_message()
        known = part.signature.id if part.signature is not None and part.signature.origin == HOME else ""
        item, place, begun = self._add("rs", {"type": "reasoning", "summary": []}, self._ids.get(at, known))
        if part.redacted or part.belongs_to_next:
            item["encrypted_content"] = self._sealed(part, item)
            return ended + begun + self._done(item)
        place["summary_index"] = 0
        empty = {"type": "summary_text", "text": ""}
        begun += self._event("response.reasoning_summary_part.added", {**place, "part": empty})
        held = self._hold(at, part, item, place, "response.reasoning_summary_text.delta")
        held.signature = part.signature
        return ended + begun + (self._grow(c.Grew(at, part.text)) if part.text else b"")

    def _sealed(self, thought: m.Thinking, item: dict[str, Any]) -> str:
        """What a thought is signed with, in an envelope where it is another's, or not the item's own."""
        signature = thought.signature
        return wrap(thought, home=HOME if signature is not None and signature.id == item["id"] else "flyball")

    def _hold(self, at: int, part: m.Part, item: dict[str, Any], place: dict[str, Any], delta: str) -> _Part:
        head = b'event: %b\ndata: {"type":"%b",%b,"sequence_number":' % (
            delta.encode(),
            delta.encode(),
            _ENCODE(place)[1:-1],
        )
        held = self._open[at] = _Part(part, item, place, head)
        return held

    def _grow(self, event: c.Grew) -> bytes:
        held = self._open.get(event.at)
        if held is None:
            return b""
        held.pieces.append(event.text)
        held.length += len(event.text)
        tail = b"}\n\n"
        if isinstance(held.part, m.Text):
            found = _logprobs(event.logprobs)
            held.said["logprobs"] += found
            tail = b',"logprobs":%b}\n\n' % _ENCODE(found)
        elif not event.text:
            return b""
        return b'%b%d,"delta":%b%b' % (held.head, self._next(), _ENCODE(event.text), tail)

    def _add_to(self, event: c.Cited | c.Signed) -> bytes:
        held = self._open.get(event.at)
        if isinstance(event, c.Signed):
            if held is not None:
                held.signature = event.signature
            return b""
        if held is None or not isinstance(held.part, m.Text):
            return b""
        if (annotation := annotation_of(event.citation, held.length)) is None:
            self._losses.drop("citations")
            return b""
        found = held.said["annotations"]
        found.append(annotation)
        fields = {**held.place, "annotation_index": len(found) - 1, "annotation": annotation}
        return self._event("response.output_text.annotation.added", fields)

    def _close(self, at: int) -> bytes:
        held = self._open.pop(at, None)
        if held is None:
            return b""
        part, item, place, text = held.part, held.item, held.place, "".join(held.pieces)
        if isinstance(part, m.ToolCall):
            return self._close_call(held, text)
        kind, field = _KINDS[type(part)]
        if isinstance(part, m.Thinking):
            whole = {"type": "summary_text", "text": text}
            item["summary"].append(whole)
            if held.signature is not None:
                item["encrypted_content"] = self._sealed(m.Thinking(signature=held.signature), item)
            said = self._event("response.reasoning_summary_text.done", {**place, "text": text})
            said += self._event("response.reasoning_summary_part.done", {**place, "part": whole})
            return said + self._done(item)
        held.said[field] = text
        logprobs = {"logprobs": held.said["logprobs"]} if isinstance(part, m.Text) else {}
        said = self._event(f"response.{kind}.done", {**place, field: text, **logprobs})
        said += self._event("response.content_part.done", {**place, "part": held.said})
        return said if item is self._message else said + self._done_message(item)

    def _close_call(self, held: _Part, text: str) -> bytes:
        item, custom = held.item, isinstance(held.part, m.ToolCall) and held.part.custom
        said = b""
        if not text and not custom:
            said, text = b'%b%d,"delta":"{}"}\n\n' % (held.head, self._next()), "{}"
        field = CALLS[item["type"]]
        item[field] = text
        if not custom:
            item["status"] = "completed"
        fields = {**held.place, "name": item["name"], field: text}
        return said + self._event(f"response.{item['type']}_{field}.done", fields) + self._done(item)

    def _end_message(self) -> bytes:
        """The next text begins a message of its own."""
        item, self._message = self._message, None
        return self._done_message(item) if item is not None else b""

    def _done_message(self, item: dict[str, Any]) -> bytes:
        """A message is done when its last part is."""
        if any(held.item is item for held in self._open.values()):
            return b""
        item["status"] = "incomplete" if self._reason() and item is self._output[-1] else "completed"
        return self._done(item)

    def _reason(self) -> str | None:
        """Why the answer is incomplete, where it is."""
        if self._stop.reason == "refusal" and not self._refused:
            return "content_filter"
        return _INCOMPLETE.get(self._stop.reason)


def _logprobs(said: Any) -> list[dict[str, Any]]:
    """Those of a piece of text as chat words them; the bytes of a token have to be there."""
    listed = said.get("content") if isinstance(said, dict) else None
    return [_logprob(one) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _logprob(said: dict[str, Any]) -> dict[str, Any]:
    others = said.get("top_logprobs")
    listed = [_token(one) for one in others if isinstance(one, dict)] if isinstance(others, list) else []
    return _token({**said, "top_logprobs": listed})


def _token(said: dict[str, Any]) -> dict[str, Any]:
    return said if said.get("bytes") is not None else {**said, "bytes": list(str(said.get("token", "")).encode())}
