"""What answers in Gemini's words are made of: parts, ends, citations, log probabilities, errors. Knows no order of events.

A whole answer and a chunk of a stream have one shape. Offsets count bytes of UTF-8 there, and characters here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from flyball.llm import messages as m
from flyball.llm.arguments import to_object
from flyball.llm.completions import Trouble
from flyball.llm.signatures import from_base64, to_base64, unwrap, wrap

NAME = "gemini"
HOME = "google"
_FILTERED = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
)
_REASONS: Mapping[str, m.StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "max_tokens",
    **dict.fromkeys((*_FILTERED, "JAILBREAK"), "content_filter"),
}
_WORDS: Mapping[m.StopReason, str] = {
    "max_tokens": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "PROHIBITED_CONTENT",
    "other": "OTHER",
}
OWN_WORDS = frozenset((  # that its clients know
    *("STOP", "MAX_TOKENS", "OTHER", *_FILTERED, "IMAGE_OTHER", "NO_IMAGE", "MALFORMED_FUNCTION_CALL"),
    *("UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE"),
))  # fmt: skip
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
_NUMBERS = {word: status for status, word in _STATUSES.items()} | {"FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400}


NULL = msgspec.Raw(b"null")


class Shape(msgspec.Struct, rename="camel", gc=False):
    """What is read of an object."""


class Call(Shape):
    """A function call; its arguments are still bytes."""

    name: str = ""
    id: str | None = None
    args: msgspec.Raw = NULL

    @property
    def arguments(self) -> str:
        """Its arguments as JSON text, byte for byte. Raises ValueError for what is no object."""
        if self.args == NULL:
            return "{}"
        if not bytes(self.args).startswith(b"{"):
            raise ValueError(f"the arguments of {self.name!r} are no object")
        return bytes(self.args).decode()


class Blob(Shape):
    """Media by value or by address."""

    mime_type: str | None = None
    data: str | None = None
    file_uri: str | None = None


class Part(Shape):
    """A part of an answer: every kind that others can say, and those that only Google can."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Call | None = None
    inline_data: Blob | None = None
    file_data: Blob | None = None
    executable_code: Any = None
    code_execution_result: Any = None
    tool_call: Any = None
    tool_response: Any = None

    @property
    def signature(self) -> m.Signature | None:
        """Google's, or what an envelope says whose it is."""
        return signature_of(self.thought_signature)[0] if self.thought_signature else None

    @property
    def native(self) -> m.Native | None:
        """What only Google can say."""
        for name in ("executable_code", "code_execution_result", "tool_call", "tool_response"):
            if (raw := getattr(self, name)) is not None:
                kind = Part.__struct_encode_fields__[Part.__struct_fields__.index(name)]
                return m.Native(dialect=NAME, kind=kind, raw={kind: raw})
        return None


class Web(Shape):
    """Where something that was found stands."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None


class Grounds(Shape):
    """One thing that was found."""

    web: Web | None = None
    retrieved_context: Web | None = None
    maps: Web | None = None


class Span(Shape):
    """Bytes of the answer's text; a citation of the older kind says in the same place what it cites."""

    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None
    uri: str | None = None
    title: str | None = None


class Support(Shape):
    """Words, and what they rest on."""

    segment: Span | None = None
    grounding_chunk_indices: list[int] | None = None


class Grounding(Shape):
    """What an answer rests on."""

    grounding_chunks: list[Grounds] | None = None
    grounding_supports: list[Support] | None = None
    search_entry_point: Any = None
    web_search_queries: Any = None

    def citations(self, text: bytes) -> Iterator[m.Citation]:
        """Of the answer with this text."""
        found = [_source(chunk) for chunk in self.grounding_chunks or ()]
        told: set[int] = set()
        for support in self.grounding_supports or ():
            for index in support.grounding_chunk_indices or ():
                if 0 <= index < len(found):
                    told.add(index)
                    span = support.segment or Span()
                    place = _place(span, text) if support.segment is not None else {}
                    yield msgspec.structs.replace(found[index], quote=found[index].quote or span.text or "", **place)
        yield from (one for index, one in enumerate(found) if index not in told)


def _source(chunk: Grounds) -> m.Citation:
    web = chunk.web or chunk.maps
    if web is not None:
        return m.Citation(url=web.uri or "", title=web.title or "", dialect=NAME)
    own = chunk.retrieved_context or Web()
    return m.Citation(kind="document", url=own.uri or "", title=own.title or "", quote=own.text or "", dialect=NAME)


def _place(span: Span, text: bytes) -> dict[str, Any]:
    """From bytes to characters; what lies outside is taken for the end."""
    start, end = max(span.start_index or 0, 0), span.end_index
    before = len(text[:start].decode("utf-8", "ignore"))
    return {"start": before, "end": None if end is None else len(text[: max(end, start)].decode("utf-8", "ignore"))}


class Citations(Shape):
    """Citations of the older kind."""

    citations: list[Span] | None = None
    citation_sources: list[Span] | None = None

    def told(self, text: bytes) -> Iterator[m.Citation]:
        """Of the answer with this text."""
        for one in self.citations or self.citation_sources or ():
            yield m.Citation(url=one.uri or "", title=one.title or "", dialect=NAME, **_place(one, text))


def is_whole(citation: m.Citation) -> bool:
    """Whether Google's words say all of a citation: it quotes no page, names no file, and has to know of which words it is."""
    unsaid = citation.file_id or (citation.quote and citation.url) or citation.start is None or citation.end is None
    return citation.dialect == NAME or not unsaid


