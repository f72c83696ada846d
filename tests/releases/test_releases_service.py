"""Propose, approve, serve, roll back: what the gate lets through, and what it refuses with which words."""

import asyncio

import psycopg
import pytest

from flyball.audit import service as audit
from flyball.audit.records import Wanted
from flyball.audit.verifying import verify
from flyball.evaluations import ReportNotFoundError
from flyball.functions import FunctionNotFoundError
from flyball.functions import service as functions
from flyball.infra.context import Actor
from flyball.infra.db.database import execute
from flyball.releases import GateRefusedError, NotApprovedError, ReleaseNotFoundError, service, serving
from flyball.releases.errors import (
    ApprovalLapsedError,
    EvidenceAlteredError,
    LiveChangedError,
    NothingToRollBackToError,
    ReleaseStateError,
    SharesError,
)
from flyball.releases.records import Proposal


@pytest.fixture
async def hashes(bench):
    return await bench.declare()


@pytest.fixture
async def report(bench, hashes):
    return await bench.report(hashes)


async def propose(ctx, *reports, **asked):
    return await service.propose(ctx, Proposal(function="ask", evidence=tuple(one.id for one in reports), **asked))


async def released(ctx, *reports, **asked):
    release = await propose(ctx, *reports, **asked)
    await service.decide(ctx, release.id)
    return await serving.serve(ctx, release.id)


# --- proposing ------------------------------------------------------------------------------------------------------


async def test_the_winner_of_the_evidence_is_proposed_unless_variants_are_named(ctx, report, hashes):
    release = await propose(ctx, report)

    assert (release.status, release.version, release.function) == ("proposed", 1, "ask")
    assert [(share.variant, share.variant_hash, share.percent) for share in release.bundle.shares] == [
        ("new", hashes["new"], 100)
    ]
    assert release.bundle.evidence[0].report_hash == report.hash
    assert release.bundle.evidence[0].verdicts[0].verdict == "PASS"
    assert release.hash == release.bundle.hash


async def test_shares_may_be_split_between_variants_that_passed(ctx, report, hashes):
    release = await propose(ctx, report, shares={"new": 90, "old": 10})

    assert {share.variant: share.percent for share in release.bundle.shares} == {"new": 90, "old": 10}
    assert [one.verdict for one in release.bundle.evidence[0].verdicts] == ["PASS", "BASELINE"]


@pytest.mark.parametrize("shares", [{"new": 90}, {"new": 60, "old": 60}, {"new": 110, "old": -10}, {}])
async def test_shares_that_do_not_sum_to_a_hundred_are_refused(ctx, hashes, shares):
    with pytest.raises(SharesError, match="sum to 100"):
        await propose(ctx, shares=shares)


async def test_a_variant_that_does_not_exist_is_refused_with_those_that_do(ctx, report, hashes):
    with pytest.raises(SharesError, match="name one of: old, new, bad"):
        await propose(ctx, report, shares={"newest": 100})
    with pytest.raises(SharesError, match="has no variant sha256:00"):
        await propose(ctx, report, shares={"sha256:00": 100})


async def test_one_variant_named_twice_is_refused(ctx, report, hashes):
    with pytest.raises(SharesError, match="twice"):
        await propose(ctx, report, shares={"new": 50, hashes["new"]: 50})


async def test_a_function_or_report_that_does_not_exist_is_refused(ctx, report):
    with pytest.raises(FunctionNotFoundError):
        await service.propose(ctx, Proposal(function="nothing", evidence=(report.id,)))
    with pytest.raises(ReportNotFoundError):
        await service.propose(ctx, Proposal(function="ask", evidence=("rpt_0",)))


# --- the gate -------------------------------------------------------------------------------------------------------


async def test_without_evidence_nothing_is_proposed(ctx, hashes):
    with pytest.raises(GateRefusedError, match="there is no evidence"):
        await propose(ctx, shares={"new": 100})


async def test_a_variant_that_failed_is_refused(ctx, report):
    with pytest.raises(GateRefusedError, match="says FAIL about variant 'bad'"):
        await propose(ctx, report, shares={"bad": 100})


