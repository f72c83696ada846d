"""The HTTP face of prompts: parse, one verb, answer. Prompts are made by applying a configuration."""

import msgspec

from flyball.surface.http import ContextDep, Router

from . import service, template
from .records import Prompt

router = Router("/api/prompts", tag="prompts")


class PromptList(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts, or versions of one."""

    items: tuple[Prompt, ...]


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt version, and what its front matter declares."""

    prompt: Prompt
    description: str
    variables: dict[str, str]


@router.get("", permission="prompts.read", returns=PromptList)
async def list_prompts(ctx: ContextDep) -> PromptList:
    """The newest version of every prompt, by name."""
    return PromptList(items=await service.list_prompts(ctx))


@router.get("/{name}", permission="prompts.read", returns=PromptView)
async def show_prompt(ctx: ContextDep, name: str, version: int | None = None) -> PromptView:
    """A prompt: its newest version, or the asked one."""
    prompt = await service.get_prompt(ctx, name, version)
    parsed = template.parse(prompt.source, prompt.path)
    return PromptView(prompt=prompt, description=parsed.description, variables=parsed.variables)


@router.get("/{name}/versions", permission="prompts.read", returns=PromptList)
async def list_prompt_versions(ctx: ContextDep, name: str) -> PromptList:
    """Every version of a prompt, newest first."""
    return PromptList(items=await service.list_versions(ctx, name))
