"""The verbs of prompts: list, look up, put a new version where the source differs, add one in a client's words. Labels: `labels`."""

from collections.abc import Sequence

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.ids import new_id

from . import mustache, store, template
from .errors import PromptNotFoundError
from .labels import check_labels, put_label
from .records import Prompt, Said, source_hash


async def list_prompts(ctx: Context) -> tuple[Prompt, ...]:
    """The newest version of every prompt, by name."""
    async with ctx.db.connection() as connection:
        return await store.all_current(connection, ctx.project)


async def get_prompt(ctx: Context, name: str, version: int | None = None) -> Prompt:
    """The newest version, or the asked one. Raises PromptNotFoundError."""
    async with ctx.db.connection() as connection:
        prompt = await store.get(connection, ctx.project, name, version)
    if prompt is None:
        raise PromptNotFoundError(name if version is None else f"{name} version {version}")
    return prompt


async def list_every_version(ctx: Context) -> tuple[Prompt, ...]:
    """Every version of every prompt, by name, newest first."""
    async with ctx.db.connection() as connection:
        return await store.every_version(connection, ctx.project)


async def list_versions_if_any(ctx: Context, name: str) -> tuple[Prompt, ...]:
    """Every version of a name, newest first; none of a name that is new."""
    async with ctx.db.connection() as connection:
        return await store.versions(connection, ctx.project, name)


async def list_versions(ctx: Context, name: str) -> tuple[Prompt, ...]:
    """Every version of a name, newest first. Raises PromptNotFoundError."""
    found = await list_versions_if_any(ctx, name)
    if not found:
        raise PromptNotFoundError(name)
    return found


async def put(connection: Connection, ctx: Context, name: str, path: str, source: str) -> Prompt:
    """The version in force with this source: the newest one where it says the same, else a new one.

    Runs in the caller's transaction, with its audit event and the news to the gateway. Raises PromptTemplateError.
    """
    template.parse(source, path)
    await store.lock(connection, ctx.project, name)
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.source == source:
        return before
    return await _add(connection, ctx, before, name=name, path=path, source=source)


async def add_version(ctx: Context, name: str, said: Said, labels: Sequence[str] = ()) -> Prompt:
    """A new version of the prompt, said in a client's own words, with these labels; the prompt is made where there is none.

    Raises:
        PromptTemplateError: no prompt file can say the same.
        LabelInvalidError: one of the labels cannot be one.
    """
    check_labels(labels)
    path = f"prompts/{name}.md"
    source = mustache.as_source(said)
    template.parse(source, path)
    async with ctx.db.transaction() as connection:
        await store.lock(connection, ctx.project, name)
        before = await store.get(connection, ctx.project, name)
        prompt = await _add(connection, ctx, before, name=name, path=path, source=source, said=said)
        for label in labels:
            await put_label(connection, ctx, prompt, label)
    return prompt


async def _add(
    connection: Connection,
    ctx: Context,
    before: Prompt | None,
    *,
    name: str,
    path: str,
    source: str,
    said: Said | None = None,
) -> Prompt:
    now_ns = ctx.clock.now_ns()
    prompt = Prompt(
        id=new_id("pmt", now_ns),
        project=ctx.project,
        name=name,
        version=before.version + 1 if before else 1,
        hash=source_hash(source, said),
        path=path,
        source=source,
        created_ns=now_ns,
        created_by=ctx.actor.id,
        said=said,
    )
    await store.insert(connection, prompt)
    await audit.record(
        connection,
        ctx,
        action="prompts.update" if before else "prompts.create",
        object_kind="prompt",
        object_id=prompt.id,
        before=before,
        after=prompt,
    )
    await notify(connection, SNAPSHOT)
    return prompt
