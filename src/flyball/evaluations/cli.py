"""`flyball eval`: run an evaluation and see its verdict, look at reports, compare two."""

from typing import Annotated, Any

import msgspec
import typer

from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_hash,
    control,
    exit_code_of_verdict,
    follow_run,
    print_json,
    say,
    segment,
    show_list,
    show_one,
    show_table,
    wants_json,
)

from . import printing
from .reports import Comparison, Report

app = Commands("eval", help="Evaluations: variants judged on a dataset.")

_REPORTS = (
    Column("id"),
    Column("dataset"),
    Column("dataset_version", "version", right=True),
    Column("verdict"),
    Column("winner"),
    Column("hash", reads=as_hash),
    Column("created_ns", "made", as_ago),
)


@app.command("list", permission="evaluations.read")
def list_evaluations() -> None:
    """List the evaluations, by name."""
    columns = (
        Column("name"),
        Column("spec.function", "function"),
        Column("spec.dataset", "dataset"),
        Column("spec.scorers", "scorers", _words),
        Column("spec.baseline", "baseline"),
        Column("updated_ns", "declared", as_ago),
    )
    show_list(
        control().get("/api/evaluations"),
        columns,
        empty="No evaluations yet: declare one under `evaluations:` in flyball.yaml and run `flyball apply`.",
    )


@app.command("run", permission=("evaluations.read", "evaluations.write", "runs.read"))
def run(
    name: str,
    dataset_version: Annotated[int | None, typer.Option(help="The dataset's version; the newest unless given.")] = None,
    continues: Annotated[
        str, typer.Option("--continue", help="A run that failed: ask only what was not answered there.")
    ] = "",
) -> None:
    """Run an evaluation and print its verdict: exit code 0 PASS, 3 FAIL, 4 INCONCLUSIVE."""
    client = control()
    started = client.post(
        f"/api/evaluations/{segment(name)}/runs", {"dataset_version": dataset_version, "continues": continues}
    )
    ended = follow_run(client, started["id"], title=name)
    report = client.get(f"/api/reports/{segment(ended['result']['report_id'])}")
    _print_report(report)
    raise typer.Exit(exit_code_of_verdict(report["findings"]["verdict"]))


@app.command("show", permission="evaluations.read")
def show(
    name: Annotated[str, typer.Argument(help="An evaluation's name, or a report's id.")],
    cursor: Annotated[str, typer.Option(help="Where the page of reports before ended.")] = "",
) -> None:
    """Show a report, or an evaluation with its reports."""
    client = control()
    if name.startswith("rpt_"):
        _print_report(client.get(f"/api/reports/{segment(name)}"))
        return
    evaluation = client.get(f"/api/evaluations/{segment(name)}")
    reports = client.get(f"/api/evaluations/{segment(name)}/reports", cursor=cursor or None)
    if wants_json():
        print_json({"evaluation": evaluation, "reports": reports})
        return
    show_one({"name": evaluation["name"], **evaluation["spec"]})
    say("")
    show_list(reports, _REPORTS, empty=f"No report yet: `flyball eval run {name}` makes one.")


@app.command("compare", permission="evaluations.read")
def compare(
    before: Annotated[str, typer.Argument(help="The earlier report's id.")],
    after: Annotated[str, typer.Argument(help="The later report's id.")],
) -> None:
    """Show what changed from one report to another, paired on the items that both asked."""
    answer = control().get(f"/api/reports/{segment(before)}/comparisons/{segment(after)}")
    if wants_json():
        print_json(answer)
        return
    comparison = msgspec.convert(answer, Comparison)
    show_table(printing.changes_table(comparison))
    for line in printing.new_items_lines(comparison):
        say(line)


@app.command("results", permission="evaluations.read")
def results(
    report_id: str,
    item: Annotated[str, typer.Option(help="The answers to this item only.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Failed answers only.")] = False,
) -> None:
    """List what each variant answered to each item, with its scores."""
    found = control().get(f"/api/reports/{segment(report_id)}/results", item=item or None)
    columns = (
        Column("item_id", "item"),
        Column("variant"),
        Column("status"),
        Column("scores", reads=_scores),
        Column("error"),
        Column("text", "answer", _beginning),
    )
    shown = [one for one in found if one["status"] == "failed"] if failed else found
    show_list(shown, columns, empty="No such answers.")


@app.command("check", permission="evaluations.read")
def check(report_id: str) -> None:
    """Compute a report again from its stored results and say whether it holds."""
    checked = control().get(f"/api/reports/{segment(report_id)}/check")
    show_one(checked)
    if not all(checked[name] for name in ("hash_holds", "results_hold", "findings_hold")):
        raise typer.Exit(1)


def _print_report(answer: Any) -> None:
    if wants_json():
        print_json(answer)
        return
    report = msgspec.convert(answer, Report)
    say(printing.headline(report) + "\n")
    show_table(printing.variants_table(report))
    if report.findings.differences:
        say("")
        show_table(printing.differences_table(report))
    say("")
    for line in printing.verdict_lines(report):
        say(line)


def _words(value: Any) -> str:
    return ", ".join(value or ())


def _scores(value: Any) -> str:
    return ", ".join(f"{name} {score:.3f}" for name, score in (value or {}).items())


def _beginning(value: Any) -> str:
    return str(value or "").replace("\n", " ")[:60]
