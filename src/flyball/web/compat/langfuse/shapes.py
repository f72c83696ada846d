"""What all nouns of this face share: times in ISO 8601, pages by number, errors as their SDKs read them. Knows no noun."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError, InvalidInputError
from flyball.surface.http import Json

PREFIX = "/api/public/"
LARGEST_PAGE = 100
_DEEPEST_PAGE = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error as their server words it: a sentence, and a name for programs."""

    message: str
    error: str


class Meta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page of how many."""

    page: int
    limit: int
    total_items: int
    total_pages: int


class Numbered(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A page that is asked for by its number."""

    data: tuple[T, ...]
    meta: Meta


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which page is wanted."""

    page: int
    limit: int

    @property
    def skipped(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * self.limit


def asked(page: int | None, limit: int | None) -> Asked:
    """The page that a request asks for. Raises InvalidInputError for one that cannot be."""
    number, size = (1 if page is None else page), (50 if limit is None else limit)
    if not 1 <= number <= _DEEPEST_PAGE or size < 1:
        raise InvalidInputError(
            f"page {number} of {size} rows is none", next_step=f"ask for page 1 and more, of 1 to {LARGEST_PAGE} rows"
        )
    return Asked(page=number, limit=min(size, LARGEST_PAGE))


def numbered(rows: Sequence[T], wanted: Asked) -> Numbered[T]:
    """The wanted page of all rows."""
    return Numbered(
        data=tuple(rows[wanted.skipped : wanted.skipped + wanted.limit]), meta=meta_of(wanted, total=len(rows))
    )


def meta_of(wanted: Asked, *, total: int) -> Meta:
    """The page among so many rows; there is one page of nothing."""
    return Meta(page=wanted.page, limit=wanted.limit, total_items=total, total_pages=max(1, -(-total // wanted.limit)))


def iso(ns: int) -> str:
    """A time as their SDKs read it: UTC, to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=ns // 1_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1_000:03d}Z"


def nanoseconds(text: str, what: str) -> int:
    """The time that a text of ISO 8601 tells; without a zone it is UTC. Raises InvalidInputError."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        passed = moment - _EPOCH
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"{what}: {text!r:.60} is no time", next_step="write it as 2026-11-21T10:00:00Z"
        ) from None
    seconds = passed.days * 86_400 + passed.seconds
    if seconds < 0:
        raise InvalidInputError(f"{what}: {text!r:.60} is before 1970", next_step="give a later time")
    return seconds * NANOSECONDS + passed.microseconds * 1_000


def refusal(_request: Request, error: FlyballError) -> Response:
    """An error under `/api/public/`."""
    message = f"{error.message}. Next: {error.next_step}" if error.next_step else error.message
    return Json(Refusal(message=message, error=error.code), status_code=error.status)
