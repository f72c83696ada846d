"""Metric points as OTLP's metrics again: the mirror of `points.py`. Knows the messages of metrics, not what is measured."""

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

from flyball.traces.told import PointKind, ToldPoint

from .values import told_attributes


class Metrics:
    """Puts points into the metrics of their scopes."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[Any, tuple[Any, ...]]] = {}

    def add(self, metrics: Any, point: ToldPoint) -> None:
        """Put a point into the last of a scope's metrics, or into a new one where it says something else of its metric."""
        metadata = point.detail.get("metadata", {})
        says = (point.name, point.kind, point.description, point.unit, point.temporality, point.monotonic, metadata)
        if not metrics or self._last[id(metrics)][1] != says:
            metric = metrics.add(
                name=point.name, description=point.description, unit=point.unit, metadata=told_attributes(metadata)
            )
            data = getattr(metric, point.kind)
            data.SetInParent()
            if point.kind in _TEMPORAL:
                data.aggregation_temporality = point.temporality
            if point.kind == "sum":
                data.is_monotonic = point.monotonic
            self._last[id(metrics)] = (metrics, says)
        getattr(metrics[-1], point.kind).data_points.append(_POINTS[point.kind](point))


def _number(told: ToldPoint) -> Any:
    point = NumberDataPoint(exemplars=_exemplars(told), **_shared(told))
    _set_number(point, told.value)
    return point


def _histogram(told: ToldPoint) -> Any:
    detail = told.detail
    point = HistogramDataPoint(
        count=detail.get("count", 0),
        bucket_counts=detail.get("bucket_counts", []),
        explicit_bounds=detail.get("explicit_bounds", []),
        exemplars=_exemplars(told),
        **_shared(told),
    )
    _set_sum(point, told)
    return point


def _exponential(told: ToldPoint) -> Any:
    detail = told.detail
    point = ExponentialHistogramDataPoint(
        count=detail.get("count", 0),
        scale=detail.get("scale", 0),
        zero_count=detail.get("zero_count", 0),
        zero_threshold=detail.get("zero_threshold", 0.0),
        exemplars=_exemplars(told),
        **{side: detail[side] for side in ("positive", "negative") if side in detail},
        **_shared(told),
    )
    _set_sum(point, told)
    return point


def _summary(told: ToldPoint) -> Any:
    quantiles = told.detail.get("quantile_values", [])
    return SummaryDataPoint(
        count=told.detail.get("count", 0), sum=told.value or 0.0, quantile_values=quantiles, **_shared(told)
    )


def _shared(told: ToldPoint) -> dict[str, Any]:
    return {
        "attributes": told_attributes(told.attributes),
        "start_time_unix_nano": told.start_ns,
        "time_unix_nano": told.time_ns,
        "flags": told.flags,
    }


def _set_sum(point: Any, told: ToldPoint) -> None:
    if told.value is not None:
        point.sum = told.value
    for name in ("min", "max"):
        if name in told.detail:
            setattr(point, name, told.detail[name])


def _exemplars(told: ToldPoint) -> list[Any]:
    return [_exemplar(each) for each in told.detail.get("exemplars", ())]


def _exemplar(told: dict[str, Any]) -> Any:
    exemplar = Exemplar(
        time_unix_nano=told["time_ns"],
        trace_id=bytes.fromhex(told["trace_id"]),
        span_id=bytes.fromhex(told["span_id"]),
        filtered_attributes=told_attributes(told["attributes"]),
    )
    _set_number(exemplar, told["value"])
    return exemplar


def _set_number(point: Any, value: Any) -> None:
    if isinstance(value, int):
        point.as_int = value
    elif value is not None:
        point.as_double = value


_TEMPORAL = frozenset(("sum", "histogram", "exponential_histogram"))
_POINTS: Mapping[PointKind, Callable[[ToldPoint], Any]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
