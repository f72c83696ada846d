"""Reports and comparisons as tables in a terminal. Knows rich and the records; computes nothing."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from flyball.kit.hashing import short
from flyball.kit.money import format_usd

from .reports import Comparison, Difference, Judgement, Metric, Report, VariantReport

_COLOURS = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "BASELINE": "dim"}


def variants_table(report: Report) -> Table:
    """A line per variant: its verdict and each metric's mean with its 95 % interval."""
    table = _table("variant", "verdict", *report.spec.scorers, "failed", "p50", "cost")
    judged = {one.variant: one for one in report.findings.judgements}
    for variant in report.findings.variants:
        if variant.variant.skipped:
            table.add_row(
                Text(variant.variant.name), Text("skipped", style="dim"), Text(variant.variant.skipped, style="dim")
            )
            continue
        table.add_row(
            Text(variant.variant.name),
            _verdict(judged.get(variant.variant.name)),
            *(Text(_mean(variant.metric(name))) for name in report.spec.scorers),
            Text(f"{variant.failed} of {variant.items}"),
            Text(_milliseconds(variant)),
            Text("unknown" if variant.cost_nano_usd is None else format_usd(variant.cost_nano_usd)),
        )
    return table


def differences_table(report: Report) -> Table:
    """A line per candidate and metric: the paired difference to the baseline, and what the design could have seen."""
    table = _table(
        f"minus {report.spec.baseline}", "metric", "difference", "items", "higher/lower", "p (Holm)", "smallest effect"
    )
    for one in report.findings.differences:
        primary = " *" if one.metric == report.spec.primary_metric else ""
        table.add_row(
            Text(one.variant),
            Text(one.metric + primary),
            Text(_signed(one.mean, one.lo, one.hi)),
            Text(str(one.n)),
            Text(f"{one.higher}/{one.lower}"),
            Text(_p(one.p_holm)),
            Text(_number(one.smallest_effect)),
        )
    return table


def verdict_lines(report: Report) -> list[str]:
    """A sentence per candidate, and the last line: the verdict and the winner."""
    lines = [
        f"{one.variant}: {one.verdict} - {one.reason}"
        for one in report.findings.judgements
        if one.verdict != "BASELINE"
    ]
    primary = _primary_of(report)
    lines.extend(
        f"{one.variant}: {one.metric} {_signed(one.mean, one.lo, one.hi)} against {one.baseline}, margin "
        f"{report.spec.margin:g}, n = {one.n}; smallest effect that 80 % power could see: {_number(one.smallest_effect)}"
        for one in primary
    )
    lines.extend(
        f"note: {one.variant} is lower on {one.metric}, {_signed(one.mean, one.lo, one.hi)}, p (Holm) {_p(one.p_holm)}"
        for one in report.findings.differences
        if one not in primary and one.mean is not None and one.mean < 0 and one.p_holm is not None and one.p_holm < 0.05
    )
    lines.append(f"verdict: {report.findings.verdict}; winner: {report.findings.winner}")
    return lines


def headline(report: Report) -> str:
    """What was evaluated on what, and the report's names."""
    return (
        f"{report.evaluation}: {report.function.name} version {report.function.version} on {report.dataset.name} "
        f"version {report.dataset.version}, {report.findings.items} items\n"
        f"report {report.id} ({short(report.hash)})"
    )


def changes_table(comparison: Comparison) -> Table:
    """A line per variant and metric: before, after, and the paired change on the items that both asked."""
    table = _table("variant", "metric", "before", "after", "change on shared items", "items", "higher/lower", "p")
    for one in comparison.changes:
        table.add_row(
            Text(one.variant),
            Text(one.metric),
            Text(_number(one.mean_before)),
            Text(_number(one.mean_after)),
            Text(_signed(one.change, one.lo, one.hi)),
            Text(str(one.shared)),
            Text(f"{one.higher}/{one.lower}"),
            Text(_p(one.p)),
        )
    return table


def new_items_lines(comparison: Comparison) -> list[str]:
    """What the later report asked besides, with its scores; what it no longer asked; what was reworded."""
    lines = [f"{comparison.shared} items in both, {len(comparison.new)} new, {len(comparison.gone)} gone"]
    for item in comparison.new:
        lines.append(f"new: {item.item_id}")
        lines.extend(
            f"  {variant}: " + ", ".join(f"{metric} {score:.3f}" for metric, score in scores.items())
            for variant, scores in sorted(item.scores.items())
        )
    lines.extend(f"gone: {item}" for item in comparison.gone)
    lines.extend(f"reworded, not compared: {item}" for item in comparison.reworded)
    return lines


def _primary_of(report: Report) -> Sequence[Difference]:
    return [one for one in report.findings.differences if one.metric == report.spec.primary_metric]


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _verdict(judgement: Judgement | None) -> Text:
    if judgement is None:
        return Text("")
    word = "PASS, better" if judgement.better else judgement.verdict
    return Text(word, style=_COLOURS[judgement.verdict])


def _mean(metric: Metric | None) -> str:
    if metric is None or metric.mean is None:
        return "undefined"
    interval = "" if metric.lo is None or metric.hi is None else f" [{metric.lo:.3f}, {metric.hi:.3f}]"
    errors = f" {metric.errors} scorer errors" if metric.errors else ""
    return f"{metric.mean:.3f}{interval}{errors}"


def _signed(mean: float | None, lo: float | None, hi: float | None) -> str:
    if mean is None:
        return "undefined"
    return f"{mean:+.4f}" + ("" if lo is None or hi is None else f" [{lo:+.4f}, {hi:+.4f}]")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _p(value: float | None) -> str:
    return "undefined" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _milliseconds(variant: VariantReport) -> str:
    return "" if variant.latency_p50_ns is None else f"{variant.latency_p50_ns / 1e6:.1f} ms"
