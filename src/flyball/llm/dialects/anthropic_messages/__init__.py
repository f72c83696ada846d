"""Anthropic's Messages, for those who call and for those who are called, and the question for the number of tokens."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Completion, Trouble
from flyball.llm.dialect import Asked, Dialect, Frame, suited, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import field, missing, top_level
from flyball.llm.losses import Losses
from flyball.llm.messages import Request
from flyball.llm.messages import last_user_text as last_user_text_of
from flyball.llm.usage import Count

from . import answers, reading, writing
from .relaying import without_others_thoughts
from .streams import AnthropicReader, AnthropicWatch
from .telling import AnthropicWriter

_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")
_UNTHREADED = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
_ALSO_COUNTED = ("mcp_servers", "context_management", "speed")


class AnthropicMessages:
    """The dialect."""

    name = answers.NAME
    title = "Anthropic Messages"
    input_field = "messages"
    output_field = "content"
    keep_alive = b'event: ping\ndata: {"type": "ping"}\n\n'
    terminal = b""
    ends_without_terminal = False
    leaving = reading.LEAVING
    reader = AnthropicReader
    writer = AnthropicWriter
    watch = AnthropicWatch
    names: Mapping[str, str] = {
        "stop": "stop_sequences",
        "user": "metadata.user_id",
        "response_format": "output_config.format",
        "reasoning": "thinking",
        "reasoning.effort": "output_config.effort",
        "reasoning.show": "thinking.display",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
        "cache": "cache_control",
        "arguments": "input",
        "tool.parameters": "input_schema",
        "thought": "thinking",
        "name": "title",
        "cite": "citations",
    }

    def ask(self, body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
        """Take a body apart."""
        fields = top_level(body)
        model = model or field(fields, "model", str) or ""
        if not model:
            raise missing("model", "a string that names a model or a function of this server")
        if bytes(fields.get("messages", b"null")) == b"null":
            raise missing("messages", "a list of messages")
        streamed = field(fields, "stream", bool | None) if stream is None else stream
        return Asked(dialect=self.name, fields=fields, model=model, stream=bool(streamed))

    def last_user_text(self, asked: Asked) -> str | None:
        """What the user said last; None for shapes that are none."""
        try:
            return last_user_text_of(field(asked.fields, "messages"))
        except InvalidBodyError:
            return None

    def end_user(self, asked: Asked) -> str:
        """The caller's name for its own user."""
        try:
            metadata = field(asked.fields, "metadata", dict[str, Any] | None) or {}
        except InvalidBodyError:
            return ""
        user = metadata.get("user_id")
        return user if isinstance(user, str) else ""

    def relayed(self, asked: Asked, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
        """The body for a provider of this dialect."""
        fields: dict[str, Any] = {**without_ours(asked.fields), "model": model}
        return msgspec.json.encode(suited(without_others_thoughts(fields, quirks, losses), quirks, losses))

    def parse_request(self, asked: Asked) -> Request:
        """What is asked, in the vocabulary."""
        return reading.parse(asked)

    def write_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
        """The body for a provider."""
        return msgspec.json.encode(writing.body(request, model=model, quirks=quirks, losses=losses))

    def parse_completion(self, body: bytes) -> Completion | Trouble:
        """A whole answer, or the error that a 200 carried."""
        return answers.parse(body)

    def write_completion(self, completion: Completion, frame: Frame, losses: Losses) -> bytes:
        """A whole answer."""
        return answers.write(completion, frame, losses)

    def parse_error(self, body: bytes) -> Trouble | None:
        """What Anthropic says with an error status. None where the body is not its envelope."""
        return answers.trouble(body)

    def error(self, status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
        """The body of an error status. Where nobody keeps threads it says so in Anthropic's words: its client goes on without."""
        return answers.error(status, message, _UNTHREADED if (code, param) == ("cannot_carry", "thread") else None)

    def write_count_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes | None:
        """The question of count_tokens, which knows fewer fields."""
        asked = writing.body(request, model=model, quirks=quirks, losses=losses)
        return msgspec.json.encode({name: asked[name] for name in _COUNTED + _ALSO_COUNTED if name in asked})

    def parse_count(self, body: bytes) -> int:
        """The number of tokens that Anthropic counted."""
        return msgspec.json.decode(body, type=_Count).input_tokens

    def write_count(self, tokens: int) -> bytes | None:
        """The answer to count_tokens."""
        return msgspec.json.encode(_Count(tokens))


class _Count(msgspec.Struct):
    input_tokens: Count


DIALECT: Dialect = AnthropicMessages()