def grounding_for(citations: list[tuple[int, m.Citation]], text: str) -> dict[str, Any]:
    """Google's words for citations and the offsets of their texts in the whole, which is `text`."""
    chunks: list[dict[str, Any]] = []
    supports: list[dict[str, Any]] = []
    for base, one in citations:
        place = {"uri": one.url, "title": one.title}
        known = {"web": place} if one.url else {"retrievedContext": {"title": one.title, "text": one.quote}}
        if known not in chunks:
            chunks.append(known)
        if one.start is not None and one.end is not None:
            start, end = base + one.start, base + one.end
            said = {"startIndex": len(text[:start].encode()), "endIndex": len(text[:end].encode())}
            segment = {**said, "text": text[start:end]}
            supports.append({"segment": segment, "groundingChunkIndices": [chunks.index(known)]})
    return {"groundingChunks": chunks, "groundingSupports": supports} if supports else {"groundingChunks": chunks}


# -- log probabilities, of which the vocabulary speaks as OpenAI does


class _Token(Shape):
    token: str = ""
    log_probability: float | None = None


class _Tops(Shape):
    candidates: list[_Token] | None = None


class Logprobs(Shape):
    """How likely every token was."""

    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Tops] | None = None

    @property
    def told(self) -> dict[str, Any]:
        """In OpenAI's words."""
        tops = self.top_candidates or []
        content = []
        for at, one in enumerate(self.chosen_candidates or ()):
            others = tops[at].candidates if at < len(tops) else None
            content.append({**_token(one), "top_logprobs": [_token(other) for other in others or ()]})
        return {"content": content, "refusal": None}


def _token(one: _Token) -> dict[str, Any]:
    return {"token": one.token, "logprob": one.log_probability or 0.0, "bytes": list(one.token.encode())}


def logprobs_for(told: Any) -> dict[str, Any]:
    """From OpenAI's words; empty for what is none."""

    def word(one: Mapping[str, Any]) -> dict[str, Any]:
        return {"token": one.get("token"), "logProbability": one.get("logprob")}

    content = told.get("content") if isinstance(told, dict) else None
    if not content:
        return {}
    tops = [{"candidates": [word(other) for other in one.get("top_logprobs") or ()]} for one in content]
    return {"logprobsResult": {"chosenCandidates": [word(one) for one in content], "topCandidates": tops}}


# -- parts and ends


def signature_of(data: str) -> tuple[m.Signature, bool]:
    """A signature, and whether it stood on the part behind it."""
    found = unwrap(from_base64(data), home=HOME)
    return found.signature, found.belongs_to_next


def signed(signature: m.Signature | None) -> dict[str, Any]:
    """A signature for a caller: Google's as it is, another's in an envelope."""
    if signature is None:
        return {}
    return {"thoughtSignature": to_base64(wrap(m.Thinking(signature=signature), home=HOME))}


def part_for(part: m.Part) -> dict[str, Any] | None:  # noqa: PLR0911 -- one for each kind
    """A part for a caller; None where Google has none for it. What nobody may read of a thought has no text."""
    match part:
        case m.Text():
            return {"text": part.text, **signed(part.signature)}
        case m.Thinking():
            words = {} if part.redacted else {"text": part.text}
            return {**words, "thought": True, **signed(part.signature)}
        case m.ToolCall():
            args = {"input": part.arguments} if part.custom else to_object(part.arguments)
            id_ = {"id": part.id} if part.id else {}
            return {"functionCall": {**id_, "name": part.name, "args": args}, **signed(part.signature)}
        case m.Refusal():
            return {"text": part.text}
        case m.Media() if part.data:
            return {"inlineData": {"mimeType": part.media_type, "data": part.data}, **signed(part.signature)}
        case m.Media() if part.url:
            return {"fileData": {"mimeType": part.media_type, "fileUri": part.url}, **signed(part.signature)}
        case m.Native() if part.dialect == NAME:
            return dict(part.raw)
    return None


def media_kind(media_type: str) -> Any:
    """What something of this type is: an image, a recording, a film, or else a document."""
    kind = media_type.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"


def stop_of(word: str, *, calls: bool) -> m.Stop:
    """Why an answer ended. Google has no word for calls: it stops."""
    reason = _REASONS.get(word, "other")
    return m.Stop(reason="tool_calls" if calls and reason == "stop" else reason, native=word)


def stop_word(stop: m.Stop, *, refused: bool = False) -> str:
    """Google's word for it; `refused`: the answer holds a refusal in words."""
    if stop.native in OWN_WORDS:
        return stop.native
    return _WORDS.get("refusal" if refused and stop.reason == "stop" else stop.reason, "STOP")


# -- errors


class Failure(Shape):
    """What stands under `error`."""

    message: str | None = None
    code: int | str | None = None
    status: str | None = None

    @property
    def trouble(self) -> Trouble:
        """What it means."""
        word = self.status or ""
        status = self.code if isinstance(self.code, int) else _NUMBERS.get(word, 0)
        return Trouble(message=self.message or "no message", code=word, status=status if 0 <= status < 600 else 0)


class _Envelope(Shape):
    error: Failure


def trouble(body: bytes) -> Trouble | None:
    """What stands in an error's envelope, of which a stream's array may be full; None where the body is none."""
    try:
        found = msgspec.json.decode(body, type=_Envelope | list[_Envelope])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found, list):
        return found[0].error.trouble if found else None
    return found.error.trouble


def error(status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
    """The envelope for an error status. What is not Google's own word for it stands in the details."""
    word = code if code in _NUMBERS else _STATUSES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    details: list[dict[str, Any]] = []
    if code and code not in _NUMBERS:
        details.append({"@type": _TYPE + "ErrorInfo", "reason": code, "domain": "flyball"})
    if param:
        violation = {"field": param, "description": message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    said: dict[str, Any] = {"code": status, "message": message, "status": word}
    return msgspec.json.encode({"error": {**said, "details": details} if details else said})


_TYPE = "type.googleapis.com/google.rpc."
