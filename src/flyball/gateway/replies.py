"""What `call` gives to `answer`: bytes in the caller's dialect, whoever made them."""

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, TypeAlias

from flyball.llm.losses import Losses

from .exchange import Header
from .speech import Broken

_LONGEST_DROPPED = 2_000  # bytes of names


class WholeReply(NamedTuple):
    """An answer in one piece."""

    body: bytes
    headers: tuple[Header, ...] = ()


class StreamedReply(NamedTuple):
    """An answer that comes in pieces; the first holds content.

    `closing` words what ends it and is asked for when the pieces have come to their end: `answer` settles before it sends that.
    `unheaded` is asked before the first piece, where the head went out without `headers`: what then has to be said first.
    """

    pieces: AsyncGenerator[bytes, None]
    closing: Callable[[], bytes]
    broke: Broken
    unheaded: Callable[[], bytes]
    headers: tuple[Header, ...] = ()


Reply: TypeAlias = WholeReply | StreamedReply


def dropped_comment(losses: Losses) -> bytes:
    """The same as the first line of a stream's next event, a comment. Nothing where nothing was left out."""
    return b"".join(b": %b: %b\n" % header for header in dropped_header(losses))


def dropped_header(losses: Losses) -> tuple[Header, ...]:
    """What the translation left out, by the caller's own names; no header where nothing was."""
    if not losses.dropped:
        return ()
    told: list[bytes] = []
    left = _LONGEST_DROPPED
    for number, name in enumerate(losses.dropped):
        words = bytes(byte if 32 <= byte < 127 else 63 for byte in name.encode("ascii", "backslashreplace"))
        left -= len(words) + 2
        if left < 0:
            told.append(b"and %d more" % (len(losses.dropped) - number))
            break
        told.append(words)
    return ((b"x-flyball-dropped", b", ".join(told)),)
