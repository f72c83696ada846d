"""What `call` gives to `answer`: bytes in the caller's dialect, whoever made them."""

from collections.abc import AsyncGenerator
from typing import NamedTuple, TypeAlias

from .exchange import Header


class WholeReply(NamedTuple):
    """An answer in one piece."""

    body: bytes
    headers: tuple[Header, ...] = ()


class StreamedReply(NamedTuple):
    """An answer that comes in pieces; the first holds content. The closing event is not among them: `answer` sends it."""

    pieces: AsyncGenerator[bytes, None]
    headers: tuple[Header, ...] = ()


Reply: TypeAlias = WholeReply | StreamedReply
