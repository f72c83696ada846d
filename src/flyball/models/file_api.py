"""The HTTP face of files of weights: parse, one verb, answer."""

from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, FileBody, Pieces, Router

from . import files
from .file_records import ModelFile

router = Router("/api/model-files", tag="models")


@router.get(permission="models.read", returns=Page[ModelFile])
async def list_model_files(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[ModelFile]:
    """The files of weights that were let in, newest first."""
    return await files.list_files(ctx, cursor, limit)


@router.post(permission="models.write", returns=ModelFile, status=201)
async def admit_model_file(ctx: ContextDep, name: str, file: Pieces = FileBody()) -> ModelFile:
    """Let a file of weights in: safetensors or GGUF, or a zip of them with JSON and plain text. `name` is for people."""
    return await files.admit(ctx, name, file.read(ctx.settings.max_weights_bytes))


@router.get("/{hash}", permission="models.read", returns=ModelFile)
async def show_model_file(ctx: ContextDep, hash: str) -> ModelFile:  # noqa: A002 -- the address's own word
    """The file of a hash."""
    return await files.get_file(ctx, hash)
