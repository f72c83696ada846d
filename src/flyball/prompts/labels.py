"""The verbs of labels: names such as `production` that point to one version of a prompt each, and are moved.

A label says which version an application asks for by that name. What a function serves is what its release pinned, and no
label moves that. `latest` is the newest version always, and nobody's to set.
"""

import re
from collections.abc import Iterable

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import store
from .errors import LabelInvalidError, LabelNotFoundError, PromptNotFoundError
from .records import Label, Prompt

LATEST = "latest"
PRODUCTION = "production"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


async def set_label(ctx: Context, name: str, label: str, version: int | None = None) -> Label:
    """Have the label point to that version, or to the newest. Raises PromptNotFoundError, LabelInvalidError."""
    check_labels([label])
    async with ctx.db.transaction() as connection:
        await store.lock(connection, ctx.project, name)
        prompt = await store.get(connection, ctx.project, name, version)
        if prompt is None:
            raise PromptNotFoundError(name if version is None else f"{name} version {version}")
        return await put_label(connection, ctx, prompt, label)


async def put_label(connection: Connection, ctx: Context, prompt: Prompt, label: str) -> Label:
    """Have the label point to this version, in the caller's transaction."""
    known = {one.label: one for one in await store.labels(connection, ctx.project, prompt.name)}
    before = known.get(label)
    if before is not None and before.version == prompt.version:
        return before
    after = Label(name=prompt.name, label=label, version=prompt.version, set_ns=ctx.clock.now_ns(), set_by=ctx.actor.id)
    await store.set_label(connection, ctx.project, after)
    await audit.record(
        connection,
        ctx,
        action="prompts.label",
        object_kind="prompt",
        object_id=prompt.id,
        object_name=f"{prompt.name} {prompt.version} is {label}",
        before=before,
        after=after,
    )
    return after


async def remove_label(ctx: Context, name: str, label: str) -> None:
    """Take the label away. Raises LabelNotFoundError."""
    async with ctx.db.transaction() as connection:
        known = {one.label: one for one in await store.labels(connection, ctx.project, name)}
        if label not in known or not await store.remove_label(connection, ctx.project, name, label):
            raise LabelNotFoundError(name, label)
        await audit.record(
            connection,
            ctx,
            action="prompts.unlabel",
            object_kind="prompt",
            object_id=name,
            object_name=f"{name} {known[label].version} was {label}",
            before=known[label],
        )


async def list_labels(ctx: Context, name: str | None = None) -> tuple[Label, ...]:
    """The labels of one prompt, or of all, by name and label; `latest` is not among them."""
    async with ctx.db.connection() as connection:
        return await store.labels(connection, ctx.project, name)


async def get_labelled(ctx: Context, name: str, label: str) -> Prompt:
    """The version that the label points to.

    `latest` is the newest. A prompt whose newest version is declared in flyball.yaml, and that nobody has labelled
    `production`, is in production with that version: it is the one in force.

    Raises:
        PromptNotFoundError: there is no such prompt.
        LabelNotFoundError: none of its versions has the label.
    """
    async with ctx.db.connection() as connection:
        known = {one.label: one.version for one in await store.labels(connection, ctx.project, name)}
        found = await store.get(connection, ctx.project, name, known.get(label))
    if found is None:
        raise PromptNotFoundError(name)
    declared = label == PRODUCTION and found.said is None
    if label not in known and label != LATEST and not declared:
        raise LabelNotFoundError(name, label)
    return found


def check_labels(labels: Iterable[str]) -> None:
    """Raise LabelInvalidError for a name that no label can have."""
    for label in labels:
        if label == LATEST:
            raise LabelInvalidError(
                "`latest` is the newest version always, and cannot be set",
                next_step="leave it out, or use another label",
            )
        if not _NAME.fullmatch(label):
            raise LabelInvalidError(
                f"{label!r:.90} cannot be a label",
                next_step="use 1 to 80 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit",
            )
