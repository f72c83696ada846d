"""Files beside traces and items as Langfuse's clients announce, send, look up and fetch them."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.surface.http import PUBLIC, Body, ContextDep, Pieces, Router
from flyball.traces import media
from flyball.traces.media_records import LARGEST_MEDIA, ContentType, Media

from .ids import span_id_of, trace_id_of
from .shapes import Id, Refusal, iso

router = Router("/api/public/media", tag="langfuse", failure=Refusal)


class NewMedia(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file to announce: whose it is, and its digest."""

    content_type: ContentType
    content_length: int
    sha256_hash: Annotated[str, msgspec.Meta(max_length=100)] = msgspec.field(name="sha256Hash")
    field: Annotated[str, msgspec.Meta(max_length=100)] = ""
    trace_id: Id | None = None
    observation_id: Id | None = None
    dataset_id: Id | None = None
    dataset_item_id: Id | None = None


class WhereTo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Under which id it is kept, and where its bytes are to be sent; None where they are here already."""

    media_id: str
    upload_url: str | None


class MediaShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file as they read it, with an address to fetch it from."""

    media_id: str
    content_type: str
    content_length: int
    uploaded_at: str
    url: str
    url_expiry: str


@router.post(permission="traces.write", returns=WhereTo, status=201)
async def announce_media(ctx: ContextDep, request: Request, new: NewMedia = Body(NewMedia)) -> WhereTo:
    """Announce a file; its bytes are sent to the address that this answers, within an hour."""
    described = Media(
        project=ctx.project,
        media_id="",
        hash="",
        content_type=new.content_type,
        bytes=new.content_length,
        created_ns=0,
        created_by="",
        trace_id=trace_id_of(new.trace_id or ""),
        span_id=span_id_of(new.observation_id or ""),
        field=new.field,
    )
    announced = await media.announce(ctx, described, new.sha256_hash)
    address = _address(ctx, request, announced.ticket) if announced.ticket else None
    return WhereTo(media_id=announced.media.media_id, upload_url=address)


@router.put("/content/{ticket}", permission=PUBLIC, returns=dict[str, Any])
async def send_content(ctx: ContextDep, ticket: str, request: Request) -> dict[str, Any]:
    """Send the bytes of an announced file; the address itself says who may."""
    await media.take(ctx, ticket, Pieces(request).read(LARGEST_MEDIA))
    return {}


@router.get("/content/{ticket}", permission=PUBLIC, returns=dict[str, Any])
async def fetch_content(ctx: ContextDep, ticket: str) -> Response:
    """The bytes of a file; the address itself says who may. Never shown as a page, whatever they are."""
    headers = {"content-disposition": "attachment", "content-security-policy": "sandbox; default-src 'none'"}
    return Response(await media.fetch(ctx, ticket), media_type="application/octet-stream", headers=headers)


@router.get("/{media_id}", permission="traces.read", returns=MediaShown)
async def get_media(ctx: ContextDep, media_id: str, request: Request) -> MediaShown:
    """A file, and an address to fetch it from within an hour. Asking for it is recorded, once an hour."""
    found = await media.get_media(ctx, media_id)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=found.media.trace_id or "media")
    now_ns = ctx.clock.now_ns()
    return MediaShown(
        media_id=found.media.media_id,
        content_type=found.media.content_type,
        content_length=found.media.bytes,
        uploaded_at=iso(found.media.uploaded_ns or now_ns),
        url=_address(ctx, request, found.ticket),
        url_expiry=iso(now_ns + media.GOOD_FOR_SECONDS * 1_000_000_000),
    )


@router.add("PATCH", "/{media_id}", permission="traces.write", returns=None, status=204)
async def tell_of_upload(media_id: str) -> None:
    """What the client says of its sending; what came is known here already."""
    del media_id


def _address(ctx: Context, request: Request, ticket: str) -> str:
    """Where the file is sent to and fetched from: the address told, or the one that the request names."""
    scheme = "https" if ctx.settings.browsers_use_https else "http"
    told = ctx.settings.public_url.rstrip("/") or f"{scheme}://{request.headers['host']}"
    return f"{told}/api/public/media/content/{ticket}"
