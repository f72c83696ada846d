"""Figures as the text that Prometheus reads (0.0.4), and as OpenMetrics 1.0 for whoever asks for that. Pure.

Knows families, samples and how they are written; knows no figure. Own, since a library would keep the figures too, and ours
are kept by the processes that they are of.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Sample(NamedTuple):
    """One number and what it is of."""

    value: float
    labels: Mapping[str, str] = {}


class Family(NamedTuple):
    """What is measured. The name of a counter is without `_total`, which is added where it is written."""

    name: str
    kind: Literal["counter", "gauge", "info"]
    help: str
    samples: tuple[Sample, ...]


def family(name: str, kind: Literal["counter", "gauge", "info"], help_: str, samples: Iterable[Sample]) -> Family:
    """A family of samples that may be none."""
    return Family(name, kind, help_, tuple(samples))


def wants_open_metrics(accept: str) -> bool:
    """Whether a request prefers OpenMetrics: it names it, and does not rate it below plain text."""
    rates: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        rate = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            rates[kind] = float(rate)
        except ValueError:
            rates[kind] = 0.0
    wanted = rates.get("application/openmetrics-text", 0.0)
    return wanted > 0 and wanted >= rates.get("text/plain", 0.0)


def write(families: Iterable[Family], *, open_metrics: bool = False) -> str:
    """The families that have samples, as text."""
    lines: list[str] = []
    for each in families:
        if each.samples:
            lines += _family(each, open_metrics=open_metrics)
    if open_metrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _family(each: Family, *, open_metrics: bool) -> Iterable[str]:
    ending = {"counter": "_total", "info": "_info"}.get(each.kind, "")
    kind = each.kind if open_metrics or each.kind != "info" else "gauge"
    name = each.name if open_metrics else each.name + ending
    yield f"# HELP {name} {_help(each.help, open_metrics=open_metrics)}"
    yield f"# TYPE {name} {kind}"
    for sample in each.samples:
        labels = ",".join(f'{label}="{_value(value)}"' for label, value in sample.labels.items())
        yield f"{each.name}{ending}{'{' + labels + '}' if labels else ''} {_number(sample.value)}"


def _number(value: float) -> str:
    if value != value:  # noqa: PLR0124 -- the one number that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str, *, open_metrics: bool) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if open_metrics else escaped
