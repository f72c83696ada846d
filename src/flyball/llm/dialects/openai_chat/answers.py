"""An answer in chat, for those who call in it: the chunks of a stream, and whole, which is the same put together."""

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.usage import SEARCHES, Usage, usage_to_openai

from .asking import DONE, NAME
from .errors import error_event
from .thoughts import details_of_part

_WORDS = {"max_tokens": "length", "context": "length", "content_filter": "content_filter", "tool_calls": "tool_calls"}

_TIERS = {name: name for name in ("auto", "default", "flex", "scale", "priority", "fast")} | {"standard": "default"}


def write_completion(completion: c.Completion, frame: Frame, losses: Losses) -> bytes:
    """A whole answer. What it cannot say is dropped and named in `losses`."""
    losses.drop_all(completion.leftovers)
    whole: dict[str, Any] = {
        "id": f"chatcmpl-{frame.id}",
        "object": "chat.completion",
        "created": frame.created,
        "model": frame.model,
        "choices": [_choice(choice, losses) for choice in completion.choices],
    }
    if completion.usage is not None:
        whole["usage"] = usage_to_openai(completion.usage)
        _miss_searches(completion.usage, losses)
    whole |= _tier(completion.service_tier, losses)
    if fingerprint := completion.extra.get("system_fingerprint"):
        whole["system_fingerprint"] = fingerprint
    return msgspec.json.encode({**whole, **frame.extra})


def _miss_searches(usage: Usage | None, losses: Losses) -> None:
    if usage is not None and usage.web_searches:
        losses.drop(SEARCHES)


def _tier(tier: str, losses: Losses) -> dict[str, str]:
    if tier and tier not in _TIERS:
        losses.drop("service_tier")
    return {"service_tier": _TIERS[tier]} if tier in _TIERS else {}


def _choice(choice: c.Choice, losses: Losses) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    spoken = _Spoken(losses)
    for event in c.events_of(c.Completion(choices=(choice,))):
        for delta in spoken.say(event):
            _join(message, delta)
    for name in ("tool_calls", "images", "annotations"):
        for item in message.get(name, ()):
            del item["index"]  # for the pieces of streams, which OpenAI's client puts together by it
    rest = {"logprobs": choice.logprobs, "finish_reason": spoken.finish_reason}
    return {"index": choice.index, "message": message, **rest}


