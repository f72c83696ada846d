"""The HTTP face of prompts and their labels: parse, one verb, answer. Prompts are made by applying a configuration."""

from typing import Annotated

import msgspec

from flyball.surface.http import Body, ContextDep, Router

from . import labels, service, template
from .records import Label, Prompt

router = Router("/api/prompts", tag="prompts")


class PromptList(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts, or versions of one."""

    items: tuple[Prompt, ...]


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt version, what its front matter declares, and the labels of all versions."""

    prompt: Prompt
    description: str
    variables: dict[str, str]
    labels: tuple[Label, ...] = ()


class Labelled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version a label is to point to; the newest where none is said."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


class LabelList(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of a prompt, by name."""

    items: tuple[Label, ...]


@router.get("", permission="prompts.read", returns=PromptList)
async def list_prompts(ctx: ContextDep) -> PromptList:
    """The newest version of every prompt, by name."""
    return PromptList(items=await service.list_prompts(ctx))


@router.get("/{name}", permission="prompts.read", returns=PromptView)
async def show_prompt(ctx: ContextDep, name: str, version: int | None = None) -> PromptView:
    """A prompt: its newest version, or the asked one."""
    prompt = await service.get_prompt(ctx, name, version)
    parsed = template.parse(prompt.source, prompt.path)
    known = await labels.list_labels(ctx, name)
    return PromptView(prompt=prompt, description=parsed.description, variables=parsed.variables, labels=known)


@router.get("/{name}/versions", permission="prompts.read", returns=PromptList)
async def list_prompt_versions(ctx: ContextDep, name: str) -> PromptList:
    """Every version of a prompt, newest first."""
    return PromptList(items=await service.list_versions(ctx, name))


@router.get("/{name}/labels", permission="prompts.read", returns=LabelList)
async def list_labels(ctx: ContextDep, name: str) -> LabelList:
    """Which version each label of a prompt points to."""
    return LabelList(items=await labels.list_labels(ctx, name))


@router.put("/{name}/labels/{label}", permission="prompts.write", returns=Label)
async def set_label(ctx: ContextDep, name: str, label: str, wanted: Labelled = Body(Labelled)) -> Label:
    """Have a label point to a version of a prompt; the newest where none is said."""
    return await labels.set_label(ctx, name, label, wanted.version)


@router.delete("/{name}/labels/{label}", permission="prompts.write", returns=None, status=204)
async def remove_label(ctx: ContextDep, name: str, label: str) -> None:
    """Take a label off a prompt."""
    await labels.remove_label(ctx, name, label)
