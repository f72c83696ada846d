"""Why an answer was what it was, as a page: the chain with each link's place, hash, proof and facts. Parse, one verb, render."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from flyball.audit import service as audit
from flyball.kit.hashing import short
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import why as story
from .records import Link

pages = Pages(tag="lineage", section="/traces")

State = Literal["verified", "altered", "missing", "unproven", "stated"]
_QUOTED = ("text", "quote", "retrieved")
_SHOWN_ALREADY = {  # facts that a link's title, place or neighbours say
    "answer": ("function",),
    "release": ("version",),
    "approval": ("release",),
    "evaluation": ("evaluation", "dataset_hash"),
    "index": ("dataset_hash",),
    "passage": ("document", "start", "end"),
    "prompt": ("version",),
}
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.?\d*\+00:00")


class ChainLine(NamedTuple):
    """One link: where it leads (empty for nowhere), how it stands, what it quotes, and its other facts as words.

    `rails` are the depths of links above it whose line goes on below it; `leads` says that a deeper one follows.
    """

    link: Link
    href: str
    state: State
    quote: str
    facts: tuple[tuple[str, str], ...]
    rails: tuple[int, ...]
    leads: bool


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
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
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
        if name not in _QUOTED and name not in _SHOWN_ALREADY.get(link.kind, ()) and (words := _words(value))
    )
    return ChainLine(
        link=link,
        href=_href(number, links),
        state=_state(link),
        quote=quote_,
        facts=facts,
        rails=tuple(depth for depth in range(link.depth) if _goes_on(depth, links[number + 1 :])),
        leads=number + 1 < len(links) and links[number + 1].depth > link.depth,
    )


def _goes_on(depth: int, later: tuple[Link, ...]) -> bool:
    """Whether the link at this depth has another one below it, before one that is no deeper than itself."""
    for link in later:
        if link.depth <= depth:
            return False
        if link.depth == depth + 1:
            return True
    return False


def _state(link: Link) -> State:
    if not link.recorded:
        return "missing"
    if link.verified is None:
        return "unproven" if link.hash else "stated"
    return "verified" if link.verified else "altered"


def _href(number: int, links: tuple[Link, ...]) -> str:
    """The page of what a link names; documents and passages are rows of the dataset version beside them."""
    link = links[number]
    if not link.recorded:
        return ""
    if link.kind in ("passage", "document"):
        return _row(link, _dataset_of(number, links))
    place = _PLACES.get(link.kind)
    return place(link) if place else ""


def _version(folder: str, link: Link) -> str:
    """Of a link whose title ends with its version."""
    name, _, version = link.title.rpartition(" version ")
    return f"/{folder}/{_part(name)}?version={version}"


def _named(folder: str, link: Link) -> str:
    """Of a link whose id is a name; its version is a fact where it is known."""
    version = link.facts.get("version", "")
    return f"/{folder}/{_part(link.id)}" + (f"?version={version}" if version else "")


def _part(value: object) -> str:
    """A value as one part of an address."""
    return quote(str(value), safe="")


_PLACES: dict[str, Callable[[Link], str]] = {
    "answer": lambda link: f"/traces/{_part(link.id)}",
    "release": lambda link: f"/releases/{_part(link.id)}",
    "approval": lambda link: f"/releases/{_part(link.facts.get('release', ''))}",
    "evaluation": lambda link: f"/reports/{_part(link.id)}",
    "variant": lambda link: f"/functions/{_part(link.title.partition(' / ')[0])}",
    "prompt": lambda link: _version("prompts", link),
    "model": lambda link: _named("models", link),
    "index": lambda link: _version("indexes", link),
    "dataset": lambda link: _version("datasets", link),
}


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
    return f"/datasets/{_part(name)}/versions/{version}/rows/{_part(document)}"


def _words(value: Any) -> str:
    """A fact as words; empty for one that says nothing."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {words}" for name, part in value.items() if (words := _words(part)))
    if isinstance(value, list | tuple):
        return ", ".join(words for part in value if (words := _words(part)))
    if isinstance(value, float):
        return f"{value:.4g}"
    words = str(value)
    moment = _MOMENT.fullmatch(words)
    return f"{moment[1]} {moment[2]} UTC" if moment else short(words) if words.startswith("sha256:") else words
