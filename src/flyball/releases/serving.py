"""Making a release serve its function, and bringing an earlier one back. Writes what is live down into `functions`.

One transaction holds the change of state, the news to the gateway and the audit event; a lock per function orders
those who do it at once, and only a release that was proposed against what is live now goes live.
"""

from flyball.audit import service as audit
from flyball.evaluations import store as evaluations
from flyball.functions import LiveRelease, VariantUnavailableError
from flyball.functions import live as functions_live
from flyball.functions import store as functions
from flyball.functions.availability import with_availability
from flyball.functions.records import pinned_hash
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.hashing import short

from . import gate, store
from .errors import (
    ApprovalLapsedError,
    EvidenceAlteredError,
    LiveChangedError,
    NotApprovedError,
    NothingToRollBackToError,
    ReleaseStateError,
)
from .records import Bundle, Release
from .service import detail, find, insert, prove_bundle


async def serve(ctx: Context, release_id: str, replacing: str | None = None) -> Release:
    """Make an approved release live. `replacing` names the live release where it is not the one it was proposed against.

    Raises:
        ReleaseStateError: it is live, superseded or rejected.
        NotApprovedError, ApprovalLapsedError: no approval holds for the bundle as it is now.
        EvidenceAlteredError: bundle, reports or variants are not what their hashes say.
        LiveChangedError: another release went live since it was proposed.
        VariantUnavailableError: a variant cannot run here now.
    """
    async with ctx.db.transaction() as connection:
        release = await find(connection, ctx, release_id)
        await store.lock_function(connection, ctx.project, release.function)
        release = await find(connection, ctx, release_id)
        _refuse_state(release)
        await _refuse_unproven(connection, ctx, release)
        live = await store.get_live(connection, ctx.project, release.function)
        _refuse_overtaken(release, live, replacing)
        return await _go_live(connection, ctx, release, live, action="releases.serve")


async def rollback(ctx: Context, function: str, to: str | None = None, reason: str = "") -> Release:
    """A new release that brings an earlier one back and serves it at once, under the approvals of that one.

    Without `to` it is the one that the live release superseded.

    Raises:
        NothingToRollBackToError, ReleaseNotFoundError: there is no such earlier release.
        ReleaseStateError: the named one never served this function, or serves it now.
        ApprovalLapsedError, EvidenceAlteredError, VariantUnavailableError: it cannot serve any more.
    """
    async with ctx.db.transaction() as connection:
        await store.lock_function(connection, ctx.project, function)
        live = await store.get_live(connection, ctx.project, function)
        earlier = await _earlier(connection, ctx, function, live, to)
        await _refuse_unproven(connection, ctx, earlier)
        bundle = Bundle(
            function=function,
            shares=earlier.bundle.shares,
            evidence=earlier.bundle.evidence,
            override=earlier.bundle.override,
            reason=reason or f"roll back to release {earlier.version}",
            supersedes=live.id if live else "",
            rolls_back_to=earlier.bundle.rolls_back_to or earlier.id,
        )
        release = await insert(connection, ctx, bundle, action="releases.rollback")
        return await _go_live(connection, ctx, release, live, action="releases.serve")


async def _earlier(
    connection: Connection, ctx: Context, function: str, live: Release | None, to: str | None
) -> Release:
    wanted = to or (live.bundle.supersedes if live else "")
    if not wanted:
        raise NothingToRollBackToError(
            f"no release served the function {function!r} before the one that serves it now",
            next_step=f"see `flyball release list --function {function}`",
        )
    earlier = await find(connection, ctx, wanted)
    if earlier.function != function or earlier.served_ns is None or earlier.status == "live":
        state = "serves it now" if earlier.status == "live" else f"never served it (it is {earlier.status})"
        raise ReleaseStateError(
            f"{function!r} cannot be rolled back to release {earlier.id}, which {state}",
            next_step=f"name one that is superseded: `flyball release list --function {function}`",
        )
    return earlier


async def _go_live(
    connection: Connection, ctx: Context, release: Release, live: Release | None, action: str
) -> Release:
    now_ns = ctx.clock.now_ns()
    if live is not None:
        await store.set_status(connection, live, "superseded", ended_ns=now_ns)
    await store.set_status(connection, release, "live", served_ns=now_ns)
    await functions_live.set_live(
        connection,
        ctx,
        LiveRelease(
            project=ctx.project,
            function=release.function,
            release_id=release.id,
            release_hash=release.hash,
            shares=tuple((share.variant_hash, share.percent / 100) for share in release.bundle.shares),
        ),
    )
    served = await find(connection, ctx, release.id)
    await audit.record(
        connection,
        ctx,
        action=action,
        object_kind="release",
        object_id=release.id,
        object_name=f"{release.function} {release.version}",
        before=release,
        after=served,
    )
    return served


def _refuse_state(release: Release) -> None:
    if release.status in ("proposed", "approved"):
        return
    next_step = "propose a new one with `flyball release propose`"
    if release.status == "superseded":
        next_step = f"bring it back with `flyball release rollback {release.function} --to {release.id}`"
    raise ReleaseStateError(f"release {release.id} is {release.status}", next_step=next_step)


async def _refuse_unproven(connection: Connection, ctx: Context, release: Release) -> None:
    """Approval, bundle, reports and variants, each against its hash."""
    shown = await detail(connection, ctx, release)
    if shown.lapsed:
        raise ApprovalLapsedError(
            f"release {release.id} cannot be served: {shown.lapsed}",
            next_step=f"look at it with `flyball release show {release.id}` and propose it again",
        )
    if not shown.standing:
        raise NotApprovedError(
            f"release {release.id} is not approved", next_step=f"approve it with `flyball release approve {release.id}`"
        )
    prove_bundle(release)
    for evidence in release.bundle.evidence:
        report = await evaluations.get_report(connection, ctx.project, evidence.report_id)
        if report is None:
            raise EvidenceAlteredError(
                f"report {evidence.report_id}, which release {release.id} rests on, is gone",
                next_step="evaluate again and propose a new release",
            )
        gate.prove(report, evidence.report_hash)
    await _refuse_variants(connection, ctx, release)


async def _refuse_variants(connection: Connection, ctx: Context, release: Release) -> None:
    hashes = [share.variant_hash for share in release.bundle.shares]
    known = await functions.variants_by_hash(connection, ctx.project, hashes)
    for share in release.bundle.shares:
        variant = known.get(share.variant_hash)
        if variant is None or pinned_hash(variant.function, variant.name, variant.kind, variant.spec) != variant.hash:
            raise EvidenceAlteredError(
                f"variant {share.variant!r} of release {release.id} is not what its hash "
                f"{short(share.variant_hash)} says, or is gone",
                next_step="evaluate again and propose a new release",
            )
        ready = await with_availability(connection, ctx, variant)
        if not ready.available:
            raise VariantUnavailableError(
                f"release {release.id} cannot be served: variant {share.variant!r}: {ready.unavailable_reason}",
                next_step="make it available, then serve again",
            )


def _refuse_overtaken(release: Release, live: Release | None, replacing: str | None) -> None:
    """A release is proposed, and approved, as the successor of one that is live; it must still be."""
    expected = release.bundle.supersedes if replacing is None else replacing
    now = live.id if live else ""
    if expected != now:
        raise LiveChangedError(
            f"release {release.id} was to replace {expected or 'nothing'}, but {now or 'nothing'} serves "
            f"{release.function!r} now",
            next_step=f"look at it, then `flyball release serve {release.id} --replacing {now}`, or propose again"
            if now
            else "propose it again",
        )
