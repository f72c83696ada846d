"""What a scripted upstream does with one request. Facts only; `upstream` performs them, `openai` words them."""

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
]
FAULTS: tuple[str, ...] = get_args(Fault)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. Without a fault: `text`, cut into words where it is streamed."""

    fault: Fault = ""
    text: str = "The governor measures the output and corrects the input."
    status: int = 500
    retry_after: str = ""
    after_chunks: int = 2
    delay_seconds: float = 0.0  # before the answer begins
    pause_seconds: float = 0.0  # before each chunk but the first
    prompt_tokens: int = 11
    completion_tokens: int = 9
    cached_tokens: int = 0
    chunk_bytes: int = 0  # cut the stream's bytes into pieces of this size, wherever they fall; 0: one event each


def turn_from_model(model: str) -> Turn | None:
    """A turn written into the model's name: `mock-small?fault=status&status=429&retry_after=1`; None: a plain name."""
    _, mark, query = model.partition("?")
    return msgspec.convert(dict(parse_qsl(query)), Turn, strict=False) if mark else None
