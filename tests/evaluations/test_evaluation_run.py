"""An evaluation from its declaration to its report: real rows, real variants, the real lake."""

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.audit.records import Wanted
from flyball.datasets import service as datasets
from flyball.datasets.errors import DatasetNotFoundError, DatasetVersionNotFoundError
from flyball.evaluations import EvaluationNotFoundError, ReportNotFoundError, jobs, reporting, results, service
from flyball.evaluations.errors import BaselineUnavailableError, EvaluationSpecError, NotComparableError
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.db.database import execute
from flyball.infra.jobs.immediate import Immediate, run_immediately
from flyball.runs import service as runs

from .conftest import ITEMS, SPEC, question


def changed(**fields):
    return msgspec.structs.replace(SPEC, **fields)


# --- declaring ------------------------------------------------------------------------------------------------------


async def test_a_declaration_is_kept_by_its_hash_and_changed_only_where_it_differs(ctx, bench):
    first = await bench.declare()
    again = await bench.declare()
    other = await bench.declare(changed(margin=0.05))

    assert first == again
    assert first.spec.scorers == ("hit_at_1", "reciprocal_rank", "token_f1")
    assert (other.spec.margin, other.created_ns) == (0.05, first.created_ns)
    assert [one.name for one in await service.list_evaluations(ctx)] == ["quality"]
    deeds = [event.action for event in (await audit.list_events(ctx, wanted=Wanted(object_kind="evaluation"))).items]
    assert deeds == ["evaluations.update", "evaluations.create"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scorers": ("bleu",)}, "there is no scorer named 'bleu'. Next: name one of: hit_at_1"),
        ({"primary": "exact"}, "primary: 'exact' is none of its scorers"),
        ({"baseline": "old"}, "baseline: the function 'ask' has no variant 'old'"),
        ({"variants": ("new",)}, "variants: the function 'ask' has no variant 'new'"),
        ({"function": "tell"}, "function: there is no function named 'tell'"),
    ],
)
async def test_a_declaration_that_cannot_work_is_refused_with_what_could(bench, fields, message):
    with pytest.raises(EvaluationSpecError) as refused:
        await bench.declare(changed(**fields))

    assert message in str(refused.value)


# --- running --------------------------------------------------------------------------------------------------------


async def test_a_run_judges_every_item_by_every_variant_and_reports(ctx, bench):
    await bench.declare()
    machinery = Immediate()
    report = await bench.run(machinery=machinery)

    assert machinery.steps == ["plan", "chunk 1", "chunk 2", "chunk 3", "report"]
    assert machinery.reports[-1][:2] == (ITEMS, ITEMS)
    assert (report.findings.items, report.dataset.name, report.dataset.version) == (ITEMS, "questions", 1)
    fair, good, big = report.findings.variants
    assert fair.metric("hit_at_1").mean == pytest.approx(0.75)
    assert fair.metric("reciprocal_rank").mean == pytest.approx(0.875)
    assert good.metric("hit_at_1").mean == pytest.approx(0.95)
    assert good.metric("token_f1").mean == pytest.approx(0.95)
    assert "NOT_SET_URL" in big.variant.skipped
    assert (report.findings.verdict, report.findings.winner) == ("PASS", "good")
    assert report.findings.judgements[1].better


async def test_a_report_is_computed_again_from_the_rows_of_the_lake(ctx, bench):
    await bench.declare()
    report = await bench.run()
    rows = await results.of_run(ctx, report.run_id)
    again = reporting.build(report.spec, [one.variant for one in report.findings.variants], rows)

    assert again == report.findings
    checked = await service.check_report(ctx, report.id)
    assert (checked.hash_holds, checked.results_hold, checked.findings_hold) == (True, True, True)


async def test_a_report_that_was_changed_does_not_check(ctx, bench):
    await bench.declare()
    report = await bench.run()
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "alter table evaluation_reports disable trigger evaluation_reports_are_immutable")
        await execute(
            connection, "update evaluation_reports set body = jsonb_set(body, '{findings,winner}', '\"fair\"')"
        )

    checked = await service.check_report(ctx, report.id)
    assert (checked.hash_holds, checked.results_hold, checked.findings_hold) == (False, True, False)


async def test_an_item_that_fails_is_counted_with_its_reason_and_against_its_variant(ctx, bench):
    await bench.declare(changed(variants=("failing",)))
    failing = (await bench.run()).findings.variants[1]

    assert failing.failed == 6
    assert failing.failures[0].item_id == "q3"
    assert "LookupError: no idea about 3" in failing.failures[0].reason
    assert failing.metric("hit_at_1").mean == pytest.approx(0.9)


