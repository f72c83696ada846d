"""Bodies packed and unpacked: what callers may send, never unpacking more than what is read; and zstd, in which they are kept.

Knows compressions; knows nothing of what is packed.
"""

import zlib
from collections.abc import Callable, Mapping

import pyarrow as pa

from .errors import OtlpCompressionError, OtlpMediaTypeError, OtlpTooLargeError

_ZSTD = pa.Codec("zstd", compression_level=1)
_PIECE = 1024 * 1024
_FED = 64 * 1024  # bytes at once, since what follows a member is copied
_MOST_MEMBERS = 1_000


def pack(body: bytes) -> bytes:
    """A body as the inbox keeps it."""
    packed: bytes = _ZSTD.compress(body, asbytes=True)
    return packed


def unpack(packed: bytes, size: int) -> bytes:
    """What `pack` packed, of this size."""
    body: bytes = _ZSTD.decompress(packed, size, asbytes=True)
    return body


def decoded(body: bytes, encoding: str, *, most: int) -> bytes:
    """A body without its Content-Encoding.

    Raises:
        OtlpMediaTypeError: an encoding other than gzip, deflate, zstd and identity.
        OtlpCompressionError: the body is not so encoded.
        OtlpTooLargeError: unpacked, it has more than `most` bytes; not more than that was unpacked.
    """
    if encoding in ("", "identity"):
        return body
    unpacking = _UNPACKING.get(encoding)
    if unpacking is None:
        raise OtlpMediaTypeError(
            f"the Content-Encoding {encoding!r:.60} is none of {', '.join(_UNPACKING)}",
            next_step="send gzip, or the body as it is",
        )
    try:
        found = unpacking(body, most)
    except (zlib.error, OSError, EOFError) as error:
        raise OtlpCompressionError(
            f"the body is not {encoding}: {error}", next_step="send what the Content-Encoding says"
        ) from None
    if len(found) > most:
        raise OtlpTooLargeError(
            f"the body is, unpacked, larger than {most} bytes",
            next_step="send fewer records at once, or raise FLYBALL_MAX_BODY_BYTES",
        )
    return found


def _gzip(body: bytes, most: int) -> bytes:
    return _inflated(body, most, zlib.MAX_WBITS | 16)


def _deflate(body: bytes, most: int) -> bytes:
    """Zlib's format, as the header means it; some send it without its frame."""
    try:
        return _inflated(body, most, zlib.MAX_WBITS)
    except zlib.error:
        return _inflated(body, most, -zlib.MAX_WBITS)


def _inflated(body: bytes, most: int, bits: int) -> bytes:
    """At most one byte more than `most`, of all members that follow each other; no input costs more than its length."""
    pieces, held, at, members, given = [], 0, 0, 0, memoryview(body)
    while at < len(given) and held <= most:
        members += 1
        if members > _MOST_MEMBERS:
            raise EOFError(f"it has more than {_MOST_MEMBERS:,} members")
        unpacking = zlib.decompressobj(bits)
        while not unpacking.eof and at < len(given) and held <= most:
            packed = given[at : at + _FED]
            piece = unpacking.decompress(packed, most + 1 - held)
            at += len(packed) - len(unpacking.unused_data) - len(unpacking.unconsumed_tail)
            held += len(piece)
            pieces.append(piece)
        if held <= most and not unpacking.eof:
            raise EOFError("it breaks off")
    return b"".join(pieces)


def _zstd(body: bytes, most: int) -> bytes:
    pieces, held = [], 0
    with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
        while held <= most and (piece := stream.read(min(_PIECE, most + 1 - held))):
            held += len(piece)
            pieces.append(piece)
    return b"".join(pieces)


_UNPACKING: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
