"""A file beside traces and items, and a ticket by which its bytes are sent or fetched. Light (msgspec alone)."""

from typing import Annotated, Literal

import msgspec

from flyball.kit.errors import ForbiddenError, InvalidInputError, NotFoundError

Deed = Literal["send", "fetch"]
LARGEST_MEDIA = 256 * 1024 * 1024
ContentType = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.+/_-]{1,120}$", max_length=120)]


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of it; `uploaded_ns` is None while only its digest is."""

    project: str
    media_id: str
    hash: str
    content_type: ContentType
    bytes: int
    created_ns: int
    created_by: str
    trace_id: str = ""
    span_id: str = ""
    field: str = ""
    uploaded_ns: int | None = None


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever has it may do this deed with this file until it expires."""

    project: str
    media_id: str
    deed: Deed
    expires_ns: int


class MediaNotFoundError(NotFoundError):
    """There is no file of that id, or its bytes were never sent."""

    code = "media_not_found"


class MediaUnfitError(InvalidInputError):
    """The bytes are not those that were announced, or cannot be announced."""

    code = "media_unfit"


class TicketInvalidError(ForbiddenError):
    """The address is none that was given for this, or it has expired."""

    code = "media_ticket_invalid"
