"""The points of OTLP's metrics in plain Python and back: five kinds, each with a detail of its own.

What a kind alone has (buckets, quantiles, exemplars) is in `detail`, under the protocol's names; fields that were not set
are left out of it. Knows the messages of metrics; knows nothing of what is measured.
"""

from collections.abc import Iterator
from typing import Any

from flyball.traces.told import PointKind, ToldPoint, ToldResource, ToldScope

from .values import plain_attributes

_KINDS: dict[str, PointKind] = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponential_histogram",
    "summary": "summary",
}


def told_points_of(metric: Any, resource: ToldResource, scope: ToldScope) -> Iterator[ToldPoint]:
    """The points of one metric."""
    which = metric.WhichOneof("data")
    if which is None:
        return
    data, kind = getattr(metric, which), _KINDS[which]
    metadata = plain_attributes(metric.metadata)
    for point in data.data_points:
        detail = _DETAIL[kind](point)
        if metadata:
            detail["metadata"] = metadata
        yield ToldPoint(
            metric.name,
            kind,
            point.time_unix_nano,
            metric.description,
            metric.unit,
            getattr(data, "aggregation_temporality", 0),
            getattr(data, "is_monotonic", False),
            point.start_time_unix_nano,
            _value(point, kind),
            detail,
            plain_attributes(point.attributes),
            point.flags,
            resource,
            scope,
        )


def _value(point: Any, kind: PointKind) -> int | float | None:
    if kind in ("gauge", "sum"):
        return _number(point)
    if kind == "summary":
        total: float = point.sum
        return total
    return point.sum if point.HasField("sum") else None


def _number(point: Any) -> int | float | None:
    which = point.WhichOneof("value")
    return None if which is None else getattr(point, which)


def _of_number(point: Any) -> dict[str, Any]:
    return _exemplars(point)


def _of_histogram(point: Any) -> dict[str, Any]:
    return {
        "count": point.count,
        "bucket_counts": list(point.bucket_counts),
        "explicit_bounds": list(point.explicit_bounds),
        **_extremes(point),
        **_exemplars(point),
    }


def _of_exponential(point: Any) -> dict[str, Any]:
    return {
        "count": point.count,
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
        **{
            side: {"offset": getattr(point, side).offset, "bucket_counts": list(getattr(point, side).bucket_counts)}
            for side in ("positive", "negative")
            if point.HasField(side)
        },
        **_extremes(point),
        **_exemplars(point),
    }


def _of_summary(point: Any) -> dict[str, Any]:
    quantiles = [{"quantile": each.quantile, "value": each.value} for each in point.quantile_values]
    return {"count": point.count, "quantile_values": quantiles}


def _extremes(point: Any) -> dict[str, float]:
    return {name: getattr(point, name) for name in ("min", "max") if point.HasField(name)}


def _exemplars(point: Any) -> dict[str, Any]:
    told = [
        {
            "time_ns": each.time_unix_nano,
            "value": _number(each),
            "trace_id": each.trace_id.hex(),
            "span_id": each.span_id.hex(),
            "attributes": plain_attributes(each.filtered_attributes),
        }
        for each in point.exemplars
    ]
    return {"exemplars": told} if told else {}


_DETAIL = {
    "gauge": _of_number,
    "sum": _of_number,
    "histogram": _of_histogram,
    "exponential_histogram": _of_exponential,
    "summary": _of_summary,
}
