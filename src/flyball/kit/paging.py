"""Keyset pages: the cursor holds the last row's sort key, so page 1,000 costs what page 1 costs."""

import base64
from typing import Any, Generic, TypeVar

import msgspec

from .errors import InvalidInputError

T = TypeVar("T")
LARGEST_PAGE = 200


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some rows of a list, newest first. `next` is None on the last page; `total` is None where counting costs."""

    items: tuple[T, ...]
    next: str | None = None
    total: int | None = None


def encode_cursor(*key: Any) -> str:
    """An opaque cursor for a sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[Any, ...]:
    """The sort key in a cursor; raises InvalidInputError for one that we did not make."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return tuple(msgspec.json.decode(raw, type=tuple.__class_getitem__(types)))
    except (ValueError, TypeError, msgspec.MsgspecError):
        raise InvalidInputError(
            f"the page cursor {cursor!r:.60} is not one of ours", next_step="start again without a cursor"
        ) from None


def page_size(asked: int | None) -> int:
    """50 unless asked, 200 at most. Raises InvalidInputError for less than 1."""
    if asked is None:
        return 50
    if asked < 1:
        raise InvalidInputError(f"a page of {asked} rows is none", next_step=f"ask for 1 to {LARGEST_PAGE}")
    return min(asked, LARGEST_PAGE)
