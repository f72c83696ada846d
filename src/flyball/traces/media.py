"""The verbs of media: announce a file by its digest, send its bytes, look it up, fetch it.

Bytes are sent and fetched at addresses that carry a ticket, because clients give no key there. A file is kept once, by its content.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from flyball.infra.admission.receiving import private_folder, receive
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import NANOSECONDS
from flyball.kit.secrets import new_token, token_hash

from . import blob_use
from . import media_store as store
from .media_records import (
    LARGEST_MEDIA,
    Deed,
    Media,
    MediaNotFoundError,
    MediaUnfitError,
    Ticket,
    TicketInvalidError,
)
from .own_blobs import own_blobs, read_blob

GOOD_FOR_SECONDS = 3_600
_ID_LETTERS = 22
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


class Announced(NamedTuple):
    """The file, and the ticket to send its bytes with; empty where they are here already."""

    media: Media
    ticket: str


async def announce(ctx: Context, media: Media, digest: str) -> Announced:
    """Say that a file of this digest (SHA-256, base64) will come. Raises MediaUnfitError."""
    if not 0 < media.bytes <= LARGEST_MEDIA:
        raise MediaUnfitError(
            f"a file of {media.bytes:,} bytes cannot be kept; the most is {LARGEST_MEDIA:,}",
            next_step="send a smaller one, or an address of it",
        )
    described = _described(ctx, digest, media)
    async with ctx.db.transaction() as connection:
        await store.insert(connection, described)
        found = await store.get(connection, ctx.project, described.media_id)
        assert found is not None  # noqa: S101 -- it was written a statement ago, or before
        if found.hash != described.hash or found.bytes != described.bytes:
            raise MediaUnfitError(
                f"another file has the id {found.media_id!r}", next_step="announce it with its own digest"
            )
        if found.uploaded_ns is not None:
            return Announced(found, "")
        return Announced(found, await _ticket(ctx, connection, found, "send"))


async def take(ctx: Context, token: str, pieces: AsyncIterator[bytes]) -> Media:
    """Keep the bytes that were announced. Raises TicketInvalidError, MediaUnfitError."""
    within, media = await _by_ticket(ctx, token, "send")
    with private_folder(ctx.layout.staging, ctx.clock.now_ns()) as folder:
        received, hash_ = await receive(pieces, folder, most_bytes=media.bytes)
        if hash_ != media.hash:
            raise MediaUnfitError(
                f"what came for {media.media_id!r} has the digest {hash_}, and {media.hash} was announced",
                next_step="send the bytes that were announced",
            )
        async with blob_use.keeping(ctx):
            await asyncio.to_thread(own_blobs(ctx).put_file, received, hash_)
    async with within.db.transaction() as connection:
        await store.set_uploaded(connection, media.project, media.media_id, ctx.clock.now_ns())
    return media


async def get_media(ctx: Context, media_id: str) -> Announced:
    """A file, and a ticket to fetch it with. Raises MediaNotFoundError."""
    async with ctx.db.transaction() as connection:
        found = await store.get(connection, ctx.project, media_id)
        if found is None or found.uploaded_ns is None:
            raise MediaNotFoundError(f"there is no media {media_id!r:.100}", next_step="send its bytes first")
        return Announced(found, await _ticket(ctx, connection, found, "fetch"))


async def fetch(ctx: Context, token: str) -> bytes:
    """The bytes. Raises TicketInvalidError."""
    _, media = await _by_ticket(ctx, token, "fetch")
    return await asyncio.to_thread(read_blob, ctx, media.hash)


def _described(ctx: Context, digest: str, given: Media) -> Media:
    """What was announced, under the id and the hash that its digest gives it."""
    try:
        raw = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise MediaUnfitError(
            f"{digest!r:.60} is no SHA-256 in base64", next_step="give the digest of the file's bytes"
        )
    return msgspec.structs.replace(
        given,
        project=ctx.project,
        media_id=base64.urlsafe_b64encode(raw).decode()[:_ID_LETTERS],
        hash=f"sha256:{raw.hex()}",
        created_ns=ctx.clock.now_ns(),
        created_by=ctx.actor.id,
    )


async def _ticket(ctx: Context, connection: Connection, media: Media, deed: Deed) -> str:
    token, now_ns = new_token(), ctx.clock.now_ns()
    expires_ns = now_ns + GOOD_FOR_SECONDS * NANOSECONDS
    ticket = Ticket(project=media.project, media_id=media.media_id, deed=deed, expires_ns=expires_ns)
    await store.insert_ticket(connection, token_hash(token), ticket, now_ns)
    return token


async def _by_ticket(ctx: Context, token: str, deed: Deed) -> tuple[Context, Media]:
    """The file that a ticket is for, and the context of its project: whoever has the ticket may do this deed, and nothing else."""
    ticket = None
    if _TOKEN.fullmatch(token):
        async with ctx.db.across_projects().connection() as connection:
            ticket = await store.get_ticket(connection, token_hash(token))
    if ticket is None or ticket.deed != deed or ticket.expires_ns < ctx.clock.now_ns():
        raise TicketInvalidError(
            "this address is none that was given for this, or it has expired", next_step="ask for a new one"
        )
    within = ctx.within(ticket.project, ctx.actor)
    async with within.db.connection() as connection:
        media = await store.get(connection, ticket.project, ticket.media_id)
    assert media is not None  # noqa: S101 -- tickets go with their file
    return within, media
