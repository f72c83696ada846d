"""OpenAI's Chat Completions: its requests, completions, chunks and errors.

Knows the shape, and decodes only the fields that somebody here needs; every other field travels as the bytes it came in.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.kit.errors import InvalidInputError
from flyball.llm.usage import Usage, usage_from_openai, usage_to_openai

DONE = b"data: [DONE]\n\n"
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


# -- requests


class ChatRequest(NamedTuple):
    """A request whose top level has been taken apart; the values are still bytes."""

    fields: dict[str, msgspec.Raw]
    model: str
    stream: bool
    wants_usage: bool  # the caller set stream_options.include_usage


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


def parse_request(body: bytes) -> ChatRequest:
    """Take a body apart at its top level. Raises InvalidInputError, naming the field."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _InvalidBodyError(f"the body is not a JSON object: {error}") from None
    if "model" not in fields:
        raise _missing("model", "a string that names a model or a function of this server")
    if "messages" not in fields:
        raise _missing("messages", "a list of messages")
    model = _field(fields, "model", str)
    if not model:
        raise _missing("model", "a string that names a model or a function of this server")
    stream = _field(fields, "stream", bool | None)
    options = _field(fields, "stream_options", _StreamOptions | None)
    return ChatRequest(fields, model, bool(stream), bool(options and options.include_usage))


def parse_field(request: ChatRequest, name: str) -> Any:
    """One field's value, or None where the caller did not send it."""
    return _field(request.fields, name, Any)


def body_for(request: ChatRequest, *, model: str, include_usage: bool) -> bytes:
    """The request for an upstream: its model name put in, `flyball` taken out, all other values byte for byte."""
    fields = {name: value for name, value in request.fields.items() if name not in ("flyball", "extra_body")}
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if include_usage:
        options = _field(request.fields, "stream_options", dict[str, Any] | None) or {}
        fields["stream_options"] = msgspec.Raw(msgspec.json.encode({**options, "include_usage": True}))
    return msgspec.json.encode(fields)


class _InvalidBodyError(InvalidInputError):
    """The body is not what this dialect asks for. `param` names the field."""

    code = "invalid_body"

    def __init__(self, message: str, *, param: str | None = None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.param = param


def _missing(name: str, what: str) -> _InvalidBodyError:
    return _InvalidBodyError(f"the field {name!r} is missing", param=name, next_step=f"send {name!r}: {what}")


def _field(fields: Mapping[str, msgspec.Raw], name: str, type_: Any) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _InvalidBodyError(f"the field {name!r} is wrong: {error}", param=name) from None


# -- answers that are read


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: msgspec.Raw | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    function_call: msgspec.Raw | None = None
    audio: msgspec.Raw | None = None

    @property
    def has_content(self) -> bool:
        """Whether it says anything but who speaks."""
        words = self.content or self.refusal or self.reasoning_content or self.reasoning
        return bool(words or self.tool_calls or self.function_call or self.audio)


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """What a relay needs to know of a streamed chunk."""

    model: str | None = None
    choices: list[_Choice] = []
    usage: dict[str, Any] | None = None
    error: Any = None

    @property
    def text(self) -> str:
        """The first choice's new text."""
        return "".join(c.delta.content for c in self.choices if c.index == 0 and c.delta and c.delta.content)

    @property
    def has_content(self) -> bool:
        """Whether anything that an application would show or act on is in it; the role alone is not."""
        return any(
            choice.finish_reason is not None or (choice.delta is not None and choice.delta.has_content)
            for choice in self.choices
        )

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, in its last chunk."""
        return next((c.finish_reason for c in self.choices if c.index == 0 and c.finish_reason), None)

    @property
    def is_usage_alone(self) -> bool:
        """The extra chunk that `stream_options.include_usage` asks for."""
        return not self.choices and self.usage is not None


_CHUNK = msgspec.json.Decoder(Chunk)


def parse_chunk(data: bytes) -> Chunk:
    """One chunk. Raises msgspec.MsgspecError or UnicodeDecodeError for what is none."""
    return _CHUNK.decode(data)


class Completion(NamedTuple):
    """What was learned from a whole answer; `error` is set where a 200 carried one."""

    text: str
    usage: Usage | None
    usage_raw: dict[str, Any] | None
    finish_reason: str
    model: str
    error: Any = None


class _Message(msgspec.Struct):
    content: Any = None


class _WholeChoice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Whole(msgspec.Struct):
    model: str | None = None
    choices: list[_WholeChoice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_WHOLE = msgspec.json.Decoder(_Whole)


def parse_completion(body: bytes) -> Completion:
    """A whole answer. Raises msgspec.MsgspecError, UnicodeDecodeError or ValueError for what is none."""
    whole = _WHOLE.decode(body)
    if whole.error is not None:
        return Completion("", None, None, "", "", whole.error)
    if whole.choices is None:
        raise ValueError("it has no `choices`")
    choice = whole.choices[0] if whole.choices else _WholeChoice()
    content = choice.message.content if choice.message else None
    return Completion(
        text=content if isinstance(content, str) else "",
        usage=usage_from_openai(whole.usage),
        usage_raw=whole.usage,
        finish_reason=choice.finish_reason or "",
        model=whole.model or "",
    )


# -- answers that are written


def completion(
    *, id_: str, created: int, model: str, text: str, finish_reason: str, usage: Usage, extra: Mapping[str, Any]
) -> bytes:
    """A whole answer of ours. `extra` joins its top level."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return msgspec.json.encode(
        {
            "id": id_,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
            "usage": usage_to_openai(usage),
            **extra,
        }
    )