def _join(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Put a piece to what is there, as the official client does: words to words, lists to lists, calls by their index."""
    for name, value in delta.items():
        known = message.get(name)
        if name == "tool_calls" and known and value[0]["index"] == len(known) - 1:
            kind = "custom" if "custom" in value[0] else "function"
            for inner, piece in value[0][kind].items():
                known[-1][kind][inner] += piece
        elif isinstance(known, str | list):
            message[name] = known + value
        else:
            message[name] = value


class Writer:
    """Words one stream."""

    def __init__(self, frame: Frame, losses: Losses) -> None:
        self._frame = frame
        self._losses = losses
        head = {"id": f"chatcmpl-{frame.id}", "object": "chat.completion.chunk", "created": frame.created}
        self._head = b"data: " + msgspec.json.encode({**head, "model": frame.model})[:-1] + b","
        self._answers: dict[int, _Spoken] = {}
        self._usage: Usage | None = None
        self._tier = ""

    def write(self, event: c.StreamEvent) -> bytes:
        """The words for one event."""
        if isinstance(event, c.Counted):
            self._usage, self._tier = event.usage, event.service_tier or self._tier
            _miss_searches(event.usage, self._losses)
        elif isinstance(event, c.Lost):
            self._losses.drop(event.name)
        elif not isinstance(event, c.Began | c.Broke):
            return self._said(event)
        return b""

    def end(self) -> bytes:
        """Why each answer ended, what was used, and the end."""
        last = len(self._answers)
        extra = {**_tier(self._tier, self._losses), **self._frame.extra}
        out = []
        for number, (index, answer) in enumerate(self._answers.items(), 1):
            if not answer.begun:
                out.append(self._begun(index, ""))
            out.append(self._chunk(index, {}, None, answer.finish_reason, extra if number == last else ()))
        if self._frame.wants_usage and self._usage is not None:
            out.append(self._event({"choices": [], "usage": usage_to_openai(self._usage)}))
        return b"".join(out) + DONE

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event that ends a stream that has failed."""
        return error_event(status, message, code=code)

    def _said(self, event: Any) -> bytes:
        answer = self._answers.get(event.choice)
        out = b""
        if answer is None:
            if event.choice and not self._answers:  # OpenAI's client fails where another answer than the first begins
                self._answers[0] = _Spoken(self._losses)
                out = self._begun(0, "")
            answer = self._answers[event.choice] = _Spoken(self._losses)
        for delta in answer.say(event):
            if not answer.begun:
                out += self._begun(event.choice, None if "tool_calls" in delta else "")
            out += self._chunk(event.choice, delta, getattr(event, "logprobs", None))
        return out

    def _begun(self, index: int, content: str | None) -> bytes:
        self._answers[index].begun = True
        return self._chunk(index, {"role": "assistant", "content": content, "refusal": None})

    def _chunk(self, index: int, delta: Any, logprobs: Any = None, reason: Any = None, extra: Any = ()) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self._event({"choices": [choice], **dict(extra)})

    def _event(self, rest: dict[str, Any]) -> bytes:
        return self._head + msgspec.json.encode(rest)[1:] + b"\n\n"


class _Spoken:
    """One answer, as far as it has been said. What it says are deltas."""

    def __init__(self, losses: Losses) -> None:
        self.begun = False
        self.finish_reason = "stop"
        self._losses = losses
        self._parts: dict[int, m.Part] = {}
        self._grown: dict[int, list[str]] = {}  # thoughts that may be signed; and whether a call has arguments
        self._calls: dict[int, int] = {}  # places of calls, and their indexes
        self._texts: dict[int, list[int]] = {}  # of texts: where each begins in the content, and where it ends
        self._whole_cited: dict[int, list[m.Citation]] = {}  # of texts that are cited whole: said when they are
        self._length = 0  # of the content
        self._details = 0
        self._numbers: dict[str, int] = {}  # of images and annotations
        self._refused = False
        self._waiting: m.Thinking | None = None  # it belongs to the next part

    def say(self, event: c.StreamEvent) -> Iterable[dict[str, Any]]:  # noqa: PLR0911 -- one for each kind
        """What one event says."""
        match event:
            case c.Grew():
                return self._grew(self._parts[event.at], event.at, event.text)
            case c.Opened():
                return self._opened(event.part, event.at)
            case c.Closed():
                return self._closed(self._parts[event.at], event.at)
            case c.Signed():
                thought = m.Thinking(text="".join(self._grown[event.at]), signature=event.signature)
                return (self._detailed(thought, thought.signature),)
            case c.Cited() if event.citation.end is None:
                self._whole_cited.setdefault(event.at, []).append(event.citation)
            case c.Cited():
                return self._cited(event.citation, *self._texts[event.at])
            case c.Stopped():
                return self._stopped(event.stop)
        return ()

    def _stopped(self, stop: m.Stop) -> Iterable[dict[str, Any]]:
        refused = stop.reason == "refusal" and not self._refused
        self.finish_reason = "content_filter" if refused else _WORDS.get(stop.reason, "stop")
        if stop.sequence is not None:
            self._losses.drop("stop_sequence")
        if stop.reason in ("pause", "context") or (stop.reason == "other" and stop.native):
            self._losses.drop(
                "stop_reason"
            )  # it did not stop because it was done, or asked to, and that cannot be said
        waiting, self._waiting = self._waiting, None
        return () if waiting is None else (self._detailed(waiting, waiting.signature),)

    def _closed(self, part: m.Part, at: int) -> Iterable[dict[str, Any]]:
        if isinstance(part, m.ToolCall) and not part.custom and not self._grown[at]:
            yield from self._grew(part, at, "{}")
        for citation in self._whole_cited.pop(at, ()):
            yield from self._cited(citation, *self._texts[at])

    def _grew(self, part: m.Part, at: int, text: str) -> Iterable[dict[str, Any]]:
        match part:
            case m.Text():
                self._length += len(text)
                self._texts[at][1] = self._length
                return ({"content": text},)
            case m.Thinking():
                self._grown[at].append(text)
                return ({"reasoning_content": text},)
            case m.ToolCall():
                self._grown[at].append("")
                grown: Any = {"custom": {"input": text}} if part.custom else {"function": {"arguments": text}}
                return ({"tool_calls": [{"index": self._calls[at], **grown}]},)
        return ({"refusal": text},)

    def _opened(self, part: m.Part, at: int) -> Iterable[dict[str, Any]]:
        self._parts[at] = part
        self._grown[at] = []
        signature = getattr(part, "signature", None)
        match part:
            case m.Thinking() if part.belongs_to_next:
                self._waiting = part
                return
            case m.Thinking() | m.Refusal() | m.Text():
                self._texts[at] = [self._length, self._length]
                self._refused = self._refused or isinstance(part, m.Refusal)
                if part.text:
                    yield from self._grew(part, at, part.text)
        if self._waiting is not None and not isinstance(part, m.Thinking):
            signature, self._waiting = self._waiting.signature, None
        if signature is not None:
            yield self._detailed(part, signature)
        if isinstance(part, m.ToolCall):
            self._calls[at] = len(self._calls)
            if part.arguments:
                self._grown[at].append("")
            inner: Any = {"function": {"name": part.name, "arguments": part.arguments}}
            if part.custom:
                inner = {"custom": {"name": part.name, "input": part.arguments}}
            yield {"tool_calls": [{"index": self._calls[at], "id": part.id, "type": next(iter(inner)), **inner}]}
        elif isinstance(part, m.Media | m.Native):
            yield from self._odd(part)

    def _odd(self, part: m.Media | m.Native) -> Iterable[dict[str, Any]]:
        """Images as OpenRouter shows them, OpenAI's own recordings; nothing else can be said."""
        if isinstance(part, m.Media) and part.kind == "image" and not part.file_id:
            url = part.url or data_url(part.media_type, part.data)
            yield {"images": [{"index": self._number("images"), "type": "image_url", "image_url": {"url": url}}]}
        elif isinstance(part, m.Native) and part.dialect == NAME and part.kind == "audio":
            yield {"audio": part.raw}
        else:
            self._losses.drop(part.kind)

    def _cited(self, citation: m.Citation, start: int, end: int) -> Iterable[dict[str, Any]]:
        if citation.kind != "url" or not citation.url:
            self._losses.drop("citations")
            return
        end = end if citation.end is None else start + citation.end
        said = {
            "url": citation.url,
            "title": citation.title,
            "start_index": start + (citation.start or 0),
            "end_index": end,
        }
        if citation.quote:
            said["content"] = citation.quote
        yield {"annotations": [{"index": self._number("annotations"), "type": "url_citation", "url_citation": said}]}

    def _number(self, kind: str) -> int:
        self._numbers[kind] = self._numbers.get(kind, -1) + 1
        return self._numbers[kind]

    def _detailed(self, part: m.Part, signature: m.Signature | None) -> dict[str, Any]:
        details = details_of_part(part, signature, self._details)
        self._details += len(details)
        return {"reasoning_details": details}
