"""From results to findings: what is counted, what is compared, who wins. And one item's way from answer to result."""

import math

import pytest

from flyball.evaluations import reporting
from flyball.evaluations.judging import input_of, judge_item
from flyball.evaluations.records import NOT_APPLICABLE, EvaluationSpec, Item, Result
from flyball.evaluations.reports import DatasetRef, FunctionRef, Report, VariantRef
from flyball.functions import Answer, PassageRef, PinnedVariant
from flyball.kit.clock import FixedClock
from flyball.kit.errors import UnavailableError
from flyball.scorers import SCORERS, Scorer

SPEC = EvaluationSpec(
    function="ask", dataset="questions", scorers=("hit_at_1", "token_f1"), baseline="old", margin=0.05
)
OLD = VariantRef(name="old", kind="rules", hash="sha256:old")
NEW = VariantRef(name="new", kind="rules", hash="sha256:new")


def results(ref, hits, *, failed=(), cost=0, f1=None):
    return [
        Result(
            position=position,
            item_id=f"q{position:03}",
            item_hash=f"sha256:{position}",
            variant=ref.name,
            variant_hash=ref.hash,
            status="failed" if position in failed else "answered",
            error="it broke" if position in failed else "",
            scores={"hit_at_1": float(hit), "token_f1": float(hit) / 2 if f1 is None else f1},
            latency_ns=1_000_000 + position,
            cost_nano_usd=cost,
        )
        for position, hit in enumerate(hits)
    ]


def hits(right, wrong):
    return [1] * right + [0] * wrong


def test_findings_hold_each_variants_means_with_intervals():
    found = reporting.build(SPEC, [OLD, NEW], results(OLD, hits(80, 20)) + results(NEW, hits(90, 10)))
    old = found.variants[0].metric("hit_at_1")

    assert found.items == 100
    assert (old.n, old.mean, old.method) == (100, 0.8, "wilson")
    assert (old.lo, old.hi) == pytest.approx((0.7111708344068411, 0.8666330666689676), abs=1e-9)
    assert found.variants[1].metric("token_f1").method == "bca"
    assert found.variants[0].latency_p50_ns == 1_000_049


def test_findings_compare_each_candidate_with_the_baseline_in_pairs():
    found = reporting.build(SPEC, [OLD, NEW], results(OLD, hits(80, 20)) + results(NEW, hits(90, 10)))
    hit, f1 = found.differences

    assert (hit.variant, hit.baseline, hit.metric, hit.n) == ("new", "old", "hit_at_1", 100)
    assert (hit.mean, hit.higher, hit.lower) == (pytest.approx(0.1), 10, 0)
    assert 0 < hit.lo < 0.1 < hit.hi
    assert hit.p == pytest.approx(2 / 2**10)
    assert hit.p_holm >= hit.p
    assert f1.metric == "token_f1"
    assert 0 < hit.smallest_effect < 0.1


def test_a_better_candidate_passes_and_wins():
    found = reporting.build(SPEC, [OLD, NEW], results(OLD, hits(80, 20)) + results(NEW, hits(90, 10)))

    assert [one.verdict for one in found.judgements] == ["BASELINE", "PASS"]
    assert (found.verdict, found.winner, found.winner_hash) == ("PASS", "new", NEW.hash)


def test_the_baseline_wins_where_no_candidate_passes():
    found = reporting.build(SPEC, [OLD, NEW], results(OLD, hits(90, 10)) + results(NEW, hits(40, 60)))

    assert (found.verdict, found.winner) == ("FAIL", "old")
    assert found.reason.startswith("new: worse than the margin")


def test_a_tie_among_those_that_passed_goes_to_the_cheaper_one():
    dear = VariantRef(name="dear", kind="prompt", hash="sha256:dear")
    answered = results(OLD, hits(80, 20)) + results(dear, hits(95, 5), cost=1000) + results(NEW, hits(95, 5), cost=10)

    assert reporting.build(SPEC, [OLD, dear, NEW], answered).winner == "new"


def test_an_unknown_cost_is_unknown_and_not_zero():
    answered = results(OLD, hits(5, 5)) + results(NEW, hits(5, 5), cost=None)

    assert reporting.build(SPEC, [OLD, NEW], answered).variants[1].cost_nano_usd is None


def test_a_variant_that_cannot_run_is_listed_with_its_reason_and_not_compared():
    off = VariantRef(name="big", kind="prompt", hash="sha256:big", skipped="FAST_URL is not set")
    found = reporting.build(SPEC, [OLD, off], results(OLD, hits(8, 2)))

    assert found.variants[1].variant.skipped == "FAST_URL is not set"
    assert found.variants[1].metrics == ()
    assert (found.verdict, found.reason) == ("INCONCLUSIVE", "no candidate beside the baseline could run")
    assert found.winner == "old"


def test_failed_items_count_against_their_variant_and_are_shown():
    answered = results(OLD, hits(60, 0)) + results(NEW, hits(50, 10), failed=range(50, 60))
    new = reporting.build(SPEC, [OLD, NEW], answered).variants[1]

    assert new.failed == 10
    assert new.failures[0].reason == "it broke"
    assert (new.metric("hit_at_1").n, new.metric("hit_at_1").failed) == (60, 10)
    assert new.metric("hit_at_1").mean == pytest.approx(50 / 60)


