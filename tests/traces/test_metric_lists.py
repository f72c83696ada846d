"""Metrics that were told are listed by name; one is shown step by step, by what its kind means, and drawn."""

import math
from typing import Any

import pytest

from flyball.infra.context import Context
from flyball.traces import metric_lists, service
from flyball.traces.distributions import Distribution, distribution_of
from flyball.traces.errors import MetricNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.metric_charts import drawn
from flyball.traces.otlp.encoding import points_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.signal_records import Moment, PointFilter
from flyball.traces.told import ToldPoint, ToldResource

STEP = 60 * 1_000_000_000
NOW = 1_763_750_400_000_000_000
SINCE = NOW - 10 * STEP
SHOP = ToldResource(attributes={"service.name": "shop"})


def a_point(step: float, value: float | None = 1.0, **fields: Any) -> ToldPoint:
    basic = {"name": "m", "kind": "gauge", "time_ns": SINCE + int(step * STEP), "value": value, "resource": SHOP}
    return ToldPoint(**(basic | fields))


async def tell(ctx: Context, *points: ToldPoint) -> None:
    assert (await take_request(ctx, "metrics", points_request(points).SerializeToString())).rejected == 0
    await Flusher(ctx).flush()


async def moments(ctx: Context, *points: ToldPoint) -> list[tuple[int, Moment]]:
    """What the only series of the points says, by the number of the step."""
    await tell(ctx, *points)
    found = await service.read_series(ctx, PointFilter(name="m", since_ns=SINCE, until_ns=NOW), steps=10)
    (series,) = found.series
    assert drawn(found)[0].charts
    return [((one.at_ns - SINCE) // STEP, one) for one in series.moments]


async def test_names_are_listed_with_what_they_are_and_how_much_was_told(ctx: Context) -> None:
    await tell(
        ctx,
        a_point(1, name="b", unit="s", description="old"),
        a_point(2, name="b", unit="s", description="new", attributes={"a": 1}),
        a_point(3, name="b", kind="sum", temporality=2),
        a_point(4, name="a", resource=ToldResource()),
        a_point(-5, name="before"),
    )
    wanted = PointFilter(since_ns=SINCE, until_ns=NOW)
    first = await service.list_metrics(ctx, wanted, limit=2)
    rest = await service.list_metrics(ctx, wanted, limit=2, cursor=first.next or "")
    rows = [*first.items, *rest.items]

    assert [(row.name, row.kind, row.unit, row.series, row.points) for row in rows] == [
        ("a", "gauge", "", 1, 1), ("b", "gauge", "s", 2, 2), ("b", "sum", "", 1, 1),
    ]  # fmt: skip
    assert (rows[1].description, rows[1].services, rows[1].newest_ns) == ("new", ("shop",), SINCE + 2 * STEP)
    assert [row.name for row in (await service.list_metrics(ctx, wanted, text="A")).items] == ["a"]


async def test_a_level_is_the_last_of_its_step(ctx: Context) -> None:
    found = await moments(ctx, a_point(0.1, 5), a_point(0.9, 7), a_point(3, -2.5), a_point(4, None))

    assert [(step, one.value) for step, one in found] == [(0, 7.0), (3, -2.5), (4, None)]


async def test_a_sum_that_is_told_as_it_stands_grows_and_begins_anew_with_its_process(ctx: Context) -> None:
    cumulative = {"kind": "sum", "temporality": 2, "monotonic": True, "start_ns": SINCE - STEP}
    again = cumulative | {"start_ns": SINCE + 5 * STEP}
    points = [a_point(step, value, **cumulative) for step, value in ((0, 100), (1, 130), (3, 150), (4.9, 160))]

    found = await moments(ctx, *points, a_point(5.5, 4, **again), a_point(6, 10, **again))

    assert [(step, one.value) for step, one in found] == [(1, 30), (3, 20), (4, 10), (5, 4), (6, 6)]


async def test_a_sum_of_changes_is_added_up(ctx: Context) -> None:
    delta = {"kind": "sum", "temporality": 1, "monotonic": True}
    points = [a_point(number / 4, 2, start_ns=SINCE + number, **delta) for number in range(8)]

    assert [(step, one.value) for step, one in await moments(ctx, *points)] == [(0, 8), (1, 8)]


def a_histogram(step: float, counts: list[int], total: float, **fields: Any) -> ToldPoint:
    detail = {"count": sum(counts), "bucket_counts": counts, "explicit_bounds": [1.0, 2.0]}
    return a_point(step, total, kind="histogram", detail=detail, **fields)


async def test_a_histogram_tells_count_sum_and_quantiles_of_each_step(ctx: Context) -> None:
    cumulative = {"temporality": 2, "start_ns": SINCE - STEP}
    found = await moments(
        ctx, a_histogram(0, [5, 5, 0], 10.0, **cumulative), a_histogram(1, [5, 15, 0], 25.0, **cumulative)
    )

    ((step, one),) = found
    assert (step, one.count, one.sum) == (1, 10, 15.0)
    assert [(each.quantile, each.value) for each in one.quantiles] == [
        (0.5, 1.5), (0.95, pytest.approx(1.95)), (0.99, pytest.approx(1.99)),
    ]  # fmt: skip


async def test_histograms_of_changes_are_put_together(ctx: Context) -> None:
    found = await moments(
        ctx, a_histogram(0.2, [1, 0, 0], 0.5, temporality=1), a_histogram(0.8, [0, 3, 0], 4.5, temporality=1)
    )

    assert [(step, one.count, one.sum) for step, one in found] == [(0, 4, 5.0)]


async def test_an_exponential_histogram_is_read_by_powers_of_its_base(ctx: Context) -> None:
    detail = {
        "count": 8,
        "scale": 0,
        "zero_count": 0,
        "zero_threshold": 0.0,
        "positive": {"offset": 2, "bucket_counts": [8]},
    }
    point = a_point(1, 48.0, kind="exponential_histogram", temporality=1, detail=detail)

    ((_, one),) = await moments(ctx, point)

    assert one.quantiles[0].value == pytest.approx(math.sqrt(4 * 8))


async def test_a_summary_is_shown_as_its_process_told_it(ctx: Context) -> None:
    told = [{"quantile": 0.5, "value": 1.5}, {"quantile": 0.9, "value": math.nan}]
    ((_, one),) = await moments(ctx, a_point(1, 9.0, kind="summary", detail={"count": 4, "quantile_values": told}))

    assert (one.count, one.sum, [(each.quantile, each.value) for each in one.quantiles]) == (4, 9.0, [(0.5, 1.5)])


async def test_series_are_apart_by_attributes_and_process_and_the_rest_are_counted(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric_lists, "MOST_SERIES", 3)
    await tell(ctx, *(a_point(number, attributes={"n": number}) for number in range(8)))

    found = await service.read_series(ctx, PointFilter(name="m", since_ns=SINCE, until_ns=NOW), steps=10)

    assert [series.attributes for series in found.series] == [{"n": 7}, {"n": 6}, {"n": 5}]
    assert found.hidden == 5


async def test_histograms_with_very_many_buckets_and_scales_cost_little(ctx: Context, costs_at_most: Any) -> None:
    points = [
        a_point(
            number / 100,
            1.0,
            kind="exponential_histogram",
            temporality=1 + number % 2,
            detail={
                "count": 1,
                "scale": number % 40 - 20,
                "zero_count": 0,
                "zero_threshold": 0.0,
                "positive": {"offset": -(2**31) + number, "bucket_counts": [1] * 20_000},
            },
        )
        for number in range(100)
    ]
    await tell(ctx, *points)

    with costs_at_most(60):
        found = await service.read_series(ctx, PointFilter(name="m", since_ns=SINCE, until_ns=NOW), steps=500)

    assert len(found.series) == 2


async def test_a_metric_that_was_not_told_of_is_not_found(ctx: Context) -> None:
    await tell(ctx, a_point(1))

    with pytest.raises(MetricNotFoundError, match="nothing"):
        await service.read_series(ctx, PointFilter(name="nothing", since_ns=SINCE, until_ns=NOW), steps=10)


def test_distributions_of_other_scales_are_put_together_by_the_coarser_one() -> None:
    fine = Distribution(count=4, sum=1.0, scale=1, indexes={(1, 4): 2, (1, 5): 2})
    coarse = Distribution(count=1, sum=1.0, scale=0, indexes={(1, 2): 1})

    together = fine.plus(coarse)

    assert (together.count, together.scale, dict(together.indexes)) == (5, 0, {(1, 2): 5})


def test_very_many_buckets_are_read_as_fewer_that_tell_the_same() -> None:
    counts = [0] * 5_000 + [10] + [0] * 5_000
    many = distribution_of(
        "exponential_histogram", None, {"count": 10, "scale": 12, "positive": {"offset": -7, "bucket_counts": counts}}
    )

    assert len(many.indexes) == 1
    assert many.quantile(0.5) == pytest.approx(2 ** ((5_000 - 7) / 2**12), rel=0.01)


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("histogram", {"count": 3, "bucket_counts": [1, 2], "explicit_bounds": [5.0, 1.0]}),
        ("histogram", {"count": 3, "bucket_counts": [], "explicit_bounds": []}),
        ("histogram", {"count": 2**64 - 1, "bucket_counts": [2**64 - 1, 1], "explicit_bounds": [math.inf]}),
        ("histogram", {"count": 1, "bucket_counts": [1, 0], "explicit_bounds": [math.nan], "min": math.nan, "max": -math.inf}),
        ("exponential_histogram", {"count": 1, "scale": -(2**31), "positive": {"offset": 2**31 - 1, "bucket_counts": [1, 1]}}),
        ("exponential_histogram", {"count": 1, "scale": 2**31 - 1, "negative": {"offset": -(2**31), "bucket_counts": [1, 1]}}),
        ("exponential_histogram", {"count": 1, "scale": -(2**31), "positive": {"offset": 2**31 - 1, "bucket_counts": [2**64 - 1] * 900}}),
        ("exponential_histogram", {}),
    ],
)  # fmt: skip
def test_no_odd_distribution_stops_who_reads_it(kind: str, detail: dict[str, Any]) -> None:
    odd = distribution_of(kind, math.nan, detail)
    other = distribution_of(kind, None, {"count": 1, "scale": 3, "positive": {"offset": 0, "bucket_counts": [4]}})

    for one in (odd, odd.plus(other), other.minus(odd), odd.plus(odd)):
        values = [one.quantile(share) for share in (0.0, 0.5, 0.99, 1.0)]
        assert all(value is None or math.isfinite(value) for value in values)


