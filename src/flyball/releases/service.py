"""The verbs of releases up to approval: propose, decide, list, look up. Serving and rolling back are in `serving`."""

from collections.abc import Mapping, Sequence

from flyball.audit import service as audit
from flyball.evaluations import ReportNotFoundError
from flyball.evaluations import store as evaluations
from flyball.evaluations.reports import Report
from flyball.functions import FunctionNotFoundError, VariantUnavailableError
from flyball.functions import store as functions
from flyball.functions.pinning import pin_variant
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.hashing import short
from flyball.kit.ids import new_id
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import gate, store
from .errors import (
    ApprovalLapsedError,
    EvidenceAlteredError,
    GateRefusedError,
    ReleaseNotFoundError,
    ReleaseStateError,
    SharesError,
)
from .records import Approval, Bundle, Decision, Override, Proposal, Release, ReleaseDetail, Share


async def list_releases(
    ctx: Context, function: str | None = None, cursor: str = "", limit: int | None = None
) -> Page[Release]:
    """The project's releases, newest first; of one function where asked."""
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.newest(
            connection, ctx.project, function=function, before=(before[0], before[1]) if before else None, most=size + 1
        )
    more = len(found) > size
    last = found[size - 1] if more else None
    return Page(items=found[:size], next=encode_cursor(last.created_ns, last.id) if last else None)


async def get_release(ctx: Context, release_id: str) -> ReleaseDetail:
    """A release with its decisions. Raises ReleaseNotFoundError."""
    async with ctx.db.connection() as connection:
        return await detail(connection, ctx, await find(connection, ctx, release_id))


async def find(connection: Connection, ctx: Context, release_id: str) -> Release:
    """The release with that id. Raises ReleaseNotFoundError."""
    release = await store.get(connection, ctx.project, release_id)
    if release is None:
        raise ReleaseNotFoundError(release_id)
    return release


async def detail(connection: Connection, ctx: Context, release: Release) -> ReleaseDetail:
    """The release with its decisions, and whether one of them stands."""
    signed = release
    if release.bundle.rolls_back_to:
        signed = await find(connection, ctx, release.bundle.rolls_back_to)
    approvals = await store.approvals_of(connection, ctx.project, signed.id)
    approved = [approval for approval in approvals if approval.decision == "approved"]
    current = signed.bundle.hash
    standing = any(approval.bundle_hash == current for approval in approved)
    lapsed = ""
    if approved and not standing:
        lapsed = (
            f"the approval by {approved[-1].member_name} is for the bundle {short(approved[-1].bundle_hash)}, "
            f"and the bundle is now {short(current)}"
        )
    return ReleaseDetail(release=release, approvals=approvals, standing=standing, lapsed=lapsed)


async def propose(ctx: Context, proposal: Proposal) -> Release:
    """A release, proposed.

    Raises:
        FunctionNotFoundError, ReportNotFoundError, SharesError: what is named does not exist or does not add up.
        VariantUnavailableError: a variant, named as it is now, cannot run now.
        EvidenceAlteredError: a report is not what its hash says.
        GateRefusedError: the evidence does not carry it and no reason overrides that.
    """
    async with ctx.db.transaction() as connection:
        await store.lock_function(connection, ctx.project, proposal.function)
        reports = await _reports(connection, ctx, proposal.evidence)
        shares = await _shares(connection, ctx, proposal, reports)
        refused = gate.refusals(proposal.function, shares, reports)
        if refused and not proposal.override.strip():
            raise GateRefusedError(
                f"the gate refuses this release of {proposal.function!r}: {'; '.join(refused)}",
                next_step="run `flyball eval run` and name a report that says PASS with --evidence, or give the reason "
                "for releasing it all the same with --override",
            )
        live = await store.get_live(connection, ctx.project, proposal.function)
        bundle = Bundle(
            function=proposal.function,
            shares=shares,
            evidence=gate.evidence(shares, reports),
            reason=proposal.reason,
            override=Override(reason=proposal.override.strip(), refusals=refused) if refused else None,
            supersedes=live.id if live else "",
        )
        return await insert(connection, ctx, bundle, action="releases.propose")


async def insert(connection: Connection, ctx: Context, bundle: Bundle, *, action: str) -> Release:
    """Write the bundle as the function's next release, with its audit event; the caller holds the function's lock."""
    now_ns = ctx.clock.now_ns()
    release = Release(
        id=new_id("rel", now_ns),
        project=ctx.project,
        function=bundle.function,
        version=await store.next_version(connection, ctx.project, bundle.function),
        hash=bundle.hash,
        bundle=bundle,
        status="proposed",
        created_ns=now_ns,
        created_by=ctx.actor.id,
    )
    await store.insert(connection, release)
    await audit.record(
        connection,
        ctx,
        action=action,
        object_kind="release",
        object_id=release.id,
        object_name=f"{release.function} {release.version}",
        after=release,
    )
    return release


