"""The verb of ingest: take a request of a signal, keep what is valid of it, and return when that is durable.

Knows a request as bytes, whatever door it came through, unpacked already. Knows no HTTP and no gRPC.
"""

import asyncio
import hashlib
from contextlib import nullcontext
from typing import NamedTuple

from flyball.infra.context import Context
from flyball.traces import bodies, inbox_batches
from flyball.traces.inbox_batches import NewBatch

from .answers import JSON, PROTOBUF, ContentType, Taken, content_type_of
from .checking import WHOLE_BYTES, check
from .compression import pack
from .gate import gate_of
from .json_reading import NOTHING_UNREADABLE, request_from_json
from .signals import Signal

_AT_ONCE = {PROTOBUF: WHOLE_BYTES, JSON: 16 * 1024}  # bytes of a body that take less than a thread is worth


__all__ = ["JSON", "PROTOBUF", "Taken", "take_request"]


class _Packed(NamedTuple):
    taken: Taken
    batch: NewBatch | None


async def take_request(ctx: Context, signal: Signal, body: bytes, *, content_type: str = PROTOBUF) -> Taken:
    """Keep what is valid of a request; on return it is durable. The same request sent again within hours adds nothing.

    Raises:
        OtlpMalformedError: the body is not the signal's request in this encoding.
        OtlpMediaTypeError: the encoding is neither protobuf nor JSON.
        IngestBehindError, IngestDiskFullError: not now; `retry_after` says when.
        DatabaseAwayError: PostgreSQL cannot be reached.
    """
    encoding = content_type_of(content_type)
    gate_of(ctx).let(len(body))
    if len(body) <= _AT_ONCE[encoding]:
        packed = _pack(ctx, signal, body, encoding)
    else:  # what takes long must not hold up everybody else
        async with gate_of(ctx).decoding if len(body) > WHOLE_BYTES else nullcontext():
            packed = await asyncio.to_thread(_pack, ctx, signal, body, encoding)
    if packed.batch is not None:
        await inbox_batches.append(ctx, packed.batch)
    ctx.tally.count("acknowledged", packed.taken.accepted, of=signal)
    ctx.tally.count("refused", packed.taken.rejected, of=signal)
    return packed.taken


def _pack(ctx: Context, signal: Signal, body: bytes, content_type: ContentType) -> _Packed:
    now_ns = ctx.clock.now_ns()
    unreadable = NOTHING_UNREADABLE
    if content_type == JSON:
        body, unreadable = request_from_json(signal, body)
    checked = check(signal, body, now_ns=now_ns)
    message = ". ".join(part for part in (unreadable.message, checked.message) if part)
    taken = Taken(checked.kept, checked.rejected + unreadable.rejected, message)
    if not checked.kept:
        return _Packed(taken, None)
    apart = len(checked.body) >= bodies.LEAST_BYTES and bodies.folder_of(ctx) is not None
    digest = hashlib.sha256(f"{ctx.project}\0{signal}\0".encode())
    digest.update(checked.body)
    batch = NewBatch(
        project=ctx.project,
        signal=signal,
        key_id=ctx.actor.id,
        digest=digest.digest()[:16],
        received_ns=now_ns,
        records=checked.kept,
        size=len(checked.body),
        body=checked.body if apart else pack(checked.body),
        apart=apart,
    )
    return _Packed(taken, batch)