async def test_a_variant_about_which_the_data_cannot_tell_is_refused(ctx, bench, hashes):
    doubtful = await bench.report(hashes, {"old": 150, "new": 146}, names=("old", "new"))

    with pytest.raises(GateRefusedError, match="says INCONCLUSIVE about variant 'new'"):
        await propose(ctx, doubtful, shares={"new": 100})


async def test_the_baseline_may_be_released_unless_it_failed_on_more_than_a_tenth_of_the_items(ctx, bench, hashes):
    working = await bench.report(hashes, failed=20)
    broken = await bench.report(hashes, failed=21)

    assert (await propose(ctx, working, shares={"old": 100})).status == "proposed"
    with pytest.raises(GateRefusedError, match="the baseline 'old' failed on 21 of 200 items"):
        await propose(ctx, broken, shares={"old": 100})


async def test_one_bad_report_among_good_ones_refuses(ctx, bench, hashes, report):
    worse = await bench.report(hashes, {"old": 150, "new": 60, "bad": 60})

    with pytest.raises(GateRefusedError, match=f"report {worse.id} says FAIL"):
        await propose(ctx, report, worse, shares={"new": 100})


async def test_evidence_about_a_variant_as_it_was_before_it_changed_is_refused(ctx, bench, hashes, report):
    await bench.declare(
        code="# changed\n" + "def old(i, t): return 'o'\ndef new(i, t): return 'n'\ndef bad(i, t): return 'b'\n"
    )

    with pytest.raises(GateRefusedError, match=r"no report concerns variant 'new' as it is .* from before it changed"):
        await propose(ctx, report, shares={"new": 100})

    assert (await propose(ctx, report, shares={hashes["new"]: 100})).bundle.shares[0].variant_hash == hashes["new"]


async def test_evidence_that_does_not_mention_a_variant_is_refused(ctx, bench, hashes):
    narrow = await bench.report(hashes, names=("old", "new"))

    with pytest.raises(GateRefusedError, match="no report concerns variant 'bad'"):
        await propose(ctx, narrow, shares={"new": 50, "bad": 50})


async def test_evidence_about_another_function_is_refused(ctx, bench, hashes):
    other = await bench.report(hashes, function="other")

    with pytest.raises(GateRefusedError, match="is about the function 'other', not 'ask'"):
        await propose(ctx, other, shares={"new": 100})


async def test_a_refusal_is_overridden_by_a_reason_that_the_bundle_keeps(ctx, report):
    release = await propose(ctx, report, shares={"bad": 100}, override="a drill")

    assert release.bundle.override.reason == "a drill"
    assert "says FAIL about variant 'bad'" in release.bundle.override.refusals[0]


async def test_an_override_of_white_space_overrides_nothing(ctx, hashes):
    with pytest.raises(GateRefusedError):
        await propose(ctx, shares={"new": 100}, override="  ")


async def test_a_reason_is_kept_as_no_override_where_nothing_was_refused(ctx, report):
    assert (await propose(ctx, report, override="just in case")).bundle.override is None


async def test_a_report_cannot_be_changed_and_a_forged_one_is_found_out(ctx, report):
    async with ctx.db.owner_connection() as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="immutable"):
            await execute(connection, "update evaluation_reports set verdict = 'PASS'")
        await execute(connection, "alter table evaluation_reports disable trigger evaluation_reports_are_immutable")
        await execute(
            connection, "update evaluation_reports set body = jsonb_set(body, '{findings,winner}', '\"bad\"')"
        )

    with pytest.raises(EvidenceAlteredError, match="is not what its hash"):
        await propose(ctx, report, shares={"new": 100}, override="it must go out")


# --- approving ------------------------------------------------------------------------------------------------------


async def test_an_approval_signs_the_bundle(ctx, report):
    release = await propose(ctx, report)
    reviewer = ctx.acting_as(Actor(id="member:1", kind="member", name="Ada"))

    shown = await service.decide(reviewer, release.id, "approved", "read it all", release.hash)

    assert (shown.release.status, shown.standing) == ("approved", True)
    assert [(one.member_name, one.bundle_hash, one.comment) for one in shown.approvals] == [
        ("Ada", release.hash, "read it all")
    ]


