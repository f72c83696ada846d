"""What the works' applications told by OpenTelemetry beside traces: log records and metrics, some that nobody means well by."""

import random

from flyball.traces import service
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request, points_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.told import ToldLog, ToldPoint, ToldResource, ToldScope

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
MARKUP = '<script>document.title="taken over"</script><img src=x onerror="document.title=\'taken over\'">'
MARKDOWN = "![a picture](http://pictures.invalid/pixel.png) [press here](javascript:alert(1))"
ANSI = "\x1b[31mred\x1b[0m\x07 \u202egnirts"
UNBROKEN = "a-name-that-nobody-broke-" * 8


async def hear(works):
    """Log records of two days, some of a trace, some that nobody means well by; metrics of every kind."""
    chance, now_ns = random.Random(5), works.ctx.clock.now_ns()
    crew = ToldResource(attributes={"service.name": "crew-app", "host.name": "boiler-house"})
    scope = ToldScope(name="crew.stoking", version="2.1")
    logs = []
    for number in range(160):
        severity, text, said = chance.choice(SAID)
        logs.append(
            ToldLog(
                time_ns=now_ns - int(number * 0.3 * HOUR) - 40 * SECOND,
                severity=severity,
                severity_text=text,
                body=said,
                attributes={"valve": number % 9, "shift": "night"} if number % 3 else {},
                resource=crew,
                scope=scope,
            )
        )
    of = {"trace_id": works.traces["application"], "resource": crew, "scope": scope}
    (root,) = [node.span for node in (await service.get_trace(works.ctx, of["trace_id"])).nodes if node.depth == 0]
    of["span_id"] = root.span_id
    logs += [
        ToldLog(time_ns=root.start_ns + number * SECOND // 5, severity=9, body=f"looked at gauge {number + 1}", **of)
        for number in range(4)
    ]
    logs.append(ToldLog(time_ns=root.start_ns, body={"content": MARKUP}, event_name="gen_ai.user.message", **of))
    hostile = {
        "attributes": {MARKUP: ANSI, UNBROKEN: [MARKDOWN]},
        "resource": ToldResource(attributes={"service.name": UNBROKEN}),
    }
    logs += [
        ToldLog(time_ns=now_ns - HOUR, severity_text=UNBROKEN, body=MARKUP + UNBROKEN, event_name=UNBROKEN, **hostile),
        ToldLog(time_ns=0, observed_ns=now_ns - HOUR, severity=24, body="long " * 9_000, **hostile),
    ]
    await take_request(works.ctx, "logs", logs_request(logs).SerializeToString())
    await take_request(works.ctx, "metrics", points_request(measured(crew, now_ns)).SerializeToString())
    await Flusher(works.ctx).flush()


SAID = [
    (9, "INFO", "the fire is up"), (9, "INFO", "shovelled 40 kg of coal"), (5, "DEBUG", {"gauge": 7, "bar": 8.25}),
    (13, "WARN", "the water stands low: a hand above the lower nut, and the feed pump does not draw; opened the second cock to be safe"),
    (17, "ERROR", "the safety valve lifted at 11 bar"), (0, "", "nobody said how bad"),
]  # fmt: skip


def measured(resource, now_ns):
    """A day of points, minute by minute: pressure, coal, how long shovelling took, and what nobody means well by."""
    chance, points = random.Random(6), []
    begin_ns = now_ns - 24 * HOUR
    coal, counts, total = 0, [0] * 6, 0.0
    for minute in range(0, 24 * 60, 2):
        time_ns = begin_ns + minute * 60 * SECOND
        if 500 < minute < 640:
            continue  # the works stood still
        here = {"time_ns": time_ns, "resource": resource}
        grown = here | {"start_ns": begin_ns, "temporality": 2}
        coal += chance.randint(0, 40)
        took = [chance.lognormvariate(0, 0.8) for _ in range(6)]
        total += sum(took)
        for one in took:
            counts[sum(one > bound for bound in BOUNDS)] += 1
        detail = {"count": sum(counts), "bucket_counts": list(counts), "explicit_bounds": list(BOUNDS)}
        points.append(
            ToldPoint(
                "boiler.pressure",
                "gauge",
                unit="bar",
                description="At the drum.",
                value=7 + 2 * chance.random(),
                **here,
            )
        )
        points.append(ToldPoint("coal.burnt", "sum", unit="kg", monotonic=True, value=coal, **grown))
        points.append(ToldPoint("shovel.duration", "histogram", unit="s", value=total, detail=detail, **grown))
        quantiles = [{"quantile": share, "value": 1 + share + chance.random() / 4} for share in (0.5, 0.9, 0.99)]
        points.append(
            ToldPoint(
                "letter.age", "summary", unit="d", value=9.0, detail={"count": 4, "quantile_values": quantiles}, **here
            )
        )
        valves = range(3 if minute % 6 == 0 else 0)
        points += [
            ToldPoint("valve.lift", "gauge", unit="mm", value=chance.gauss(0, 3), attributes={"valve": valve}, **here)
            for valve in valves
        ]
    odd = {
        "resource": ToldResource(attributes={"service.name": UNBROKEN, "host.name": MARKUP}),
        "time_ns": now_ns - HOUR,
    }
    points.append(
        ToldPoint(
            UNBROKEN,
            "gauge",
            unit=MARKUP,
            description=MARKDOWN + MARKUP,
            value=float("inf"),
            attributes={MARKUP: ANSI},
            **odd,
        )
    )
    points.append(ToldPoint(MARKUP, "sum", value=1e308, unit=UNBROKEN, **odd))
    return points


BOUNDS = (0.25, 0.5, 1.0, 2.5, 5.0)
