"""Releases as pages: the list, and one release with its evidence, its decisions and what may be done with it next."""

import msgspec

from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep, permits

from . import service, serving
from .records import Proposal, Release, ReleaseDetail

pages = Pages(tag="releases", section="/releases")


class ReleaseList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    releases: tuple[Release, ...]
    next: str | None
    first: bool
    function: str


class ReleasePage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows. `may_*` is what the caller is permitted to do, whatever the release's state."""

    detail: ReleaseDetail
    may_approve: bool
    may_serve: bool


@pages.get("/releases", permission="releases.read", template="releases/list.html")
async def list_releases(ctx: ContextDep, function: str = "", cursor: str = "") -> ReleaseList:
    """The project's releases, newest first."""
    found = await service.list_releases(ctx, function or None, cursor)
    return ReleaseList(releases=found.items, next=found.next, first=not cursor, function=function)


@pages.post("/releases", permission="releases.write")
async def propose_release(ctx: ContextDep, form: FormDep) -> See:
    """Propose the winner of a report."""
    release = await service.propose(
        ctx,
        Proposal(
            function=form.get("function", ""),
            evidence=(form["evidence"],) if form.get("evidence") else (),
            reason=form.get("reason", ""),
            override=form.get("override", ""),
        ),
    )
    return See(f"/releases/{release.id}", "The release is proposed; it waits for an approval.")


@pages.get("/releases/{release_id}", permission="releases.read", template="releases/show.html")
async def show_release(ctx: ContextDep, release_id: str) -> ReleasePage:
    """One release."""
    return ReleasePage(
        detail=await service.get_release(ctx, release_id),
        may_approve=permits(ctx.actor.permissions, "releases.approve"),
        may_serve=permits(ctx.actor.permissions, "releases.write"),
    )


@pages.post("/releases/{release_id}/approvals", permission="releases.approve")
async def decide_release(ctx: ContextDep, release_id: str, form: FormDep) -> See:
    """Approve or reject exactly the bundle that the page showed."""
    decision = "rejected" if form.get("decision") == "rejected" else "approved"
    await service.decide(
        ctx,
        release_id,
        "rejected" if decision == "rejected" else "approved",
        form.get("comment", ""),
        form.get("bundle_hash") or None,
    )
    return See(f"/releases/{release_id}", f"The release is {decision}.")


@pages.post("/releases/{release_id}/promotion", permission="releases.write")
async def serve_release(ctx: ContextDep, release_id: str) -> See:
    """Make an approved release live."""
    release = await serving.serve(ctx, release_id, None)
    return See(f"/releases/{release_id}", f"{release.function} is served by this release, everywhere within a second.")


@pages.post("/releases/{release_id}/rollback", permission="releases.write")
async def roll_back_to(ctx: ContextDep, release_id: str, form: FormDep) -> See:
    """Bring this release back, as a new one that names it."""
    shown = (await service.get_release(ctx, release_id)).release
    made = await serving.rollback(ctx, shown.function, release_id, form.get("reason", ""))
    return See(f"/releases/{made.id}", f"Version {shown.version} is back, as version {made.version}.")