async def test_an_approval_of_another_bundle_than_the_one_looked_at_is_refused(ctx, report):
    release = await propose(ctx, report)

    with pytest.raises(ApprovalLapsedError, match="you looked at"):
        await service.decide(ctx, release.id, "approved", "", "sha256:other")


async def test_an_approval_lapses_when_the_bundle_is_no_longer_what_was_signed(ctx, report):
    release = await propose(ctx, report)
    await service.decide(ctx, release.id)
    async with ctx.db.connection() as connection:
        await execute(connection, "update releases set bundle = jsonb_set(bundle, '{reason}', '\"other\"')")

    with pytest.raises(ApprovalLapsedError, match="the approval by tester is for the bundle"):
        await serving.serve(ctx, release.id)
    with pytest.raises(EvidenceAlteredError, match="the bundle of release"):
        await service.decide(ctx, release.id)
    assert (await service.get_release(ctx, release.id)).standing is False


async def test_a_rejected_release_is_not_served_and_not_decided_again(ctx, report):
    release = await propose(ctx, report)
    shown = await service.decide(ctx, release.id, "rejected", "not now")

    assert (shown.release.status, shown.standing) == ("rejected", False)
    with pytest.raises(ReleaseStateError, match="is rejected"):
        await serving.serve(ctx, release.id)
    with pytest.raises(ReleaseStateError, match="nothing is left to decide"):
        await service.decide(ctx, release.id)


# --- serving --------------------------------------------------------------------------------------------------------


async def test_a_release_that_nobody_approved_is_not_served(ctx, report):
    release = await propose(ctx, report)

    with pytest.raises(NotApprovedError, match=f"flyball release approve {release.id}"):
        await serving.serve(ctx, release.id)
    assert await functions.get_live(ctx, "ask") is None


async def test_serving_writes_what_is_live_and_tells_the_gateway(ctx, report, hashes, database_url):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as listener:
        await listener.execute("listen flyball_snapshot")
        release = await released(ctx, report, shares={"new": 75, "old": 25})
        news = [notice.channel async for notice in listener.notifies(timeout=2, stop_after=1)]

    live = await functions.get_live(ctx, "ask")
    assert news == ["flyball_snapshot"]
    assert (live.release_id, live.release_hash) == (release.id, release.hash)
    assert live.shares == ((hashes["new"], 0.75), (hashes["old"], 0.25))
    assert release.served_ns is not None


async def test_the_next_release_supersedes_the_live_one(ctx, report):
    first = await released(ctx, report, shares={"old": 100})
    second = await released(ctx, report)

    assert second.bundle.supersedes == first.id
    assert (await service.get_release(ctx, first.id)).release.status == "superseded"
    assert (await functions.get_live(ctx, "ask")).release_id == second.id
    with pytest.raises(ReleaseStateError, match="is superseded"):
        await serving.serve(ctx, first.id)


async def test_of_two_releases_served_at_once_one_wins_and_the_other_hears_why(ctx, report):
    rivals = [await propose(ctx, report, reason=reason) for reason in ("this", "that")]
    for rival in rivals:
        await service.decide(ctx, rival.id)

    ended = await asyncio.gather(*(serving.serve(ctx, rival.id) for rival in rivals), return_exceptions=True)

    won = [one for one in ended if not isinstance(one, Exception)]
    lost = [one for one in ended if isinstance(one, Exception)]
    assert (len(won), len(lost)) == (1, 1)
    assert isinstance(lost[0], LiveChangedError)
    assert f"but {won[0].id} serves 'ask' now" in lost[0].message
    assert (await functions.get_live(ctx, "ask")).release_id == won[0].id


async def test_a_release_that_was_overtaken_is_served_when_the_live_one_is_named(ctx, report):
    late = await propose(ctx, report, reason="late")
    await service.decide(ctx, late.id)
    early = await released(ctx, report)

    assert (await serving.serve(ctx, late.id, replacing=early.id)).status == "live"


