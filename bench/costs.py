"""How long the questions behind the costs page take over ten million ledger entries, against 200 ms each and for the page.

python bench/costs.py [--entries 10000000] [--out bench/results/costs.json]

An embedded PostgreSQL is filled by one statement: 90 days with weekdays and hours, 40 keys, 12 functions of two variants, 10 models,
a team and an environment as tags, and attempts that failed, were cancelled or retried. The sums are derived by the code that repairs
them, and checked by that which checks them if --check is said. Then each verb is asked as the page asks it: server time, one after
the other, with the answer as JSON; the page is all of them at once. The first answer, from a cold cache, is told apart; so is the
processor time of both, ours and PostgreSQL's (in ticks of 10 ms), which says the same on a busy machine. It is asked at the last hour of the entries, 13:00 of the last day, whenever it runs: then half of both days at the ends of a window is outside.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from flyball.costs import exporting, service
from flyball.costs.asking import BYS
from flyball.costs.records import Filters, Window
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Database, execute, fetch_one
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import FixedClock, SystemClock
from flyball.ledger import checking, sum_store
from flyball.settings import Settings
from ledger import seconds_of

LIMIT_MS = 200.0
DAYS = 90
LAST_HOUR = 13
TABLES = (
    "ledger", "ledger_hours", "ledger_days", "ledger_day_models", "ledger_day_keys", "ledger_tag_hours", "ledger_tag_days", "ledger_day_tags",
)  # fmt: skip
ROUNDS = 9
# Chances are a hash of the number of the call, so that a call of a function and what it asked of a model have the same.
FILL = """
    insert into ledger (
        id, project, organisation, at_ns, settled_ns, trace_id, key_id, member, function, variant, release, model, provider, upstream_model,
        tags, state, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, audio_input_tokens, output_tokens,
        reasoning_tokens, audio_output_tokens, web_searches, estimated, nano_usd, price_version, requests, charges
    )
    select to_hex(i), 'default', 'default', at_ns, at_ns, to_hex(n), 'key_' || k, null,
        case when called then 'function_' || f end, case when called then 'v' || v end, case when called then 'rel_' || f || '_' || week %% 4 end,
        case when not outer_ then 'model_' || m end, case when not outer_ then 'provider_' || m %% 3 end, null,
        array['team_' || k %% 8, case when k %% 5 = 0 then 'dev' else 'prod' end], state,
        case when outer_ then 0 else input end, case when outer_ then 0 else input / 2 end, 0, 0, 0, case when outer_ then 0 else input / 8 end,
        0, 0, 0, state = 'cancelled', case when outer_ then 0 else input * (50 + 20 * m)::bigint end,
        case when not outer_ then 'declared:' || m end, case when called and not outer_ then 0 else 1 end, '[]'
    from (
        select *, called and i %% 2 = 0 as outer_, (k * 3 + pick %% 3) %% 12 as f, case when pick %% 10 < 8 then 0 else 1 end as v,
            case when called then (((k * 3 + pick %% 3) %% 12) + case when pick %% 10 < 8 then 0 else 5 end) %% 10 else pick %% 10 end as m,
            case when dice < 950 then 'complete' when dice < 970 then 'failed' when dice < 990 then 'cancelled' else 'retried' end as state
        from (
            select i, n, n %% 10 < 7 as called, day / 7 as week, 100 + abs(h3) %% 4000 as input, abs(h2) %% 1000 as dice,
                abs(h3 / 7) %% 1000 as pick, (abs(h2 / 1000) %% 40 * (abs(h2 / 100000) %% 40)) / 40 as k,
                %(since)s::bigint + (day - case when day %% 7 > 4 and h1 %% 2 = 0 then 2 else 0 end) * 86400000000000
                    + (6 + abs(h1 / 1000) %% case when day = %(days)s - 1 then 7 else 16 end) * 3600000000000 + abs(h1 / 100000) %% 3600 * 1000000000 as at_ns
            from (
                select i, i / 2 as n, 2 + abs(hashint8extended(i / 2, 1)) %% (%(days)s - 2) as day, hashint8extended(i / 2, 2) as h1,
                    hashint8extended(i / 2, 3) as h2, hashint8extended(i / 2, 4) as h3
                from generate_series(%(start)s::bigint, %(end)s::bigint) as i
            ) as chances
        ) as named
    ) as made
