"""The verbs of files of weights: let one in, list, look up. What may come in is judged by `infra.admission`."""

import asyncio
import re
from collections.abc import AsyncIterator

from flyball.audit import service as audit
from flyball.infra.admission.receiving import Kept, let_in, private_folder, receive
from flyball.infra.admission.source import Limits
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.hashing import canonical_json, content_hash
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import file_store
from .errors import ModelFileNotFoundError
from .file_records import FilePart, ModelFile

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_NAME = 200


async def admit(ctx: Context, name: str, pieces: AsyncIterator[bytes]) -> ModelFile:
    """Let a file in: received into a folder of its own, judged as a whole, kept by its hash. The one that is there where it was let in before.

    Raises:
        NotAdmittedError: it is not let in, and nothing of it is kept.
        InvalidInputError: the name is none.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidInputError(
            f"{name!r:.80} is no name of a file", next_step="give 1 to 200 characters that can be printed"
        )
    limits = Limits(file_bytes=ctx.settings.max_weights_bytes, json_header_bytes=ctx.settings.max_weights_header_bytes)
    with private_folder(ctx.layout.staging, ctx.clock.now_ns()) as folder:
        received, digest = await receive(pieces, folder, most_bytes=limits.file_bytes)
        kept = await asyncio.to_thread(let_in, received, digest, name, limits)
        file = _described(ctx, name, kept)
        await asyncio.to_thread(_keep, ctx.blobs, kept, file)
    async with ctx.db.transaction() as connection:
        if not await file_store.insert(connection, ctx.project, file):
            found = await file_store.get(connection, ctx.project, file.hash)
            return found or file
        await audit.record(
            connection,
            ctx,
            action="models.admit",
            object_kind="model_file",
            object_id=file.hash,
            object_name=name,
            after=file,
        )
    return file


async def get_file(ctx: Context, hash_: str) -> ModelFile:
    """The file of a hash. Raises ModelFileNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await file_store.get(connection, ctx.project, hash_) if _HASH.fullmatch(hash_) else None
    if found is None:
        raise ModelFileNotFoundError(hash_)
    return found


async def list_files(ctx: Context, cursor: str = "", limit: int | None = None) -> Page[ModelFile]:
    """The project's files of weights, newest first."""
    size = page_size(limit)
    before = None
    if cursor:
        created_ns, hash_ = decode_cursor(cursor, int, str)
        before = (created_ns, hash_)
    async with ctx.db.connection() as connection:
        found = await file_store.newest(connection, ctx.project, before, size + 1)
    more = len(found) > size
    last = found[size - 1] if more else None
    return Page(items=tuple(found[:size]), next=encode_cursor(last.created_ns, last.hash) if last else None)


def _described(ctx: Context, name: str, kept: tuple[Kept, ...]) -> ModelFile:
    alone = kept[0] if not kept[0].path else None
    parts = tuple(
        FilePart(path=each.path, hash=each.digest, format=each.judged.format, bytes=each.judged.bytes)
        for each in kept
        if each.path
    )
    return ModelFile(
        hash=alone.digest if alone else content_hash(parts),
        name=name,
        format="archive" if alone is None else "gguf" if alone.judged.format == "gguf" else "safetensors",
        bytes=sum(each.judged.bytes for each in kept),
        tensors=sum(each.judged.tensors for each in kept),
        parameters=sum(each.judged.parameters for each in kept),
        files=parts,
        notes=tuple(dict.fromkeys(note for each in kept for note in each.judged.notes)),
        created_ns=ctx.clock.now_ns(),
        created_by=ctx.actor.id,
    )


def _keep(blobs: Blobs, kept: tuple[Kept, ...], file: ModelFile) -> None:
    for each in kept:
        blobs.put_file(each.file, each.digest)
    if file.files:
        blobs.put(canonical_json(file.files))