def test_a_metric_without_any_score_is_undefined_and_not_zero():
    spec = EvaluationSpec(function="ask", dataset="questions", scorers=("exact",), baseline="old")
    answered = [
        Result(
            position=0,
            item_id="q",
            item_hash="h",
            variant=ref.name,
            variant_hash=ref.hash,
            status="answered",
            unscored={"exact": NOT_APPLICABLE},
        )
        for ref in (OLD, NEW)
    ]
    found = reporting.build(spec, [OLD, NEW], answered)
    metric = found.variants[0].metric("exact")

    assert (metric.n, metric.mean, metric.lo, metric.not_applicable, metric.errors) == (0, None, None, 1, 0)
    assert (found.differences[0].mean, found.differences[0].p) == (None, None)
    assert found.verdict == "INCONCLUSIVE"


def test_findings_are_the_same_whatever_the_order_of_the_results():
    answered = results(OLD, hits(80, 20)) + results(NEW, hits(90, 10))

    assert reporting.build(SPEC, [OLD, NEW], answered) == reporting.build(SPEC, [OLD, NEW], answered[::-1])


def test_a_report_is_sealed_by_a_hash_of_everything_in_it():
    report = Report(
        id="rpt_1",
        project="default",
        evaluation="quality",
        spec=SPEC,
        spec_hash=SPEC.hash,
        run_id="run_1",
        function=FunctionRef(name="ask", version=1, hash="sha256:f"),
        dataset=DatasetRef(name="questions", version=1, version_id="dsv_1", hash="sha256:d"),
        findings=reporting.build(SPEC, [OLD, NEW], results(OLD, hits(80, 20)) + results(NEW, hits(90, 10))),
        created_ns=1,
        created_by="local:0",
    ).sealed()
    forged = Report(**{name: getattr(report, name) for name in Report.__struct_fields__} | {"run_id": "run_2"})

    assert report.content_hash() == report.hash
    assert forged.content_hash() != forged.hash
    assert report.judgement_of(NEW.hash).verdict == "PASS"
    assert report.judgement_of("sha256:other") is None


# --- one item -------------------------------------------------------------------------------------------------------

ITEM = Item(
    position=0,
    id="q1",
    hash="sha256:q1",
    row={"question": "how?", "expected": ["json.loads"], "answer": "json.loads", "id": "q1"},
)
VARIANT = PinnedVariant(
    function="ask", name="new", kind="rules", hash="sha256:new", spec={"input": {"properties": {"question": {}}}}
)
FOUR = [SCORERS[name] for name in ("hit_at_1", "reciprocal_rank", "token_f1", "exact")]


def passage(title):
    return PassageRef(
        chunk_id=title,
        document_id=title,
        title=title,
        document_hash="h",
        start=0,
        end=1,
        score=1.0,
        index_version="ixv",
        dataset_version="dsv",
    )


def answering(answer):
    async def ask(variant, row):
        assert row == {"question": "how?"}
        return answer

    return ask


def failing(error):
    async def ask(variant, row):
        raise error

    return ask


async def judged(ask, scorers=FOUR):
    return await judge_item(ITEM, VARIANT, scorers, ask, FixedClock())


async def test_an_answer_is_judged_by_its_passages_and_its_text():
    passages = tuple(passage(title) for title in ("json.dumps", "json.dumps", "json.loads"))
    found = await judged(answering(Answer(text="the json.loads", passages=passages)))

    assert found.retrieved == ("json.dumps", "json.loads")
    assert found.scores == {"hit_at_1": 0.0, "reciprocal_rank": 0.5, "token_f1": 1.0, "exact": 0.0}


@pytest.mark.parametrize(
    ("error", "reason"),
    [(UnavailableError("the index is away"), "the index is away"), (KeyError("queue"), "KeyError: 'queue'")],
)
async def test_an_item_that_fails_is_a_result_with_its_reason_and_the_lowest_scores(error, reason):
    found = await judged(failing(error))

    assert (found.status, found.error) == ("failed", reason)
    assert set(found.scores.values()) == {0.0}
    assert len(found.scores) == 4


async def test_a_number_that_is_none_of_the_scorers_is_an_error_and_never_a_score():
    def scorer(name, judge):
        return Scorer(name=name, help="", needs="", binary=False, judge=judge)

    odd = [
        scorer("nan", lambda *_: math.nan),
        scorer("infinite", lambda *_: math.inf),
        scorer("large", lambda *_: 1.5),
        scorer("broken", lambda *_: 1 / 0),
        scorer("lacking", lambda *_: None),
    ]
    found = await judged(answering(Answer(text="x")), odd)

    assert found.scores == {}
    assert found.unscored == {
        "nan": "error: nan is no score",
        "infinite": "error: inf is no score",
        "large": "error: 1.5 is outside 0 to 1",
        "broken": "error: ZeroDivisionError: division by zero",
        "lacking": NOT_APPLICABLE,
    }


@pytest.mark.parametrize(
    ("fields", "row", "asked"),
    [
        (["question"], {"question": "q", "answer": "a"}, {"question": "q"}),
        (["question"], {"input": {"question": "q", "top": 1}, "answer": "a"}, {"question": "q", "top": 1}),
        (["input"], {"input": {"x": 1}}, {"input": {"x": 1}}),
        (["question", "topic"], {"question": "q"}, {"question": "q"}),
    ],
)
def test_an_item_asks_its_input_object_or_the_fields_that_the_schema_names(fields, row, asked):
    spec = {"input": {"properties": {name: {} for name in fields}}}

    assert input_of(PinnedVariant(function="f", name="v", kind="rules", hash="h", spec=spec), row) == asked