async def test_a_run_that_is_repeated_after_a_crash_doubles_nothing_and_writes_one_report(ctx, bench):
    """The worst case: every step is done again, as if each had been cut off just before it was noted."""
    await bench.declare()
    first = await bench.run()
    bench.runs = 0
    again = await bench.run()

    counted = ctx.lake.query("select count(*) as n from evaluation_results", tables=[EVALUATION_RESULTS])
    assert counted[0]["n"] == 2 * ITEMS
    assert again.id == first.id
    assert len((await service.list_reports(ctx)).items) == 1


async def test_a_run_that_was_cut_off_goes_on_with_what_is_missing(ctx, bench):
    class CutOff(Immediate):
        async def step(self, name, work, returns):
            if name == "chunk 3":
                raise ConnectionError("killed")
            return await super().step(name, work, returns)

    await bench.declare()
    with pytest.raises(ConnectionError):
        await bench.run(machinery=CutOff())
    bench.runs = 0

    assert (await bench.run()).findings.items == ITEMS


async def test_the_started_run_names_the_version_that_it_will_ask(ctx, bench):
    await bench.declare()
    run = await service.start(ctx, "quality")

    assert (run.kind, run.arguments["dataset_version"], run.arguments["started_by"]) == (jobs.KIND, 1, "local:0")
    assert (await runs.get(ctx, run.id)).status == "queued"


async def test_what_would_fail_at_once_is_refused_before_it_is_queued(ctx, bench):
    await bench.declare()
    await bench.declare(changed(dataset="nothing"), "lost")

    with pytest.raises(EvaluationNotFoundError):
        await service.start(ctx, "speed")
    with pytest.raises(DatasetVersionNotFoundError, match="no version 7"):
        await service.start(ctx, "quality", 7)
    with pytest.raises(DatasetNotFoundError, match="nothing"):
        await service.start(ctx, "lost")
    with pytest.raises(ReportNotFoundError):
        await service.get_report(ctx, "rpt_0")
    assert (await runs.list_runs(ctx, kind=jobs.KIND)).items == ()


async def test_a_baseline_that_cannot_run_ends_the_run_with_the_reason(ctx, bench):
    await bench.declare(changed(baseline="big"))

    with pytest.raises(BaselineUnavailableError, match="NOT_SET_URL"):
        await run_immediately(ctx, jobs.JOBS[0], {"evaluation": "quality"})


async def test_one_row_without_references_is_left_out_and_counted(ctx, bench):
    await bench.declare()
    await datasets.add_row_from_trace(ctx, "questions", trace_id="0" * 32, data={"id": "bare", "question": "4"})
    good = (await bench.run()).findings.variants[1]

    assert good.items == ITEMS + 1
    assert (good.metric("hit_at_1").n, good.metric("hit_at_1").not_applicable) == (ITEMS, 1)


# --- comparing ------------------------------------------------------------------------------------------------------


async def test_after_a_row_was_added_shared_items_are_paired_and_the_new_one_listed(ctx, bench):
    await bench.declare()
    before = await bench.run()
    await datasets.add_row_from_trace(ctx, "questions", trace_id="0" * 32, data=question(400))
    after = await bench.run()
    found = await service.compare(ctx, before.id, after.id)

    assert (before.dataset.version, after.dataset.version, found.shared) == (1, 2, ITEMS)
    change = found.changes[0]
    assert (change.variant, change.metric, change.shared, change.change) == ("fair", "hit_at_1", ITEMS, 0.0)
    assert [one.item_id for one in found.new] == ["q400"]
    assert found.new[0].scores["good"]["hit_at_1"] == 0.0
    assert found.gone == found.reworded == ()


async def test_the_same_variant_is_compared_by_name_when_its_code_changed(ctx, bench):
    await bench.declare()
    before = await bench.run()
    bench.code = "def fair(input, tools):\n    return 'no'\n\n\ngood = failing = fair\n"
    await bench.declare()
    after = await bench.run()
    change = (await service.compare(ctx, before.id, after.id)).changes[0]

    assert change.hash_before != change.hash_after
    assert (change.change, change.lower) == (pytest.approx(-0.75), 45)
    assert change.hi < 0


async def test_reports_without_a_common_metric_are_not_compared(ctx, bench):
    await bench.declare()
    before = await bench.run()
    await bench.declare(changed(scorers=("exact",)))
    after = await bench.run()

    with pytest.raises(NotComparableError):
        await service.compare(ctx, before.id, after.id)


async def test_reports_are_listed_newest_first_in_pages(ctx, bench):
    await bench.declare()
    made = [(await bench.run()).id for _ in range(3)]
    first = await service.list_reports(ctx, "quality", limit=2)
    second = await service.list_reports(ctx, "quality", first.next, limit=2)

    assert [one.id for one in (*first.items, *second.items)] == made[::-1]
    assert second.next is None
    assert (await service.list_reports(ctx, "other")).items == ()
