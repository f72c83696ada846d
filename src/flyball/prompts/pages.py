"""Prompts as pages: the list, and one version with its variables, its messages and its history."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import labels, service, template
from .records import Label, Prompt
from .template import Section

pages = Pages(tag="prompts", section="/prompts")


class PromptList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    prompts: tuple[Prompt, ...]


class PromptPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows: one version parsed, all versions, newest first, and the labels of all."""

    prompt: Prompt
    description: str
    variables: dict[str, str]
    sections: tuple[Section, ...]
    versions: tuple[Prompt, ...]
    labels: tuple[Label, ...]


@pages.get("/prompts", permission="prompts.read", template="prompts/list.html")
async def list_prompts(ctx: ContextDep) -> PromptList:
    """Every prompt of the project."""
    return PromptList(prompts=await service.list_prompts(ctx))


@pages.get("/prompts/{name}", permission="prompts.read", template="prompts/show.html")
async def show_prompt(ctx: ContextDep, name: str, version: int | None = None) -> PromptPage:
    """One prompt."""
    prompt = await service.get_prompt(ctx, name, version)
    parsed = template.parse(prompt.source, prompt.path)
    return PromptPage(
        prompt=prompt,
        description=parsed.description,
        variables=parsed.variables,
        sections=parsed.sections,
        versions=await service.list_versions(ctx, name),
        labels=await labels.list_labels(ctx, name),
    )
