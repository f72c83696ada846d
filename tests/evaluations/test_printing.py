"""A report in a terminal: what stands in its lines."""

from flyball.evaluations import printing, reporting
from flyball.evaluations.records import EvaluationSpec, Result
from flyball.evaluations.reports import DatasetRef, FunctionRef, Report, VariantRef

SPEC = EvaluationSpec(function="ask", dataset="questions", scorers=("hit_at_5", "token_f1"), baseline="old")
OLD, NEW = (VariantRef(name=name, kind="rules", hash=f"sha256:{name}") for name in ("old", "new"))


def result(ref, position, f1):
    return Result(
        position=position,
        item_id=f"q{position}",
        item_hash="h",
        variant=ref.name,
        variant_hash=ref.hash,
        status="answered",
        scores={"hit_at_5": 1.0, "token_f1": f1},
    )


def test_a_winner_that_is_worse_at_something_else_is_told_so():
    answered = [result(OLD, n, 0.8 + n % 5 / 100) for n in range(100)] + [result(NEW, n, 0.4) for n in range(100)]
    report = Report(
        id="rpt_1",
        project="default",
        evaluation="quality",
        spec=SPEC,
        spec_hash=SPEC.hash,
        run_id="run_1",
        function=FunctionRef(name="ask", version=1, hash="sha256:f"),
        dataset=DatasetRef(name="questions", version=1, version_id="dsv_1", hash="sha256:d"),
        findings=reporting.build(SPEC, [OLD, NEW], answered),
        created_ns=1,
        created_by="local:0",
    ).sealed()

    lines = printing.verdict_lines(report)
    assert lines[0] == "new: PASS - not worse than the margin: at least +0.0000, allowed -0.02"
    assert lines[2].startswith("note: new is lower on token_f1, -0.4200 [")
    assert lines[3] == "verdict: PASS; winner: new"
