"""What is said to a model and what it says: the one shape through which all dialects translate. Light: the SDK imports it.

It can hold everything that the dialects can say. What only one of them can say keeps that dialect's own words: a whole
part as `Native`, a field of a part in `extra`, a field of a request in `native`. Nothing here knows how a dialect words it.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)


class Cache(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A point up to which the provider may cache. `ttl` is "5m", "1h", or empty for the provider's own."""

    ttl: str = ""


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a provider needs to recognise its own thought. Opaque, and of use to its `origin` alone.

    `origin` is the family that made it: "anthropic", "google", "openai", "xai", or empty where nobody said.
    `id` is the provider's name of the thought, where it has one.
    """

    data: str
    origin: str = ""
    id: str = ""


class Citation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a piece of text rests on. `start` and `end` are characters of that text; `extra` is the dialect's own rest."""

    kind: Literal["url", "document", "file"] = "url"
    url: str = ""
    title: str = ""
    quote: str = ""
    file_id: str = ""
    start: int | None = None
    end: int | None = None
    dialect: str = ""
    extra: Mapping[str, Any] = {}


class Text(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="text"):
    """Words."""

    text: str
    citations: tuple[Citation, ...] = ()
    signature: Signature | None = None  # Google signs the text behind a thought
    cache: Cache | None = None
    extra: Mapping[str, Any] = {}


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="media"):
    """An image, a recording, a film, a document: by value (`data`, base64, or `text`), by `url`, or by the provider's `file_id`."""

    kind: Literal["image", "audio", "video", "document"]
    media_type: str = ""
    data: str = ""
    text: str = ""  # a plain-text document
    url: str = ""
    file_id: str = ""
    name: str = ""  # a file's name or a document's title
    context: str = ""  # what is said about a document beside it
    detail: str = ""  # of an image: low, high, auto
    cite: bool | None = None  # whether answers should cite this document
    signature: Signature | None = None
    cache: Cache | None = None
    extra: Mapping[str, Any] = {}


class Thinking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="thinking"):
    """A thought. `text` is what may be read of it; `redacted`: nothing may, and the signature is all there is.

    It goes back to the provider that made it as it came; `belongs_to_next` marks a signature that stood on the next part.
    """

    text: str = ""
    signature: Signature | None = None
    redacted: bool = False
    belongs_to_next: bool = False
    extra: Mapping[str, Any] = {}


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_call"):
    """A tool that the model wants to be called. `arguments` is JSON text as the model wrote it; of a `custom` tool, free text."""

    id: str
    name: str
    arguments: str = ""
    custom: bool = False
    signature: Signature | None = None
    cache: Cache | None = None
    extra: Mapping[str, Any] = {}


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool_result"):
    """What a called tool answered. `is_error` is None where the caller did not say; `name` is empty where it is not known."""

    call_id: str
    parts: "tuple[Text | Media | Native, ...]" = ()
    name: str = ""
    is_error: bool | None = None
    custom: bool = False
    cache: Cache | None = None
    extra: Mapping[str, Any] = {}


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="refusal"):
    """Why the model will not answer, in its words."""

    text: str


class Native(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="native"):
    """A part that only `dialect` can say, in its own words; `kind` is what it calls it."""

    dialect: str
    kind: str
    raw: Any
    cache: Cache | None = None


Part: TypeAlias = Text | Media | Thinking | ToolCall | ToolResult | Refusal | Native


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn. Tool results stand in turns of their own, with the role `tool`, behind the turn that called."""

    role: Role
    parts: tuple[Part, ...] = ()
    name: str = ""
    extra: Mapping[str, Any] = {}

    @property
    def text(self) -> str:
        """Its words, one after the other."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="tool"):
    """A function that the model may ask for. `parameters` is its JSON schema, byte for byte; `strict` None: not said.

    `grammar` is that of a custom tool (free text, perhaps in a grammar) in OpenAI's words.
    """

    name: str
    description: str = ""
    parameters: msgspec.Raw | None = None
    strict: bool | None = None
    custom: bool = False
    grammar: Any = None
    cache: Cache | None = None
    extra: Mapping[str, Any] = {}


class NativeTool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="native_tool"):
    """A tool that the provider runs itself (a search, a sandbox), in the words of its dialect."""

    dialect: str
    kind: str
    raw: Any


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether tools are called. `tools`: only these; with mode "required" and one name, exactly this one."""

    mode: Literal["auto", "none", "required"]
    tools: tuple[str, ...] = ()


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The form of the answer: any JSON object, or JSON by a schema (byte for byte)."""

    kind: Literal["json", "schema"]
    schema: msgspec.Raw | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much to think. Unset is the provider's own choice.

    `effort` is none, minimal, low, medium, high, xhigh or max; `budget` is in tokens (0: none, -1: as it sees fit).
    `show`: whether thoughts are to be seen: "" not said, "none", or the kind of summary (auto, concise, detailed).
    """

    effort: str = ""
    budget: int | None = None
    adaptive: bool = False
    show: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a caller wants, in nobody's dialect. Absent is None or empty; `dialect` says in whose words `native` and `extra` are."""

    dialect: str
    model: str
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool | NativeTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    candidates: int | None = None  # answers to one question; OpenAI's n
    logprobs: bool | None = None
    top_logprobs: int | None = None
    modalities: tuple[str, ...] = ()  # of the answer: text, audio, image; empty: text
    verbosity: str = ""
    user: str = ""  # the caller's end user, as an opaque id
    metadata: Mapping[str, Any] | None = None
    service_tier: str = ""
    store: bool | None = None
    cache: Cache | None = None  # cache as far as the provider thinks fit
    stream: bool = False
    native: Mapping[str, Any] = {}  # fields that this dialect defines and no other has
    extra: Mapping[str, Any] = {}  # fields that this dialect does not define: they pass through
    leftovers: tuple[str, ...] = ()  # paths of everything that stands in some part's, message's or tool's `extra`
    paths: tuple[str, ...] = ()  # where each message stands in the caller's body; empty: `messages` is just that
    places: tuple[tuple[str, ...], ...] = ()  # where each message's parts stand; empty: in its list `content`
    tool_paths: tuple[str, ...] = ()  # where each tool stands; empty: `tools` is just that

    def path_of(self, number: int) -> str:
        """How the caller calls one of the messages."""
        return self.paths[number] if number < len(self.paths) else f"messages[{number}]"

    def place_of(self, number: int, at: int) -> str:
        """How the caller calls a part of one of the messages."""
        places = self.places[number] if number < len(self.places) else ()
        return places[at] if at < len(places) else f"{self.path_of(number)}.content[{at}]"

    def tool_path_of(self, number: int) -> str:
        """How the caller calls one of the tools."""
        return self.tool_paths[number] if number < len(self.tool_paths) else f"tools[{number}]"


StopReason = Literal[
    "stop", "max_tokens", "stop_sequence", "tool_calls", "content_filter", "refusal", "pause", "context", "other"
]


class Stop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an answer ended. `native` is the provider's own word; `sequence` the stop sequence that was met."""

    reason: StopReason
    sequence: str | None = None
    native: str = ""


def text_of(content: Any) -> str:
    """The text of a message's content as a caller may write it: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def last_user_text(messages: Any) -> str | None:
    """What the user said last, or None where no user spoke. `messages` is a list as a caller wrote it, sound or not."""
    turns = [turn for turn in messages if isinstance(turn, Mapping)] if isinstance(messages, list) else []
    for turn in reversed(turns):
        if turn.get("role") == "user":
            content = turn.get("content")
            return text_of(turn.get("parts") if content is None else content)
    return None
