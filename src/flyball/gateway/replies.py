"""What `call` gives to `answer`: bytes in the caller's dialect, whoever made them."""

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, TypeAlias

from .exchange import Header
from .speech import Broken


class WholeReply(NamedTuple):
    """An answer in one piece."""

    body: bytes
    headers: tuple[Header, ...] = ()


class StreamedReply(NamedTuple):
    """An answer that comes in pieces; the first holds content.

    `closing` words what ends it and is asked for when the pieces have come to their end: `answer` settles before it sends that.
    """

    pieces: AsyncGenerator[bytes, None]
    closing: Callable[[], bytes]
    broke: Broken
    headers: tuple[Header, ...] = ()


Reply: TypeAlias = WholeReply | StreamedReply