"""


async def measure(entries: int, *, check: bool, data: Path | None) -> dict[str, Any]:
    """What filling, summing and asking took; what is in a folder that was kept is asked again."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as made_here:
        folder = data or Path(made_here)
        server = EmbeddedPostgres(folder / "pg", Path(made_here) / "run", durable=False)
        database = Database(server.start(), most=8)
        try:
            await database.open()
            await migrate(database)
            ctx = context(database, folder)
            made = await kept(ctx, folder / "filled.json", entries)
            now_ns = made["since_ns"] + (DAYS - 1) * sum_store.DAY_NS + LAST_HOUR * sum_store.HOUR_NS - 1
            ctx = replace(ctx, clock=FixedClock(now_ns))
            if check:
                found = await checking.check(ctx)
                made["adds_up"] = found.ok
            return made | {"rows": await ask(ctx, server)}
        finally:
            await database.close()
            server.stop()


def context(database: Database, folder: Path) -> Context:
    """The operator's, in the first project."""
    layout = Layout(folder / "data")
    layout.create()
    settings = Settings(data=str(folder / "data"))
    return Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=SystemClock(),
        settings=settings,
        keyring=Keyring(settings, layout, SystemClock()),
        project="default",
        actor=Actor(id="local:0", kind="local", name="bench"),
    )


async def kept(ctx: Context, note: Path, entries: int) -> dict[str, Any]:
    """What was filled before, or is now."""
    found = _noted(note) or await fill(ctx, entries)
    _note(note, found)
    return found


