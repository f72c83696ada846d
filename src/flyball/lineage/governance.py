"""Who let the answer happen, and on what evidence: the release, its approvals, the reports behind it.

Knows releases and evaluations; knows not how the answer was made.
"""

from typing import Any

from flyball.evaluations import store as evaluations
from flyball.evaluations.reports import Report
from flyball.infra.context import Context
from flyball.kit.clock import to_datetime
from flyball.kit.hashing import short
from flyball.releases import store as releases
from flyball.releases.records import Approval, Evidence, Release
from flyball.traces.records import SpanRow

from .records import Link, missing


async def release_links(ctx: Context, call: SpanRow) -> list[Link]:
    """The release that the call was served by, and under it its approvals and evidence."""
    if not call.release:
        reason = "the call's span names no release: it was not served through one"
        return [missing("release", 1, reason)]
    async with ctx.db.connection() as connection:
        release = await releases.get(connection, ctx.project, call.release)
        if release is None:
            return [missing("release", 1, f"the span names {call.release}, which is not in this project")]
        signed = release
        if release.bundle.rolls_back_to:
            signed = await releases.get(connection, ctx.project, release.bundle.rolls_back_to) or release
        approvals = await releases.approvals_of(connection, ctx.project, signed.id)
        reports = {
            evidence.report_id: await evaluations.get_report(connection, ctx.project, evidence.report_id)
            for evidence in release.bundle.evidence
        }
    links = [_release_link(release, call)]
    links += [_approval_link(approval, signed) for approval in approvals]
    if not approvals:
        links.append(missing("approval", 2, f"nobody approved {signed.id}"))
    links += [_evidence_link(evidence, reports[evidence.report_id], call) for evidence in release.bundle.evidence]
    if not release.bundle.evidence:
        override = release.bundle.override
        links.append(
            missing(
                "evaluation", 2, f"released without evidence: {override.reason}" if override else "no evidence is named"
            )
        )
    return links


def _release_link(release: Release, call: SpanRow) -> Link:
    served = call.attributes.get("release_hash", release.hash)
    shares = {share.variant_hash: share for share in release.bundle.shares}
    share = shares.get(call.variant_hash)
    problems = []
    if release.bundle.hash != release.hash:
        problems.append(f"the bundle's content has the hash {short(release.bundle.hash)}")
    if served != release.hash:
        problems.append(f"the call was served by the bundle {short(str(served))}")
    if share is None:
        problems.append(f"the variant {short(call.variant_hash)} that answered is not in the bundle")
    facts: dict[str, Any] = {
        "version": release.version,
        "status": release.status,
        "reason": release.bundle.reason,
        "shares": {share.variant: share.percent for share in release.bundle.shares},
        "proposed_by": release.created_by,
        "served_at": to_datetime(release.served_ns).isoformat() if release.served_ns else "",
        "supersedes": release.bundle.supersedes,
        "rolls_back_to": release.bundle.rolls_back_to,
    }
    if release.bundle.override:
        facts["override"] = release.bundle.override.reason
    return Link(
        kind="release",
        title=f"release {release.version} of {release.function}",
        depth=1,
        id=release.id,
        hash=release.hash,
        verified=not problems,
        note="; ".join(problems),
        facts={name: value for name, value in facts.items() if value},
    )


def _approval_link(approval: Approval, signed: Release) -> Link:
    holds = approval.bundle_hash == signed.bundle.hash
    return Link(
        kind="approval",
        title=f"{approval.decision} by {approval.member_name}",
        depth=2,
        id=approval.id,
        hash=approval.bundle_hash,
        verified=holds,
        note="" if holds else f"it was given for another bundle than {short(signed.bundle.hash)}",
        facts={
            "comment": approval.comment,
            "at": to_datetime(approval.created_ns).isoformat(),
            "member": approval.member,
            "release": approval.release_id,
        },
    )


def _evidence_link(evidence: Evidence, report: Report | None, call: SpanRow) -> Link:
    if report is None:
        return missing("evaluation", 2, f"the report {evidence.report_id} is gone")
    holds = report.content_hash() == report.hash == evidence.report_hash
    judgement = report.judgement_of(call.variant_hash)
    primary = report.spec.primary_metric
    found = next((v for v in report.findings.variants if v.variant.hash == call.variant_hash), None)
    metric = found.metric(primary) if found else None
    facts: dict[str, Any] = {
        "evaluation": report.evaluation,
        "verdict": report.findings.verdict,
        "reason": report.findings.reason,
        "items": report.findings.items,
        "dataset": f"{report.dataset.name} version {report.dataset.version}",
        "dataset_hash": report.dataset.hash,
        "made_at": to_datetime(report.created_ns).isoformat(),
    }
    if judgement:
        facts |= {"this_variant": judgement.verdict, "because": judgement.reason}
    if metric and metric.mean is not None:
        facts[primary] = {"mean": metric.mean, "lo": metric.lo, "hi": metric.hi, "n": metric.n}
    return Link(
        kind="evaluation",
        title=f"{report.evaluation}: {report.findings.verdict}",
        depth=2,
        id=report.id,
        hash=report.hash,
        verified=holds,
        note="" if holds else "the report's content is not what its hash, or the release, says",
        facts=facts,
    )
