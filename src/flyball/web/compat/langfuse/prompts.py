"""Prompts as Langfuse's clients make, get, label and list them. What they give is kept in their words, and as a prompt file of ours."""

from collections import defaultdict
from typing import Annotated, Any, Literal

import msgspec

from flyball.prompts import labels as prompt_labels
from flyball.prompts import service, template
from flyball.prompts.labels import LATEST, PRODUCTION
from flyball.prompts.records import Label as PromptLabel
from flyball.prompts.records import Prompt, Said
from flyball.surface.http import Body, ContextDep, Router

from .names import asked_for, name_of
from .references import with_references
from .shapes import Label, Numbered, Refusal, asked, iso, nanoseconds, numbered

router = Router("/api/public/v2/prompts", tag="langfuse", failure=Refusal)

_LARGEST_VERSION = 2**31 - 1


class NewPrompt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version to make: a text, or the messages of a chat."""

    name: Label
    prompt: Any
    type: Literal["text", "chat"] | None = None
    config: Any = None
    labels: tuple[str, ...] | None = None
    tags: tuple[Label, ...] | None = None
    commit_message: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None


class NewLabels(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Labels that a version gets besides those that it has."""

    new_labels: tuple[str, ...]


class PromptShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version: its text or messages as they were given."""

    id: str
    type: str
    name: str
    version: int
    prompt: Any
    config: Any
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    commit_message: str | None
    project_id: str
    created_at: str
    updated_at: str
    created_by: str


class PromptListed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A prompt with the versions that it has."""

    name: str
    type: str
    versions: tuple[int, ...]
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    last_updated_at: str
    last_config: Any


@router.post(permission="prompts.write", returns=PromptShown, status=201)
async def create_prompt(ctx: ContextDep, new: NewPrompt = Body(NewPrompt)) -> PromptShown:
    """Make a version of a prompt, and the prompt where there is none. Each call makes one, as Langfuse does."""
    name, tags = name_of(new.name), new.tags
    if tags is None:  # they are those of all versions
        earlier = next(iter(await service.list_versions_if_any(ctx, name)), None)
        tags = earlier.said.tags if earlier is not None and earlier.said is not None else ()
    said = Said(
        kind=new.type or "text",
        prompt=new.prompt,
        title=new.name,
        config={} if new.config is None else new.config,
        tags=tags,
        message=new.commit_message or "",
    )
    given = [label for label in dict.fromkeys(new.labels or ()) if label != LATEST]
    return await _shown(ctx, await service.add_version(ctx, name, said, given))


@router.get(permission="prompts.read", returns=Numbered[PromptListed])
async def list_prompts(
    ctx: ContextDep,
    *,
    name: str = "",
    label: str = "",
    tag: str = "",
    page: int | None = None,
    limit: int | None = None,
    fromUpdatedAt: str = "",  # noqa: N803 -- their word
    toUpdatedAt: str = "",  # noqa: N803 -- their word
) -> Numbered[PromptListed]:
    """The project's prompts by name, narrowed by name, label, tag and when a version was made."""
    wanted = asked(page, limit)
    since = nanoseconds(fromUpdatedAt, "fromUpdatedAt") if fromUpdatedAt else 0
    until = nanoseconds(toUpdatedAt, "toUpdatedAt") if toUpdatedAt else 2**63
    by_name: defaultdict[str, list[Prompt]] = defaultdict(list)
    for prompt in await service.list_every_version(ctx):
        by_name[prompt.name].append(prompt)
    known = await prompt_labels.list_labels(ctx)
    listed = []
    for versions in by_name.values():
        one = _listed(versions, [each for each in known if each.name == versions[0].name])
        fits = name in {"", one.name} and (not label or label in one.labels) and (not tag or tag in one.tags)
        if fits and since <= versions[0].created_ns <= until:
            listed.append(one)
    return numbered(listed, wanted)


