"""Answers in Gemini's words, for callers: whole ones, and streams of chunks, each a whole answer with some more parts.

A call is said in one piece when its arguments are complete; why an answer ended, what it rests on and what it used come last.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.signatures import attached
from flyball.llm.usage import SEARCHES, Usage, usage_to_gemini

from .answers import OWN_WORDS, grounding_for, is_whole, logprobs_for, part_for, signed, stop_word
from .streams import broken

_ENCODE = msgspec.json.encode
_USUAL = ("", "default", "standard")  # tiers of which there is nothing to say


def write(completion: c.Completion, frame: Frame, losses: Losses) -> bytes:
    """A whole answer. What cannot be said is named in `losses`."""
    losses.drop_all(completion.leftovers)
    if completion.service_tier not in _USUAL:
        losses.drop("service_tier")
    _miss_searches(completion.usage, losses)
    return _ENCODE(
        {
            "candidates": [_candidate(choice, losses) for choice in completion.choices],
            **_rest(completion.usage, frame),
            **frame.extra,
        }
    )


def _miss_searches(usage: Usage | None, losses: Losses) -> None:
    if usage is not None and usage.web_searches:
        losses.drop(SEARCHES)


def _rest(usage: Usage | None, frame: Frame) -> dict[str, Any]:
    counts = {"usageMetadata": usage_to_gemini(usage)} if usage is not None else {}
    return {**counts, "modelVersion": frame.model, "responseId": frame.id}


def _candidate(choice: c.Choice, losses: Losses) -> dict[str, Any]:
    parts = []
    text, cited = "", []
    for part in attached(choice.parts):
        if isinstance(part, m.Text):
            cited += [(len(text), one) for one in part.citations]
            losses.drop_all("citations" for one in part.citations if not is_whole(one))
            text += part.text
        if (said := _said(part, losses)) is not None:
            parts.append(said)
    refused = any(isinstance(part, m.Refusal) for part in choice.parts)
    _miss(choice.stop, losses)
    return {
        "content": {"parts": parts, "role": "model"},
        "finishReason": stop_word(choice.stop, refused=refused),
        "index": choice.index,
        **({"groundingMetadata": grounding_for(cited, text)} if cited else {}),
        **logprobs_for(choice.logprobs),
    }


def _miss(stop: m.Stop, losses: Losses) -> None:
    """Name what Google has no words for: which of the sequences was met, a pause, a window that is full, odd reasons."""
    if stop.sequence is not None:
        losses.drop("stop_sequence")
    odd = stop.reason == "other" and stop.native and stop.native not in OWN_WORDS
    if odd or stop.reason in ("pause", "context"):
        losses.drop("stop_reason")


def _said(part: m.Part, losses: Losses) -> dict[str, Any] | None:
    """A whole part; a thought that the next part did not take is the signature of an empty text."""
    if isinstance(part, m.Thinking) and part.belongs_to_next:
        return {"text": "", **signed(part.signature)}
    if (said := part_for(part)) is None and not isinstance(part, m.Native):
        losses.drop(f"content.{type(part).__name__.lower()}")
    return said


class _Answer:
    """One candidate as it is told."""

    def __init__(self) -> None:
        self.parts: dict[int, tuple[m.Part, list[str]]] = {}  # those that are open, and what is held of calls
        self.complete: set[int] = set()  # calls whose arguments are complete
        self.seal: m.Signature | None = None  # of the next part
        self.text: list[str] = []
        self.bases: dict[int, int] = {}
        self.cited: list[tuple[int, m.Citation]] = []
        self.stop = m.Stop(reason="other")
        self.refused = False


class GeminiWriter:
    """Words one stream for a caller."""

    def __init__(self, frame: Frame, losses: Losses) -> None:
        self._frame = frame
        self._losses = losses
        self._answers: dict[int, _Answer] = {}
        self._usage: Usage | None = None
        self._tail = b',"modelVersion":%b,"responseId":%b}\r\n\r\n' % (_ENCODE(frame.model), _ENCODE(frame.id))

    def write(self, event: c.StreamEvent) -> bytes:
        """The chunk for one event, where it is enough for one."""
        if isinstance(event, c.Counted):
            self._usage = event.usage or self._usage
            _miss_searches(event.usage, self._losses)
            if event.service_tier not in _USUAL:
                self._losses.drop("service_tier")
        elif isinstance(event, c.Lost):
            self._losses.drop(event.name)
        elif not isinstance(event, c.Began | c.Broke):
            return self._chunk(event.choice, self._parts(event), getattr(event, "logprobs", None))
        return b""

    def end(self) -> bytes:
        """What was held back, why the answers ended, what they rest on, what was used."""
        said = b""
        for index, one in self._answers.items():
            for at in list(one.parts):
                said += self._chunk(index, self._parts(c.Closed(at, index)))
        candidates = [_last(index, one) for index, one in sorted((self._answers or {0: _Answer()}).items())]
        rest = {**_rest(self._usage, self._frame), **self._frame.extra}
        return said + b"data: %b\r\n\r\n" % _ENCODE({"candidates": candidates, **rest})

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event at which its clients raise."""
        return broken(status, message, code)

    def _chunk(self, index: int, parts: Iterable[dict[str, Any]], logprobs: Any = None) -> bytes:
        if not parts:
            return b""
        candidate = {"content": {"parts": parts, "role": "model"}, "index": index}
        if logprobs is not None:
            candidate |= logprobs_for(logprobs)
        return b'data: {"candidates":[%b]%b' % (_ENCODE(candidate), self._tail)

    def _parts(self, event: Any) -> list[dict[str, Any]]:
        """What is said of a part now."""
        if (one := self._answers.get(event.choice)) is None:
            one = self._answers[event.choice] = _Answer()
        match event:
            case c.Grew():
                return self._grow(one, event)
            case c.Opened():
                return self._open(one, event.at, event.part)
            case c.Closed() if event.at in one.parts:
                return self._closed(one, event.at)
            case c.Signed():
                return [{"text": "", "thought": True, **signed(event.signature)}]
            case c.Cited() if event.at in one.bases:
                self._losses.drop_all([] if is_whole(event.citation) else ["citations"])
                one.cited.append((one.bases[event.at], event.citation))
            case c.Stopped():
                _miss(event.stop, self._losses)
                one.stop = event.stop
        return []

    def _open(self, one: _Answer, at: int, part: m.Part) -> list[dict[str, Any]]:
        before: list[dict[str, Any]] = []
        if isinstance(part, m.Text | m.ToolCall | m.Media) and part.signature is None and one.seal is not None:
            part = msgspec.structs.replace(part, signature=one.seal)
            one.seal = None
        elif isinstance(part, m.Thinking) and part.belongs_to_next:
            before = [{"text": "", **signed(one.seal)}] if one.seal is not None else []
            one.seal = part.signature
            return before
        if isinstance(part, m.ToolCall):
            one.parts[at] = part, [part.arguments]
        elif isinstance(part, m.Text | m.Refusal):
            one.refused = one.refused or isinstance(part, m.Refusal)
            one.bases[at] = sum(map(len, one.text))
            one.parts[at] = part, []
            return self._grow(one, c.Grew(at, part.text)) if part.text else []
        elif isinstance(part, m.Thinking) and not part.redacted:
            one.parts[at] = part, []
            return [{"text": part.text, "thought": True}] if part.text else []
        else:
            said = _said(part, self._losses)
            return [] if said is None else [said]
        return []

    def _grow(self, one: _Answer, event: c.Grew) -> list[dict[str, Any]]:
        held = one.parts.get(event.at)
        if held is None or not (event.text or event.logprobs):
            return []
        part, pieces = held
        if isinstance(part, m.ToolCall):
            pieces.append(event.text)
            return []
        if isinstance(part, m.Thinking):
            return [{"text": event.text, "thought": True}]
        said: dict[str, Any] = {"text": event.text}
        if isinstance(part, m.Text):
            one.text.append(event.text)
            if part.signature is not None:
                said |= signed(part.signature)
                one.parts[event.at] = msgspec.structs.replace(part, signature=None), pieces
        return [said]

    def _closed(self, one: _Answer, at: int) -> list[dict[str, Any]]:
        """Calls are said in the order in which they were begun, whichever is complete first."""
        if not isinstance(one.parts[at][0], m.ToolCall):
            return self._close(*one.parts.pop(at))
        one.complete.add(at)
        said: list[dict[str, Any]] = []
        for begun, (part, _) in list(one.parts.items()):
            if isinstance(part, m.ToolCall):
                if begun not in one.complete:
                    break
                said += self._close(*one.parts.pop(begun))
        return said

    def _close(self, part: m.Part, pieces: list[str]) -> list[dict[str, Any]]:
        """A call is complete; the signature of a text that had no words is said alone."""
        if isinstance(part, m.ToolCall):
            said = part_for(msgspec.structs.replace(part, arguments="".join(pieces)))
            return [] if said is None else [said]
        if isinstance(part, m.Text | m.Thinking) and part.signature is not None:
            thought = {"thought": True} if isinstance(part, m.Thinking) else {}
            return [{"text": "", **thought, **signed(part.signature)}]
        return []


def _last(index: int, one: _Answer) -> dict[str, Any]:
    """The end of a candidate. Its client keeps no turn in which a chunk has no part."""
    grounds = {"groundingMetadata": grounding_for(one.cited, "".join(one.text))} if one.cited else {}
    word = stop_word(one.stop, refused=one.refused)
    part = {"text": "", **signed(one.seal)}
    return {"content": {"parts": [part], "role": "model"}, "finishReason": word, "index": index, **grounds}