class ChunkWriter:
    """Writes the chunks of one streamed answer of ours."""

    def __init__(self, *, id_: str, created: int, model: str) -> None:
        self._head = {"id": id_, "object": "chat.completion.chunk", "created": created, "model": model}

    def role(self) -> bytes:
        """The first chunk: who speaks."""
        return self._chunk([_choice({"role": "assistant", "content": ""})])

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._chunk([_choice({"content": text})])

    def finish(self, finish_reason: str, extra: Mapping[str, Any]) -> bytes:
        """The last chunk that has a choice. `extra` joins its top level."""
        return self._chunk([_choice({}, finish_reason)], **extra)

    def usage(self, usage: Usage) -> bytes:
        """The chunk for callers who set `stream_options.include_usage`."""
        return self._chunk([], usage=usage_to_openai(usage))

    def _chunk(self, choices: list[dict[str, Any]], **extra: Any) -> bytes:
        return b"data: " + msgspec.json.encode({**self._head, "choices": choices, **extra}) + b"\n\n"


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


# -- errors


def error_body(status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
    """The envelope that OpenAI's clients turn into an exception."""
    return msgspec.json.encode({"error": error_object(status, message, code=code, param=param)})


def error_event(status: int, message: str, *, code: str | None) -> bytes:
    """The same in the middle of a stream: the clients raise on an `error` in any event's data. No `[DONE]` follows."""
    return b"data: " + error_body(status, message, code=code) + b"\n\n"


def error_object(status: int, message: str, *, code: str | None, param: str | None = None) -> dict[str, Any]:
    """What stands under `error`."""
    return {"message": message, "type": _ERROR_TYPES.get(status, "api_error"), "param": param, "code": code}


def is_error_body(body: bytes) -> bool:
    """Whether somebody else's error body is one that OpenAI's clients understand."""
    try:
        return isinstance(msgspec.json.decode(body, type=dict[str, Any]).get("error"), Mapping)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def error_message(error: Any) -> str:
    """The words in an error of somebody else's: an object with a message, or a string."""
    if isinstance(error, Mapping):
        return str(error.get("message") or error.get("code") or "no message")
    return str(error)