@router.get("/{name:path}", permission="prompts.read", returns=PromptShown)
async def get_prompt(
    ctx: ContextDep, name: str, *, version: int | None = None, label: str = "", resolve: bool = True
) -> PromptShown:
    """One version: by its number, by a label, or the one in production. References to other prompts are filled in."""
    with asked_for(name) as ours:
        if version is None:
            found = await prompt_labels.get_labelled(ctx, ours, label or PRODUCTION)
        else:
            found = await service.get_prompt(ctx, ours, version if 0 < version <= _LARGEST_VERSION else 0)
    shown = await _shown(ctx, found)
    if not resolve:
        return shown
    return msgspec.structs.replace(shown, prompt=await with_references(ctx, shown.prompt, _text_of))


async def _text_of(ctx: Any, title: str, version: int | None, label: str) -> Any:
    found = await get_prompt(ctx, title, version=version, label=label, resolve=False)
    return found.prompt


@router.add("PATCH", "/{name:path}/versions/{version}", permission="prompts.write", returns=PromptShown)
async def add_labels(ctx: ContextDep, name: str, version: int, new: NewLabels = Body(NewLabels)) -> PromptShown:
    """Put labels on a version; a label that another version has moves here."""
    number = version if 0 < version <= _LARGEST_VERSION else 0
    given = [label for label in dict.fromkeys(new.new_labels) if label != LATEST]
    prompt_labels.check_labels(given)
    with asked_for(name) as ours:
        found = await service.get_prompt(ctx, ours, number)
        for label in given:
            await prompt_labels.set_label(ctx, ours, label, number)
    return await _shown(ctx, found)


async def _shown(ctx: Any, prompt: Prompt) -> PromptShown:
    newest = await service.get_prompt(ctx, prompt.name)
    kind, text = _words(prompt)
    said = prompt.said
    return PromptShown(
        id=prompt.id,
        type=kind,
        name=_title(prompt),
        version=prompt.version,
        prompt=text,
        config=said.config if said else {},
        labels=_labels(prompt, newest, await prompt_labels.list_labels(ctx, prompt.name)),
        tags=newest.said.tags if newest.said else (),
        commit_message=said.message or None if said else None,
        project_id=prompt.project,
        created_at=iso(prompt.created_ns),
        updated_at=iso(prompt.created_ns),
        created_by=prompt.created_by,
    )


def _labels(prompt: Prompt, newest: Prompt, known: tuple[PromptLabel, ...]) -> tuple[str, ...]:
    own = [one.label for one in known if one.version == prompt.version]
    if prompt.version == newest.version:
        own.append(LATEST)
        if prompt.said is None and PRODUCTION not in {one.label for one in known}:
            own.append(PRODUCTION)  # what flyball.yaml declares is in force
    return tuple(own)


def _listed(versions: list[Prompt], known: list[PromptLabel]) -> PromptListed:
    newest = versions[0]
    mine = {one.label for one in known} | {LATEST}
    return PromptListed(
        name=_title(newest),
        type=_words(newest)[0],
        versions=tuple(one.version for one in reversed(versions)),
        labels=tuple(sorted(mine | ({PRODUCTION} if newest.said is None else set()))),
        tags=newest.said.tags if newest.said else (),
        last_updated_at=iso(newest.created_ns),
        last_config=newest.said.config if newest.said else {},
    )


def _title(prompt: Prompt) -> str:
    return prompt.said.title if prompt.said and prompt.said.title else prompt.name


def _words(prompt: Prompt) -> tuple[str, Any]:
    """Text or chat, and what it says: as it was given, or the sections of a prompt file."""
    said = prompt.said
    if said is not None:
        return said.kind, said.prompt if said.kind == "text" else [_typed(message) for message in said.prompt]
    sections = template.parse(prompt.source, prompt.path).sections
    if len(sections) == 1 and sections[0].role == "user":
        return "text", sections[0].text.strip("\n")
    return "chat", [_typed({"role": one.role, "content": one.text.strip("\n")}) for one in sections]


def _typed(message: dict[str, Any]) -> dict[str, Any]:
    """A message that says whether it is one, or a place for some: older clients tell them apart by that."""
    return message if message.get("type") == "placeholder" else {**message, "type": "chatmessage"}