async def test_metrics_are_read_over_http_and_on_pages(ctx: Context, admin: Any, public: Any) -> None:
    now_ns = ctx.clock.now_ns()
    name = "a/b <i>"
    points = [a_point(0, number, name=name, time_ns=now_ns - number * STEP) for number in range(5)]
    await tell(ctx, *points, a_histogram(0, [1, 2, 0], 3.0, name="h", temporality=1, time_ns=now_ns))
    listed = (await admin.get("/api/metrics")).json()["items"]
    series = await admin.get(
        f"/api/metrics/series?name=a%2Fb%20%3Ci%3E&steps=10&since_ns={now_ns - 10 * STEP}&until_ns={now_ns}"
    )
    page = (await admin.get("/measurements")).text
    one = (await admin.get("/measurements/a%2Fb%20%3Ci%3E?last=1h")).text

    assert [row["name"] for row in listed] == [name, "h"]
    assert len(series.json()["series"][0]["moments"]) == 5
    assert "/measurements/a%2Fb%20%3Ci%3E?last=24h" in page
    assert "a/b &lt;i&gt;" in one
    assert "<polyline" in one
    assert "% below" in (await admin.get("/measurements/h")).text
    assert "Nothing in the last hour" in (await admin.get("/measurements/nothing?last=1h")).text
    assert (await admin.get("/api/metrics/series?name=nothing")).status == 404
    assert len((await admin.get("/api/metrics/series?name=h&steps=1000000")).json()["series"]) == 1
    assert (await public.get("/api/metrics")).status == 401
