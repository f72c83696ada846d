"""What a dialect can do: the one interface of the shelf `dialects/`, for those who call and for those who are called.

A dialect is a codec between its own words and the vocabulary (`messages`, `completions`). It knows no address, no key, no
provider and no noun of flyball. Where caller and provider speak the same dialect, bytes are relayed and only looked at.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from .catalog.quirks import Quirks
from .completions import Completion, StreamEvent, Trouble
from .losses import Losses
from .messages import Request
from .sse import Event
from .usage import Usage


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose top level has been taken apart; the values are still bytes.

    `fields` are the body's. What stands in the path (Gemini's model and verb) is here too, and not in `fields`.
    """

    dialect: str
    fields: dict[str, msgspec.Raw]
    model: str
    stream: bool = False
    wants_usage: bool = True  # OpenAI's chat callers see a stream's usage only where they ask for it


class Frame(msgspec.Struct, kw_only=True):
    """What an answer of ours says besides the answer. `model` is the name that the caller used.

    `id` is without the dialect's prefix; `created` is in seconds; `extra` joins the top level of a whole answer, and of the
    last event of a stream that carries one. `extra` may be added to until then.
    """

    id: str
    created: int
    model: str
    asked: Asked | None = None
    wants_usage: bool = True
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Note(msgspec.Struct, gc=False):
    """What one event of a relayed stream says, as far as the record and the relay need it."""

    text: str = ""  # new text of the first answer
    has_content: bool = False  # anything that an application would show or act on, or the end
    model: str = ""
    finish_reason: str = ""  # in the dialect's own word
    usage_raw: dict[str, Any] | None = None  # all that is known so far, in the dialect's own words
    usage: Usage | None = None
    trouble: Trouble | None = None
    done: bool = False  # the event that ends a sound stream
    hidden: bool = False  # not for a caller who did not ask for usage


class Watch(Protocol):
    """Looks at one relayed stream, event by event. Decodes only what a note needs."""

    def note(self, event: Event) -> Note:
        """What the event says; an event of an unknown kind says nothing. Raises ValueError for what is no event of the dialect."""
        ...

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The bytes that tell a caller in the middle of this stream that it has failed, the end of the stream included."""
        ...


class Reader(Protocol):
    """Reads one provider's stream. Everything that is said comes out as events, in order."""

    done: bool  # the event that ends a sound stream has come

    def read(self, event: Event) -> list[StreamEvent]:
        """What one event says. Unknown kinds of events say nothing. Raises ValueError (msgspec's included) for nonsense."""
        ...

    def finish(self) -> list[StreamEvent]:
        """What is still to be said when the bytes have ended: empty, or parts to close where the dialect has no end of its own."""
        ...


class Writer(Protocol):
    """Words one stream for a caller. What it returns are whole events, ready to be sent; empty where there is nothing to say yet."""

    def write(self, event: StreamEvent) -> bytes:
        """The words for one event. `Broke` is not for here."""
        ...

    def end(self) -> bytes:
        """The events that end a sound stream: what has been held back, the frame's `extra`, the terminal event."""
        ...

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The events that end a stream that has failed."""
        ...


class Called(Protocol):
    """The half of a dialect that providers are called in. Some are only that: nobody calls flyball in Bedrock's."""

    name: str
    title: str  # as its users call it

    def write_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
        """The body for a provider, streamed where the request is. What cannot be said is dropped or refused through `losses`."""
        ...

    def parse_completion(self, body: bytes) -> Completion | Trouble:
        """A whole answer, or the error that a 200 carried. Raises ValueError (msgspec's included) for what is neither."""
        ...

    def reader(self) -> Reader:
        """For one stream."""
        ...

    def parse_error(self, body: bytes) -> Trouble | None:
        """What a provider says with an error status; None where its body is not this dialect's envelope."""
        ...

    def write_count_request(self, request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes | None:
        """The question for the number of tokens of a request; None where the dialect has none."""
        ...

    def parse_count(self, body: bytes) -> int:
        """The answer to it. Raises ValueError."""
        ...

    def error(self, status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
        """The body of an error status."""
        ...


class Dialect(Called, Protocol):
    """One API shape, for those who call and for those who are called. Stateless; `DIALECT` of its package, one per process."""

    input_field: str  # the field that holds the conversation
    output_field: str  # the list in which a whole answer has its words
    keep_alive: bytes  # an event that says nothing, for a stream that is silent
    names: Mapping[str, str]  # its own words for fields of the vocabulary's Request, where they differ
    leaving: Mapping[
        str, Literal["refuse", "drop"]
    ]  # what becomes of its native fields where another dialect is spoken
    terminal: bytes  # sent last for a sound relayed stream, where the relayed bytes do not hold it: [DONE], or nothing

    ends_without_terminal: bool  # streams end with their last answer: a stop that was seen makes the end a sound one

    def ask(self, body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
        """Take a body apart. `model` and `stream` are what the path said, where the dialect puts them there.

        Raises InvalidBodyError, naming the field.
        """
        ...

    def last_user_text(self, asked: Asked) -> str | None:
        """What the user said last, for previews and for functions with one text field. Never raises for odd shapes."""
        ...

    def end_user(self, asked: Asked) -> str:
        """The caller's name for its own user; empty where it gives none."""
        ...

    def relayed(self, asked: Asked, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
        """The body for a provider of the same dialect: its model name put in, `flyball` taken out, the rest byte for byte.

        Quirks touch it that are facts of top-level fields (a field that the vendor names differently or refuses). What other
        vendors' models thought, which this one would refuse, is taken out of the conversation and named.
        """
        ...

    def parse_request(self, asked: Asked) -> Request:
        """What is asked, in the vocabulary. `flyball` and `extra_body` are no part of it. Raises InvalidBodyError."""
        ...

    def write_completion(self, completion: Completion, frame: Frame, losses: Losses) -> bytes:
        """A whole answer. What it cannot say is dropped and named in `losses`."""
        ...

    def writer(self, frame: Frame, losses: Losses) -> Writer:
        """For one stream."""
        ...

    def write_count(self, tokens: int) -> bytes | None:
        """The answer to a question for the number of tokens; None where the dialect has no such question."""
        ...

    def watch(self) -> Watch:
        """For one relayed stream."""
        ...


OURS = ("flyball", "extra_body")  # fields of a body that are meant for this gateway


def without_ours(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """A body's fields without those that are meant for this gateway."""
    return {name: value for name, value in fields.items() if name not in OURS}


def suited(
    fields: dict[str, Any], quirks: Quirks, losses: Losses, called: Callable[[str], str] = str
) -> dict[str, Any]:
    """A body without the fields that the vendor refuses, and with those renamed that it calls otherwise.

    What only tunes an answer is dropped; what the caller would miss in it is refused. `called` says what the caller calls a field.
    Raises CannotCarryError.
    """
    for name in quirks.drop:
        value = fields.pop(name, None)
        if value is None or value == _NULL:
            continue
        if name in _SAYS_NOTHING and _plain(value) not in _SAYS_NOTHING[name]:
            losses.refuse(called(name))
        losses.drop(called(name))
    return {quirks.rename.get(name, name): value for name, value in fields.items()} if quirks.rename else fields


_NULL = msgspec.Raw(b"null")
# Fields whose effect a caller would miss, and the values that have none.
_SAYS_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "n": (1,), "logprobs": (False,), "top_logprobs": (0,), "modalities": (["text"], ("text",)), "audio": (),
}  # fmt: skip


def _plain(value: Any) -> Any:
    try:
        return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    except msgspec.MsgspecError:
        return value