async def decide(
    ctx: Context, release_id: str, decision: Decision = "approved", comment: str = "", bundle_hash: str | None = None
) -> ReleaseDetail:
    """Approve or reject a proposed release; `bundle_hash`, where given, is what the person looked at.

    Raises:
        ReleaseStateError: it is no longer open for decisions.
        ApprovalLapsedError: the bundle is not the one that the person looked at.
        EvidenceAlteredError: the bundle is not what its hash says.
    """
    async with ctx.db.transaction() as connection:
        release = await find(connection, ctx, release_id)
        await store.lock_function(connection, ctx.project, release.function)
        release = await find(connection, ctx, release_id)
        if release.status not in ("proposed", "approved"):
            raise ReleaseStateError(
                f"release {release.id} is {release.status}, so nothing is left to decide about it",
                next_step="propose a new one with `flyball release propose`",
            )
        prove_bundle(release)
        if bundle_hash is not None and bundle_hash != release.hash:
            raise ApprovalLapsedError(
                f"release {release.id} has the bundle {short(release.hash)}, you looked at {short(bundle_hash)}",
                next_step=f"look at it again with `flyball release show {release.id}`",
            )
        approval = _approval(ctx, release, decision, comment)
        await store.insert_approval(connection, approval)
        await store.set_status(connection, release, decision)
        await audit.record(
            connection,
            ctx,
            action="releases.approve" if decision == "approved" else "releases.reject",
            object_kind="release",
            object_id=release.id,
            object_name=f"{release.function} {release.version}",
            after=approval,
        )
        return await detail(connection, ctx, await find(connection, ctx, release_id))


def prove_bundle(release: Release) -> None:
    """Raise EvidenceAlteredError unless the bundle is what the release's hash says."""
    if release.bundle.hash != release.hash:
        raise EvidenceAlteredError(
            f"the bundle of release {release.id} is {short(release.bundle.hash)}, not {short(release.hash)} as recorded",
            next_step="do not use it; propose the release again and find out who changed the database",
        )


def _approval(ctx: Context, release: Release, decision: Decision, comment: str) -> Approval:
    now_ns = ctx.clock.now_ns()
    return Approval(
        id=new_id("apr", now_ns),
        project=ctx.project,
        release_id=release.id,
        member=ctx.actor.id,
        member_name=ctx.actor.name,
        decision=decision,
        comment=comment,
        bundle_hash=release.hash,
        created_ns=now_ns,
    )


async def _reports(connection: Connection, ctx: Context, ids: Sequence[str]) -> tuple[Report, ...]:
    reports = []
    for id_ in dict.fromkeys(ids):
        report = await evaluations.get_report(connection, ctx.project, id_)
        if report is None:
            raise ReportNotFoundError(id_)
        gate.prove(report)
        reports.append(report)
    return tuple(reports)


async def _shares(
    connection: Connection, ctx: Context, proposal: Proposal, reports: Sequence[Report]
) -> tuple[Share, ...]:
    asked: Mapping[str, int] = proposal.shares
    if not asked and reports:
        asked = {reports[0].findings.winner_hash: 100}
    if not asked or sum(asked.values()) != 100 or any(not 1 <= percent <= 100 for percent in asked.values()):
        raise SharesError(
            f"the shares {dict(asked)} are not whole percents from 1 to 100 that sum to 100",
            next_step="name variants like --variant big=90 --variant small=10, or evidence whose winner is released",
        )
    shares = [await _share(connection, ctx, proposal.function, name, percent) for name, percent in asked.items()]
    if len({share.variant_hash for share in shares}) != len(shares):
        raise SharesError(f"the shares {dict(asked)} name one variant twice", next_step="give it one share")
    return tuple(shares)


async def _share(connection: Connection, ctx: Context, function_name: str, name: str, percent: int) -> Share:
    """A variant by hash as it was pinned, or by name as it is now."""
    function = await functions.get(connection, ctx.project, function_name)
    if function is None:
        raise FunctionNotFoundError(function_name)
    if name.startswith("sha256:"):
        variant = await functions.get_variant(connection, ctx.project, name)
        if variant is None or variant.function != function_name:
            raise SharesError(
                f"the function {function_name!r} has no variant {name}",
                next_step=f"see `flyball functions show {function_name}`",
            )
    elif name in function.spec.variants:
        variant = await pin_variant(connection, ctx, function, name)
        if not variant.available:
            raise VariantUnavailableError(
                f"variant {name!r} of {function_name!r} cannot be released: {variant.unavailable_reason}",
                next_step="make it available and evaluate it first",
            )
    else:
        raise SharesError(
            f"the function {function_name!r} has no variant {name!r}",
            next_step=f"name one of: {', '.join(function.spec.variants)}",
        )
    return Share(variant=variant.name, variant_hash=variant.hash, percent=percent)