def _noted(note: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(note.read_text()) if note.exists() else {}
    return found


def _note(note: Path, found: dict[str, Any]) -> None:
    note.write_text(json.dumps(found))


async def fill(ctx: Context, entries: int) -> dict[str, Any]:
    """Entries, and the sums of all hours and days that they lie in."""
    since = ctx.clock.now_ns() // sum_store.DAY_NS * sum_store.DAY_NS - (DAYS - 1) * sum_store.DAY_NS
    begun = time.monotonic()
    async with ctx.db.owner_connection() as connection:
        await connection.execute("select set_config('flyball.project', '*', false)")
        await connection.execute(FILL, {"since": since, "days": DAYS, "start": 0, "end": entries - 1})
        await execute(connection, "analyze ledger")
    filled = time.monotonic()
    hours = tuple(range(since, since + DAYS * sum_store.DAY_NS, sum_store.HOUR_NS))
    async with ctx.db.across_projects().transaction() as connection:
        await execute(connection, "set local work_mem = '256MB'")
        await sum_store.sum_again(connection, ctx.project, sum_store.Periods(hours, hours[::24]))
    async with ctx.db.owner_connection() as connection:
        counts = {}
        for table in TABLES:
            await connection.execute(f"vacuum analyze {table}")
            counts[table] = ((await fetch_one(connection, f"select count(*) as n from {table}")) or {})["n"]
    return {
        "since_ns": since,
        "counts": counts,
        "fill_seconds": filled - begun,
        "sum_seconds": time.monotonic() - filled,
    }


async def ask(ctx: Context, server: EmbeddedPostgres) -> list[dict[str, Any]]:
    """A row per question, in milliseconds."""
    month = service.window_of(ctx, last="30d")
    quarter = service.window_of(ctx, last="90d")
    page: dict[str, Callable[[], Awaitable[object]]] = {
        "spend, 30 days, by model": lambda: service.spend(ctx, month),
        "movers, 30 days, by model": lambda: service.movers(ctx, month),
        "forecast": lambda: service.forecast(ctx),
        "units, 30 days": lambda: service.units(ctx, month),
        "savings, 30 days": lambda: service.savings(ctx, month),
    }
    beside: dict[str, Callable[[], Awaitable[object]]] = {
        "spend, 90 days, by key": lambda: service.spend(ctx, quarter, "key"),
        "spend, 90 days, by tag": lambda: service.spend(ctx, quarter, "tag"),
        "spend, 30 days, of one function": lambda: service.spend(ctx, month, "key", Filters(function="function_3")),
        "spend, 24 hours, by function": lambda: service.spend(ctx, service.window_of(ctx, last="24h"), "function"),
        "movers, 30 days, by function": lambda: service.movers(ctx, month, "function"),
        "chargeback, 30 days, by tag": lambda: service.chargeback(ctx, month, "tag"),
    }

    async def whole(by: str, window: Window, filters: Filters) -> list[object]:
        """As the page asks: at once."""
        spent, moved = service.spend(ctx, window, by, filters), service.movers(ctx, window, by, filters)
        units = service.units(ctx, window, function=filters.function)
        return list(
            await asyncio.gather(
                spent, moved, service.forecast(ctx, filters=filters), units, service.savings(ctx, window)
            )
        )

    pages = {f"the page, 30 days, by {by}": (by, month, Filters()) for by in BYS}
    pages |= {
        "the page, 90 days, by key": ("key", quarter, Filters()),
        "the page, 90 days, by tag": ("tag", quarter, Filters()),
        "the page, 30 days, by key of a function": ("key", month, Filters(function="function_3")),
        "the page, 30 days, by model of a tag": ("model", month, Filters(tag="prod")),
        "the page, 30 days, by key of a tag": ("key", month, Filters(tag="prod")),
        "the page, 30 days, by key of a state": ("key", month, Filters(state="complete")),
    }
    rows = [await timed(server, name, verb, on_page=True) for name, verb in page.items()]
    for name, asked in pages.items():
        rows.append(await timed(server, name, lambda asked=asked: whole(*asked), on_page=True))
    rows += [await timed(server, name, verb, on_page=False) for name, verb in beside.items()]
    rows.append(await exported(ctx))
    return rows


async def timed(
    server: EmbeddedPostgres, name: str, verb: Callable[[], Awaitable[object]], *, on_page: bool
) -> dict[str, Any]:
    """The first time it is asked, then the median and the worst of nine."""
    taken, busy = [], 0.0
    for _ in range(ROUNDS + 1):
        if len(taken) == 1:
            busy = time.process_time() + seconds_of(server)
        begun = time.perf_counter()
        msgspec.json.encode(await verb())
        taken.append((time.perf_counter() - begun) * 1_000)
    row = {
        "what": name,
        "page": on_page,
        "first_ms": taken[0],
        "ms": statistics.median(taken[1:]),
        "worst_ms": max(taken[1:]),
        "processor_ms": (time.process_time() + seconds_of(server) - busy) * 1_000 / ROUNDS,
    }
    print(
        f"{name:40} {row['ms']:8.1f} ms   first {row['first_ms']:8.1f}   worst {row['worst_ms']:8.1f}   processor {row['processor_ms']:6.0f}",
        flush=True,
    )
    return row


async def exported(ctx: Context) -> dict[str, Any]:
    """The month as FOCUS, once."""
    begun, size = time.perf_counter(), 0
    async for part in await exporting.export(ctx, service.window_of(ctx, last="30d"), "focus"):
        size += len(part)
    taken = (time.perf_counter() - begun) * 1_000
    print(f"{'export, 30 days, FOCUS':40} {taken:8.1f} ms   {size:,} bytes", flush=True)
    return {
        "what": "export, 30 days, FOCUS",
        "page": False,
        "first_ms": taken,
        "ms": taken,
        "worst_ms": taken,
        "bytes": size,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--check", action="store_true", help="prove the sums as well, which takes its time")
    parser.add_argument("--data", type=Path, help="a folder to keep the entries in, so that they can be asked again")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    machine = {"when": time.strftime("%Y-%m-%d %H:%M:%S%z"), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    found = asyncio.run(measure(given.entries, check=given.check, data=given.data))
    found = {"machine": machine, "limit_ms": LIMIT_MS, "entries": given.entries} | found
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps({name: value for name, value in found.items() if name != "rows"}))


if __name__ == "__main__":
    main()
