"""What Bedrock answers, read into the vocabulary: whole answers, errors, and the pieces that its streams are made of too.

Knows nothing of the order of streams. What no other dialect can say (a guardrail's trace, a tool that Bedrock ran) is told.
"""

from typing import Any

import msgspec

from flyball.llm.completions import Choice, Completion, Trouble
from flyball.llm.messages import Citation, Media, Part, Signature, Stop, StopReason, Text, Thinking, ToolCall
from flyball.llm.usage import usage_from_bedrock

NAME = "bedrock_converse"
HOME = "anthropic"  # the family whose thoughts Bedrock signs
_STOPS: dict[str, StopReason] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "model_context_window_exceeded": "context",
    "refusal": "refusal",
    "pause_turn": "pause",
}
_MALFORMED = {"malformed_tool_use": "call of a tool", "malformed_model_output": "answer"}
_STATUSES = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "modelerrorexception": 424,
    "modelstreamerrorexception": 424,
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
}


class Piece(msgspec.Struct, rename="camel"):
    """A block, what begins one, or a part of one: each has some of these."""

    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None
    reasoning_content: "Piece | None" = None
    reasoning_text: "Piece | None" = None
    tool_use: "Piece | None" = None
    tool_use_id: str = ""
    name: str = ""
    type: str | None = None  # of a call: somebody else runs it
    input: msgspec.Raw = msgspec.Raw(b"null")  # of a call's piece: a string
    tool_result: Any = None
    image: "Piece | None" = None
    format: str = ""
    source: Any = None
    citation: "Piece | None" = None
    title: str | None = None
    source_content: "list[Piece] | None" = None
    location: dict[str, Any] | None = None
    content: "list[Piece] | None" = None
    citations: "list[Piece] | None" = None

    @property
    def bytes(self) -> str:
        """Of an image that is sent by value: base64."""
        found = self.source.get("bytes") if isinstance(self.source, dict) else None
        return found if isinstance(found, str) else ""


class _Message(msgspec.Struct):
    content: list[dict[str, msgspec.Raw]] | None = None


class _Output(msgspec.Struct):
    message: _Message


class Said(msgspec.Struct, rename="camel"):
    """A whole answer, or what an event of a stream says."""

    output: _Output | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    service_tier: Piece | None = None
    additional_model_response_fields: dict[str, Any] | None = None
    trace: Any = None
    performance_config: Any = None
    content_block_index: int = 0
    start: Piece | None = None
    delta: Piece | None = None

    @property
    def told(self) -> list[str]:
        """What no other dialect can say, of what this knows. The time that it took is no part of the answer."""
        fields = self.additional_model_response_fields
        told = [f"additionalModelResponseFields.{name}" for name in fields or () if name != "stop_sequence"]
        others = (("trace", self.trace), ("performanceConfig", self.performance_config))
        told += [name for name, value in others if value is not None]
        return told + (
            ["stopReason"] if self.stop_reason is not None and self.stop.reason in ("pause", "other") else []
        )

    @property
    def broken(self) -> Trouble | None:
        """What went wrong where the model said something that is none: no sound end, and another try may go better."""
        word = self.stop_reason or ""
        if word not in _MALFORMED:
            return None
        return Trouble(message=f"the model's {_MALFORMED[word]} was malformed", code=word, status=502)

    @property
    def tier(self) -> str:
        """The service tier."""
        return (self.service_tier.type if self.service_tier else None) or ""

    @property
    def stop(self) -> Stop:
        """Why the answer ended. The stop sequence is an additional field, for which requests ask."""
        word = self.stop_reason or ""
        sequence = (self.additional_model_response_fields or {}).get("stop_sequence")
        sequence = sequence if isinstance(sequence, str) else None
        return Stop(reason=_STOPS.get(word, "other"), sequence=sequence, native=word)


NULL = msgspec.Raw(b"null")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
# What is known of each object. `metrics` is the time that it took, `p` the padding of streams: neither is of the answer.
_KNOWN = {
    "": frozenset((
        *("output", "stopReason", "usage", "metrics", "additionalModelResponseFields", "trace", "performanceConfig"),
        *("serviceTier", "message", "__type", "p"),
    )),
    "output": frozenset(("message",)),
    "message": frozenset(("role", "content")),
    "messageStart": frozenset(("role", "p")),
    "contentBlockStart": frozenset(("contentBlockIndex", "start", "p")),
    "contentBlockDelta": frozenset(("contentBlockIndex", "delta", "p")),
    "contentBlockStop": frozenset(("contentBlockIndex", "p")),
    "messageStop": frozenset(("stopReason", "additionalModelResponseFields", "p")),
    "metadata": frozenset(("usage", "metrics", "trace", "performanceConfig", "serviceTier", "p")),
}  # fmt: skip
_INSIDE = {
    "toolUse": frozenset(("toolUseId", "name", "input", "type")),
    "reasoningContent": frozenset(("reasoningText", "redactedContent")),
    "image": frozenset(("format", "source")),
    "citationsContent": frozenset(("content", "citations")),
}


