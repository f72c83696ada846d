"""What the gate asks of evidence before a release may be proposed. Pure: reports in, refusals out.

Every variant of the release must stand, by its exact hash, in at least one report about this function, and every verdict
on it must be PASS, or BASELINE: what was the reference may be served, unless it failed on more than a tenth of the items.
A refusal can be overridden with a reason, which is recorded and signed with the bundle. A report that is not what its
hash says cannot be overridden.
"""

from collections.abc import Sequence

from flyball.evaluations.records import BROKEN_BASELINE
from flyball.evaluations.reports import Judgement, Report
from flyball.kit.hashing import short

from .errors import EvidenceAlteredError
from .records import Evidence, Share, VariantVerdict

PASSING = ("PASS", "BASELINE")


def refusals(function: str, shares: Sequence[Share], reports: Sequence[Report]) -> tuple[str, ...]:
    """Why the evidence does not carry the release; empty where it does."""
    if not reports:
        return ("there is no evidence: no evaluation report is named",)
    found = [
        f"report {report.id} is about the function {report.function.name!r}, not {function!r}"
        for report in reports
        if report.function.name != function
    ]
    for share in shares:
        found.extend(_about(share, reports))
    return tuple(found)


def _about(share: Share, reports: Sequence[Report]) -> list[str]:
    judged = [(report, judgement) for report in reports if (judgement := report.judgement_of(share.variant_hash))]
    if not judged:
        return [_not_concerned(share, reports)]
    return [words for report, judgement in judged if (words := _against(share, report, judgement))]


def _against(share: Share, report: Report, judgement: Judgement) -> str:
    """What a report says against a variant; empty where it passed, or was the baseline and worked."""
    if judgement.verdict not in PASSING:
        return f"report {report.id} says {judgement.verdict} about variant {share.variant!r} ({judgement.reason})"
    found = next((one for one in report.findings.variants if one.variant.hash == share.variant_hash), None)
    if judgement.verdict == "BASELINE" and found and found.failed > BROKEN_BASELINE * found.items:
        return f"report {report.id} says that the baseline {share.variant!r} failed on {found.failed} of {found.items} items"
    return ""


def _not_concerned(share: Share, reports: Sequence[Report]) -> str:
    about = f"no report concerns variant {share.variant!r} as it is ({short(share.variant_hash)})"
    for report in reports:
        for judgement in report.findings.judgements:
            if judgement.variant == share.variant:
                return f"{about}: report {report.id} is about {short(judgement.variant_hash)}, from before it changed"
    return about


def evidence(shares: Sequence[Share], reports: Sequence[Report]) -> tuple[Evidence, ...]:
    """The reports as the bundle names them."""
    return tuple(
        Evidence(
            report_id=report.id,
            report_hash=report.hash,
            evaluation=report.evaluation,
            verdicts=tuple(
                VariantVerdict(variant_hash=share.variant_hash, verdict=judgement.verdict)
                for share in shares
                if (judgement := report.judgement_of(share.variant_hash))
            ),
        )
        for report in reports
    )


def prove(report: Report, expected_hash: str | None = None) -> None:
    """Raise EvidenceAlteredError unless the report is what its hash says, and the hash the expected one."""
    found = report.content_hash()
    if found != report.hash or found != (expected_hash or found):
        raise EvidenceAlteredError(
            f"report {report.id} is not what its hash {short(expected_hash or report.hash)} says: "
            f"its content has {short(found)}",
            next_step="do not use it; run the evaluation again and find out who changed the database",
        )
