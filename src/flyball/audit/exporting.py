"""An export of a whole chain: a signed header, every checkpoint, every event. It verifies anywhere, with nothing else at hand.

Lines of canonical JSON: the header says what follows and where the chain ends, so that a file that was cut short shows.
"""

import contextlib
from collections.abc import AsyncIterator

import msgspec

from flyball.infra.context import Context

from . import store
from .errors import ChainBrokenError
from .noted import checkpoint_line_of
from .records import Head
from .sealing import seal
from .service import record_read
from .signing import SigningKey, is_signed, signing_key
from .verifying import lines_of

FORMAT = "flyball audit 1"
_ENCODER = msgspec.json.Encoder(order="sorted")


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: which chain, where it begins and ends, how many checkpoints follow, who made the file and when."""

    format: str
    project: str
    begins_at: int
    head: Head
    checkpoints: int
    made_ns: str
    key: str


async def export(ctx: Context) -> AsyncIterator[bytes]:
    """The lines of the project's chain, many at a time.

    Who exports is recorded before, and the end is signed, so that the file holds its own export and a checkpoint at its end.
    A chain that is broken is exported as it is: it is evidence.
    """
    await record_read(ctx, action="audit.export", object_kind="audit", object_id=ctx.project, each_time=True)
    with contextlib.suppress(ChainBrokenError):
        await seal(ctx)
    return _lines(ctx)


async def _lines(ctx: Context) -> AsyncIterator[bytes]:
    async with ctx.db.transaction() as connection:
        await connection.execute("set transaction isolation level repeatable read, read only")
        head = await store.head(connection, ctx.project)
        row = await store.checkpoints(connection, ctx.project)
        base = await store.pruned_up_to(connection, ctx.project)
        key = signing_key(ctx.layout)
        header = Header(
            format=FORMAT,
            project=ctx.project,
            begins_at=base + 1,
            head=head,
            checkpoints=len(row),
            made_ns=str(ctx.clock.now_ns()),
            key=key.public,
        )
        yield header_line(header, key) + b"\n"
        if row:
            yield b"".join(checkpoint_line_of(each) + b"\n" for each in row)
        async for lines in lines_of(connection, ctx.project, base, head.seq):
            yield b"\n".join(lines) + b"\n"


def header_line(header: Header, key: SigningKey) -> bytes:
    """The first line of an export, without its end."""
    body = _ENCODER.encode(header)
    return b'{"header":%b,"signature":"%b"}' % (body, key.sign(body).hex().encode())


def header_of(line: bytes) -> Header | None:
    """What the first line says; None where it is not exactly a header that its key has signed."""
    try:
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        header = msgspec.json.decode(found["header"], type=Header)
        signature = msgspec.json.decode(found["signature"], type=str)
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
        return None
    body = _ENCODER.encode(header)
    whole = b'{"header":%b,"signature":"%b"}' % (body, signature.encode())
    return header if whole == line and is_signed(body, signature, header.key) else None
