"""Why an answer was what it was, as a page: the chain with each link's place, hash, proof and facts. Parse, one verb, render."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import why as story
from .records import Link

pages = Pages(tag="lineage", section="/traces")

State = Literal["verified", "altered", "missing", "unproven"]
_QUOTED = ("text", "quote", "retrieved")


class ChainLine(NamedTuple):
    """One link: where it leads (empty for nowhere), how it stands, what it quotes, and its other facts as words."""

    link: Link
    href: str
    state: State
    quote: str
    facts: tuple[tuple[str, str], ...]


class WhyPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/why.html shows: the chain in reading order, and how many links stand how."""

    trace_id: str
    links: tuple[ChainLine, ...]
    verified: int
    altered: int
    unproven: int
    missing: int


@pages.get("/why/{trace_id}", permission="traces.read", template="lineage/why.html")
async def show_why(ctx: ContextDep, trace_id: str) -> WhyPage:
    """The chain behind the answers of one trace."""
    found = await story.why(ctx, trace_id)
    lines = tuple(_line(number, found.links) for number in range(len(found.links)))
    states = [line.state for line in lines]
    return WhyPage(
        trace_id=found.trace_id,
        links=lines,
        verified=states.count("verified"),
        altered=states.count("altered"),
        unproven=states.count("unproven"),
        missing=states.count("missing"),
    )


def _line(number: int, links: tuple[Link, ...]) -> ChainLine:
    link = links[number]
    quote_ = next((str(link.facts[name]) for name in _QUOTED if link.facts.get(name)), "")
    facts = tuple(
        (name.replace("_", " "), words)
        for name, value in link.facts.items()
        if name not in _QUOTED and (words := _words(value))
    )
    return ChainLine(link=link, href=_href(number, links), state=_state(link), quote=quote_, facts=facts)


def _state(link: Link) -> State:
    if not link.recorded:
        return "missing"
    if link.verified is None:
        return "unproven"
    return "verified" if link.verified else "altered"


def _href(number: int, links: tuple[Link, ...]) -> str:
    """The page of what a link names; documents and passages are rows of the dataset version beside them."""
    link = links[number]
    if not link.recorded:
        return ""
    match link.kind:
        case "answer":
            return f"/traces/{quote(link.id, safe='')}"
        case "release":
            return f"/releases/{quote(link.id, safe='')}"
        case "approval":
            return f"/releases/{quote(str(link.facts.get('release', '')), safe='')}"
        case "evaluation":
            return f"/reports/{quote(link.id, safe='')}"
        case "variant":
            return f"/functions/{quote(link.title.partition(' / ')[0], safe='')}"
        case "prompt" | "model":
            version = link.facts.get("version", "")
            return f"/{link.kind}s/{quote(link.id, safe='')}" + (f"?version={version}" if version else "")
        case "index" | "dataset":
            name, _, version = link.title.rpartition(" version ")
            folder = "indexes" if link.kind == "index" else "datasets"
            return f"/{folder}/{quote(name, safe='')}?version={version}"
        case "passage" | "document":
            return _row(link, _dataset_of(number, links))
        case _:
            return ""


def _dataset_of(number: int, links: tuple[Link, ...]) -> Link | None:
    """A passage stands before its dataset version, a document behind it."""
    link = links[number]
    side = links[number:] if link.kind == "passage" else links[number::-1]
    return next((each for each in side if each.kind == "dataset" and each.recorded), None)


def _row(link: Link, dataset: Link | None) -> str:
    if dataset is None:
        return ""
    name, _, version = dataset.title.rpartition(" version ")
    document = link.facts.get("document", "") if link.kind == "passage" else link.id
    return f"/datasets/{quote(name, safe='')}/versions/{version}/rows/{quote(str(document), safe='')}"


def _words(value: Any) -> str:
    """A fact as words; empty for one that says nothing."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {words}" for name, part in value.items() if (words := _words(part)))
    if isinstance(value, list | tuple):
        return ", ".join(words for part in value if (words := _words(part)))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
