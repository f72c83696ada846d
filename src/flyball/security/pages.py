"""The posture as a page: topic by topic, what asks for something first."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import service
from .records import Finding

pages = Pages(tag="security", section="/security")


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one topic."""

    name: str
    findings: tuple[Finding, ...]


class SecurityPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows. `todo` are the findings that ask for something, the urgent first."""

    topics: tuple[Topic, ...]
    todo: tuple[Finding, ...]
    checked: int


@pages.get("/security", permission="security.read", template="security/show.html")
async def show_posture(ctx: ContextDep) -> SecurityPage:
    """What is on, what is off, and what to do."""
    posture = await service.examine(ctx)
    by_topic: dict[str, list[Finding]] = {}
    for finding in posture.findings:
        by_topic.setdefault(finding.topic, []).append(finding)
    return SecurityPage(
        topics=tuple(Topic(name=name, findings=tuple(found)) for name, found in by_topic.items()),
        todo=tuple(
            sorted(
                (each for each in posture.findings if each.state in ("warn", "bad")),
                key=lambda each: each.state != "bad",
            )
        ),
        checked=len(posture.findings),
    )
