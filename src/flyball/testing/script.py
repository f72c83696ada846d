"""What a scripted upstream does with one request. Facts only: `upstream` performs them, the dialects word them.

Counts are of tokens. `prompt_tokens` holds the cached and the written ones, `completion_tokens` the reasoning: each dialect
adds and subtracts as its vendor does.
"""

import base64
from typing import Literal, get_args
from urllib.parse import parse_qsl

import msgspec

Fault = Literal[
    "",  # none: it answers
    "reset",  # the connection is reset before the answer begins
    "reset_midway",  # and after `after_chunks` chunks
    "stall",  # it never answers
    "stall_midway",  # it falls silent after `after_chunks` chunks
    "cut",  # the connection is closed in the middle of the body
    "unfinished",  # the body ends cleanly, without the closing event
    "malformed",  # what it sends is no JSON
    "status",  # an error status, `status`, with Retry-After where `retry_after` says so
    "error_in_200",  # an error in the body of a 200, before any content
    "error_midway",  # an error event after `after_chunks` chunks
    "no_usage",  # it does not count tokens
    "wrong_usage",  # its counts make no sense
    "html",  # a page instead of an answer, with `status`
    "empty",  # a 200 without a body
    "pings",  # what keeps a stream alive, between all events
    "unknown_events",  # events of a kind that nobody knows, between all events
]
FAULTS: tuple[str, ...] = get_args(Fault)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool. `arguments` is JSON text; empty: the model said none. Without an id the vendor's way makes one."""

    name: str
    arguments: str = "{}"
    id: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What the text cites: the address, its title, and the words that are quoted from it."""

    url: str
    title: str = ""
    quote: str = ""


class Turn(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """One answer. Without a fault: thinking, text, image and calls, in this order; text is cut into words where it is streamed."""

    fault: Fault = ""
    text: str = "The governor measures the output and corrects the input."
    status: int = 500
    retry_after: str = ""
    after_chunks: int = 2  # whatever opens an answer counts as one chunk, in every dialect
    delay_seconds: float = 0.0  # before the answer begins
    pause_seconds: float = 0.0  # before each chunk but the first
    prompt_tokens: int = 11
    completion_tokens: int = 9
    cached_tokens: int = 0
    chunk_bytes: int = 0  # cut the stream's bytes into pieces of this size, wherever they fall; 0: one event each
    thinking: str = ""
    thinking_signature: str = ""  # base64; empty: one is made of the thought
    redacted: str = ""  # a thought that only its vendor can read, base64
    tool_calls: tuple[Call, ...] = ()
    interleaved: bool = False  # the pieces of parallel calls alternate, where the dialect allows it
    refusal: str = ""  # the model declines in these words
    citations: tuple[Source, ...] = ()
    image: str = ""  # a PNG in base64, where the dialect answers with images
    stop: str = ""  # a word of STOPS; anything else is sent as it is; empty: what follows from the rest
    stop_sequence: str = ""
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    audio_prompt_tokens: int = 0
    audio_completion_tokens: int = 0
    raw: bytes | tuple[bytes, ...] | None = None  # instead of all words: the body, or the pieces of a stream
    headers: tuple[tuple[str, str], ...] = ()  # more of them, on whatever is answered

    @property
    def ending(self) -> str:
        """Why the answer ends: `stop`, or what follows from the rest."""
        return self.stop or ("tool_calls" if self.tool_calls else "refusal" if self.refusal else "stop")

    @property
    def signature(self) -> str:
        """The signature of the thought; empty where there is none."""
        return self.thinking_signature or (signature_of(self.thinking) if self.thinking else "")

    @property
    def fresh_tokens(self) -> int:
        """Tokens of the prompt that no cache had and that were written to none."""
        return self.prompt_tokens - self.cached_tokens - self.cache_write_tokens


STOPS = ("stop", "max_tokens", "tool_calls", "content_filter", "stop_sequence", "refusal", "pause", "context")


def signature_of(thought: str) -> str:
    """What this upstream signs a thought with, where the script says nothing."""
    return base64.b64encode(f"scripted signature of {thought}".encode()).decode()


def turn_from_model(model: str) -> Turn | None:
    """A turn written into the model's name: `mock-small?fault=status&status=429&retry_after=1`; None: a plain name."""
    _, mark, query = model.partition("?")
    return msgspec.convert(dict(parse_qsl(query)), Turn, strict=False) if mark else None