def fields_of(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """An object's fields, still bytes."""
    return _FIELDS.decode(raw) or {}


def unsaid(raw: bytes | msgspec.Raw, kind: str) -> list[str]:
    """The names of what nobody knows in an object of this kind, nulls left out."""
    known = _KNOWN[kind]
    return [name for name, value in fields_of(raw).items() if name not in known and value != NULL]


def _inner(kind: str, raw: msgspec.Raw) -> list[str]:
    known = _INSIDE.get(kind)
    return (
        [] if known is None else [name for name, value in fields_of(raw).items() if name not in known and value != NULL]
    )


def parse(body: bytes) -> Completion | Trouble:
    """A whole answer, or the error that a 200 carried. Raises ValueError."""
    answer = msgspec.json.decode(body, type=Said)
    if answer.output is None:
        if (found := trouble(body)) is None:
            raise ValueError("the answer has no output")
        return found
    if answer.broken is not None:
        return answer.broken
    told, parts = [*answer.told, *unsaid(body, "")], []
    told += unsaid(fields_of(body).get("output", NULL), "output")
    told += unsaid(fields_of(fields_of(body).get("output", NULL)).get("message", NULL), "message")
    for number, block in enumerate(answer.output.message.content or ()):
        for kind, raw in block.items():
            if (part := _part(kind, raw)) is None:
                told.append(f"content[{number}].{kind}")
            else:
                parts.append(part)
                told += [f"content[{number}].{kind}.{name}" for name in _inner(kind, raw)]
    return Completion(
        choices=(Choice(parts=tuple(parts), stop=answer.stop),),
        usage=usage_from_bedrock(answer.usage),
        usage_raw=answer.usage,
        service_tier=answer.tier,
        leftovers=tuple(told),
    )


def _part(kind: str, raw: msgspec.Raw) -> Part | None:
    if kind == "text":
        return Text(text=msgspec.json.decode(raw, type=str))
    if kind not in _BLOCKS:
        return None
    piece = msgspec.json.decode(raw, type=Piece)
    return _BLOCKS[kind](piece)


def _call(piece: Piece) -> Part | None:
    arguments = bytes(piece.input).decode()
    if piece.type:
        return None
    return ToolCall(id=piece.tool_use_id, name=piece.name, arguments="{}" if arguments == "null" else arguments)


def _thought(piece: Piece) -> Part | None:
    if piece.redacted_content is not None:
        return Thinking(redacted=True, signature=Signature(data=piece.redacted_content, origin=HOME))
    if (said := piece.reasoning_text) is None:
        return None
    return Thinking(
        text=said.text or "", signature=Signature(data=said.signature, origin=HOME) if said.signature else None
    )


def _image(piece: Piece) -> Part | None:
    return Media(kind="image", media_type=f"image/{piece.format}", data=piece.bytes) if piece.bytes else None


def _cited(piece: Piece) -> Part | None:
    return Text(text=_joined(piece.content), citations=tuple(map(citation, piece.citations or ())))


_BLOCKS = {"toolUse": _call, "reasoningContent": _thought, "image": _image, "citationsContent": _cited}


def citation(found: Piece) -> Citation:
    """A citation. Its place in the source has no other dialect's form, and is kept as it is."""
    web = (found.location or {}).get("web")
    url = web.get("url") if isinstance(web, dict) else None
    extra = {"location": found.location, "source": found.source}
    return Citation(
        kind="url" if web else "document",
        url=url if isinstance(url, str) else "",
        title=found.title or "",
        quote=_joined(found.source_content),
        dialect=NAME,
        extra={name: value for name, value in extra.items() if value},
    )


def _joined(pieces: list[Piece] | None) -> str:
    return "".join(piece.text or "" for piece in pieces or ())


def trouble(body: bytes, code: str = "") -> Trouble | None:
    """An error's body; `code` is what it is called elsewhere. None where the body says nothing that Bedrock would."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError):
        return None
    if not code and isinstance(type_ := said.get("__type"), str):
        code = type_.rpartition("#")[2].partition(":")[0]
    words = (said.get(name) for name in ("message", "Message", "originalMessage"))
    message = next((text for text in words if isinstance(text, str) and text), code)
    return Trouble(message=message, code=code, status=_STATUSES.get(code.lower(), 0)) if message else None
