"""The HTTP face of releases: parse, one verb, answer. Approving has a permission of its own."""

import msgspec

from flyball.kit.paging import Page
from flyball.surface.http import Body, ContextDep, Router

from . import service, serving
from .records import Decision, Proposal, Release, ReleaseDetail, Words

router = Router("/api/releases", tag="releases")


class NewApproval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision on a release; `bundle_hash` is what the person looked at."""

    decision: Decision = "approved"
    comment: Words = ""
    bundle_hash: str | None = None


class NewPromotion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release to serve; `replacing` names the live one where it is not the one it was proposed against."""

    replacing: str | None = None


class NewRollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function to roll back, to the release before the live one unless one is named."""

    function: str
    to: str | None = None
    reason: Words = ""


@router.get(permission="releases.read", returns=Page[Release])
async def list_releases(ctx: ContextDep, function: str = "", cursor: str = "", limit: int = 50) -> Page[Release]:
    """The project's releases, newest first."""
    return await service.list_releases(ctx, function or None, cursor, limit)


@router.post(permission="releases.write", returns=Release, status=201)
async def propose_release(ctx: ContextDep, new: Proposal = Body(Proposal)) -> Release:
    """Propose a release; the gate looks at its evidence."""
    return await service.propose(ctx, new)


@router.post("/rollbacks", permission="releases.write", returns=Release, status=201)
async def roll_back(ctx: ContextDep, new: NewRollback = Body(NewRollback)) -> Release:
    """Bring an earlier release back, as a new one that names it, and serve it at once."""
    return await serving.rollback(ctx, new.function, new.to, new.reason)


@router.get("/{release_id}", permission="releases.read", returns=ReleaseDetail)
async def show_release(ctx: ContextDep, release_id: str) -> ReleaseDetail:
    """One release with its decisions."""
    return await service.get_release(ctx, release_id)


@router.post("/{release_id}/approvals", permission="releases.approve", returns=ReleaseDetail, status=201)
async def decide_release(ctx: ContextDep, release_id: str, new: NewApproval = Body(NewApproval)) -> ReleaseDetail:
    """Approve or reject a release."""
    return await service.decide(ctx, release_id, new.decision, new.comment, new.bundle_hash)


@router.post("/{release_id}/promotion", permission="releases.write", returns=Release)
async def serve_release(ctx: ContextDep, release_id: str, new: NewPromotion = Body(NewPromotion)) -> Release:
    """Make an approved release live."""
    return await serving.serve(ctx, release_id, new.replacing)