async def test_evidence_that_was_forged_after_approval_is_found_out_when_serving(ctx, report):
    release = await propose(ctx, report)
    await service.decide(ctx, release.id)
    async with ctx.db.connection() as connection:
        await execute(connection, "update variants set spec = jsonb_set(spec, '{timeout_seconds}', '99')")

    with pytest.raises(EvidenceAlteredError, match=r"variant 'new' .* is not what its hash"):
        await serving.serve(ctx, release.id)


async def test_nothing_is_half_done_when_serving_fails(ctx, report, monkeypatch):
    release = await propose(ctx, report)
    await service.decide(ctx, release.id)
    events = len((await audit.list_events(ctx)).items)

    async def broken(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("flyball.functions.store.set_live", broken)
    with pytest.raises(RuntimeError):
        await serving.serve(ctx, release.id)

    assert (await service.get_release(ctx, release.id)).release.status == "approved"
    assert len((await audit.list_events(ctx)).items) == events


# --- rolling back ---------------------------------------------------------------------------------------------------


async def test_rolling_back_is_a_new_release_that_names_the_old_one(ctx, report, hashes):
    first = await released(ctx, report, shares={"old": 100})
    second = await released(ctx, report)

    back = await serving.rollback(ctx, "ask", reason="it was slow")

    assert (back.version, back.status, back.bundle.rolls_back_to, back.bundle.supersedes) == (
        3,
        "live",
        first.id,
        second.id,
    )
    assert (await functions.get_live(ctx, "ask")).shares == ((hashes["old"], 1.0),)
    shown = await service.get_release(ctx, back.id)
    assert shown.standing
    assert shown.approvals[0].release_id == first.id


async def test_rolling_back_twice_brings_the_newer_one_again(ctx, report, hashes):
    await released(ctx, report, shares={"old": 100})
    second = await released(ctx, report)
    await serving.rollback(ctx, "ask")

    again = await serving.rollback(ctx, "ask")

    assert again.bundle.rolls_back_to == second.id
    assert (await functions.get_live(ctx, "ask")).shares == ((hashes["new"], 1.0),)


async def test_there_is_nothing_to_roll_back_to_before_the_second_release(ctx, report):
    with pytest.raises(NothingToRollBackToError, match="no release served"):
        await serving.rollback(ctx, "ask")
    first = await released(ctx, report)
    with pytest.raises(NothingToRollBackToError):
        await serving.rollback(ctx, "ask")
    with pytest.raises(ReleaseStateError, match="serves it now"):
        await serving.rollback(ctx, "ask", to=first.id)
    proposed = await propose(ctx, report)
    with pytest.raises(ReleaseStateError, match="never served it"):
        await serving.rollback(ctx, "ask", to=proposed.id)


# --- looking --------------------------------------------------------------------------------------------------------


async def test_releases_are_listed_newest_first_in_pages(ctx, report):
    made = [(await propose(ctx, report, reason=str(number))).id for number in range(3)]
    first = await service.list_releases(ctx, "ask", limit=2)
    second = await service.list_releases(ctx, "ask", first.next, limit=2)

    assert [one.id for one in (*first.items, *second.items)] == made[::-1]
    assert second.next is None
    assert (await service.list_releases(ctx, "other")).items == ()


async def test_a_release_that_does_not_exist_is_not_found(ctx):
    for verb in (service.get_release, service.decide, serving.serve):
        with pytest.raises(ReleaseNotFoundError, match="rel_0"):
            await verb(ctx, "rel_0")


async def test_every_deed_is_in_the_audit_record(ctx, report):
    release = await released(ctx, report)
    await released(ctx, report, shares={"old": 100})
    await serving.rollback(ctx, "ask")

    mine = [
        event.action
        for event in (await audit.list_events(ctx, wanted=Wanted(object_kind="release"))).items
        if event.object_id == release.id
    ]
    all_of_them = {event.action for event in (await audit.list_events(ctx, wanted=Wanted(object_kind="release"))).items}
    assert mine == ["releases.serve", "releases.approve", "releases.propose"]
    assert "releases.rollback" in all_of_them
    assert (await verify(ctx)).ok
