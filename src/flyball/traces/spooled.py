"""A span as a record of the gateway's spool, and how such records get into the inbox. Light: the gateway imports it."""

from collections.abc import Sequence

import msgspec

from flyball.infra.db.database import Connection
from flyball.infra.spool.spool import Spool

from . import inbox
from .inbox import Item, span_item
from .records import Span

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Item)


class SpooledSpans:
    """Takes spans and keeps them in a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def append(self, span: Span) -> bool:
        """Keep a span; when this returns True, only the loss of the machine's power can lose it."""
        return self._spool.append(_encoder.encode(span_item(span)))


async def deliver_spans(connection: Connection, records: Sequence[bytes], now_ns: int) -> None:
    """Append spans of a spool to the inbox."""
    await inbox.append_once(connection, [_decoder.decode(record) for record in records], now_ns=now_ns)
