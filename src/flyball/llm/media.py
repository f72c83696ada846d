"""Images and other media as callers write them: data URLs, base64, addresses. Proves that what is sent by value is what it says.

Fetches nothing: an address is carried to whoever takes addresses, and refused where nobody does.
"""

import base64
import binascii

from .errors import InvalidBodyError

_HEAD = 24  # base64 characters that hold every signature below
_SIGNATURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def split_data_url(url: str, path: str) -> tuple[str, str] | None:
    """A data URL's media type and base64; None for any other address. Raises InvalidBodyError for one that is broken."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options:
        raise InvalidBodyError(
            f"{path} is a data URL that is not base64", param=path, next_step="send data:<media type>;base64,<data>"
        )
    media_type = media_type.strip().lower()
    return media_type, prove(media_type, data, path)


def data_url(media_type: str, data: str) -> str:
    """The data URL for base64."""
    return f"data:{media_type or 'application/octet-stream'};base64,{data}"


def prove(media_type: str, data: str, path: str) -> str:
    """The same base64 in the standard alphabet, padded, whatever the caller's: not every provider takes the one for addresses.

    Raises InvalidBodyError where it is none, is empty, or is no image (or PDF) of the kind that it says.
    """
    if not data:
        raise InvalidBodyError(f"{path} is empty", param=path, next_step="send the data in base64")
    try:
        head = base64.b64decode(data[:_HEAD].replace("-", "+").replace("_", "/") + "=" * (-len(data[:_HEAD]) % 4))
        sound = not data.encode("ascii").translate(None, bytes(_BASE64))
    except (binascii.Error, ValueError):
        sound, head = False, b""
    if not sound:
        raise InvalidBodyError(f"{path} is not base64", param=path, next_step="send the data in base64, without spaces")
    starts = _SIGNATURES.get(media_type)
    if starts is not None and not head.startswith(starts):
        raise InvalidBodyError(
            f"{path} says {media_type} and is none", param=path, next_step="send the media type that the data has"
        )
    return data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4)
