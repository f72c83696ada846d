"""Google's Gemini (generateContent), for those who call and for those who are called, and the question for the number of tokens.

The model and whether to stream stand in the path, and so in nobody's body.
"""

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

from . import answers, reading, streams, telling, writing
from .relaying import without_others_thoughts
from .streams import GeminiReader, GeminiWatch
from .telling import GeminiWriter

_COUNTED = ("contents", "systemInstruction", "tools", "toolConfig")
_WRAPPERS = ("generateContentRequest", "generate_content_request")


class Gemini:
    """The dialect."""

    name = answers.NAME
    title = "Gemini"
    input_field = "contents"
    output_field = "candidates"
    keep_alive = b"\r\n"  # its official client takes no comments
    terminal = b""
    ends_without_terminal = True
    leaving = reading.LEAVING
    names = reading.NAMES
    reader = GeminiReader
    writer = GeminiWriter
    watch = GeminiWatch

    def ask(self, body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
        """Take a body apart."""
        fields = top_level(body)
        if not model:
            raise missing("model", "its name in the path, as in /v1beta/models/<model>:generateContent")
        if all(fields.get(name, b"null") == b"null" for name in ("contents", *_WRAPPERS)):
            raise missing("contents", "a list of turns")
        return Asked(dialect=self.name, fields=fields, model=model, stream=bool(stream))

    def last_user_text(self, asked: Asked) -> str | None:
        """What the user said last; None for shapes that are none."""
        try:
            contents = msgspec.json.decode(reading.fields_of(asked).get("contents", b"null"))
        except (msgspec.MsgspecError, InvalidBodyError, RecursionError):
            return None
        if isinstance(contents, str):
            return contents
        turns = contents if isinstance(contents, list) else [contents]
        return last_user_text_of([{"role": "user", **one} for one in turns if isinstance(one, dict)])

    def end_user(self, asked: Asked) -> str:  # noqa: ARG002 -- Google has no field for it
        """Nothing: a caller cannot say it."""
        return ""

    def relayed(self, asked: Asked, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
        """The body for a provider of this dialect. The model stands in the address, and in a whole request to be counted."""
        fields: dict[str, Any] = without_ours(asked.fields)
        if "model" in fields:
            fields["model"] = f"models/{model}"
        for name in _WRAPPERS:
            if name in fields:
                inner = field(fields, name, dict[str, msgspec.Raw])
                fields[name] = {**without_others_thoughts(inner, quirks, losses), "model": f"models/{model}"}
        return msgspec.json.encode(suited(without_others_thoughts(fields, quirks, losses), quirks, losses))

    def parse_request(self, asked: Asked) -> Request:
        """What is asked, in the vocabulary."""
        return reading.parse(asked)

    def write_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:  # noqa: ARG002 -- it stands in the address
        """The body for a provider."""
        return msgspec.json.encode(writing.body(request, quirks=quirks, losses=losses))

    def parse_completion(self, body: bytes) -> Completion | Trouble:
        """A whole answer, or the error that a 200 carried."""
        return streams.parse(body)

    def write_completion(self, completion: Completion, frame: Frame, losses: Losses) -> bytes:
        """A whole answer."""
        return telling.write(completion, frame, losses)

    def parse_error(self, body: bytes) -> Trouble | None:
        """What Google says with an error status. None where the body is not its envelope."""
        return answers.trouble(body)

    def error(self, status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
        """The body of an error status."""
        return answers.error(status, message, code=code, param=param)

    def write_count_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes | None:
        """The question of countTokens: of turns alone, or of a whole request, which repeats the model's name."""
        asked = writing.body(request, quirks=quirks, losses=losses)
        counted = {name: asked[name] for name in _COUNTED if name in asked}
        if len(counted) == 1:
            return msgspec.json.encode(counted)
        return msgspec.json.encode({"generateContentRequest": {"model": f"models/{model}", **counted}})

    def parse_count(self, body: bytes) -> int:
        """The number of tokens that Google counted."""
        return msgspec.json.decode(body, type=_Count).totalTokens

    def write_count(self, tokens: int) -> bytes | None:
        """The answer to countTokens."""
        return msgspec.json.encode(_Count(tokens))


class _Count(msgspec.Struct):
    totalTokens: Count  # noqa: N815 -- Google's name


DIALECT: Dialect = Gemini()
