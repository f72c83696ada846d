"""Text of plain files: UTF-8, or UTF-16 that says so. What is neither is refused, never read with replacement characters."""

import codecs

from .unreadable import UnreadableError


def read(data: bytes) -> str:
    """The bytes as text; raises UnreadableError (`binary`, `not-utf-8`)."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decoded(data, "utf-16")
    if b"\0" in data:
        raise UnreadableError("binary", f"byte {data.index(0):,} is NUL: this is not text")
    return _decoded(data, "utf-8-sig")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"byte {error.start:,} (0x{data[error.start]:02x})"
        raise UnreadableError(
            "not-utf-8", f"{where} is not {encoding.removesuffix('-sig').upper()}: convert the file"
        ) from None
