"""The verbs of prompts: list, look up, and put a new version where the source differs."""

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.ids import new_id

from . import store, template
from .errors import PromptNotFoundError
from .records import Prompt, source_hash


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


async def list_versions(ctx: Context, name: str) -> tuple[Prompt, ...]:
    """Every version of a name, newest first. Raises PromptNotFoundError."""
    async with ctx.db.connection() as connection:
        found = await store.versions(connection, ctx.project, name)
    if not found:
        raise PromptNotFoundError(name)
    return found


async def put(connection: Connection, ctx: Context, name: str, path: str, source: str) -> Prompt:
    """The version in force with this source: the newest one where it says the same, else a new one.

    Runs in the caller's transaction, with its audit event and the news to the gateway. Raises PromptTemplateError.
    """
    template.parse(source, path)
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.hash == source_hash(source):
        return before
    now_ns = ctx.clock.now_ns()
    prompt = Prompt(
        id=new_id("pmt", now_ns),
        project=ctx.project,
        name=name,
        version=before.version + 1 if before else 1,
        hash=source_hash(source),
        path=path,
        source=source,
        created_ns=now_ns,
        created_by=ctx.actor.id,
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
