"""The pictures of budgets, costs and the ledger in the docs: docs/images/*.png, of a flyball with 100,000 entries of its ledger.

python scripts/cost_pictures.py [--entries 100000] [--all DIR]

Makes an embedded PostgreSQL, ninety days of calls, and budgets that count them; looks at the pages in headless
Chromium, and says how long the server took for each. `--all` keeps each page at 390 and 1280 px, light and dark, with data and without.
"""

import argparse
import asyncio
import contextlib
import math
import os
import random
import shutil
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from flyball.identity import sign_in
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.ledger import quotas
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaWish
from flyball.ledger.records import Entry, Take
from flyball.projects import keys
from flyball.settings import Settings
from flyball.surface.http.shield import Shield
from flyball.web.application import build_application

IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 900}}
SECOND = 1_000_000_000
DAY = 86_400 * SECOND
USD = SECOND  # nano-dollars
BATCH = 2_000
# Functions: how often they are called, by which variants, and which models those ask.
FUNCTIONS = {
    "triage": (50, {"small": "small-1", "written": "fast-2"}),
    "answer": (30, {"short": "fast-2", "thorough": "large-4"}),
    "summarise": (14, {"plain": "fast-2"}),
    "translate": (6, {"plain": "large-4"}),
}
PRICES = {"small-1": (50, 200), "fast-2": (150, 600), "large-4": (2_500, 10_000)}  # nano-dollars a token: input, output
KEYS = ("support-desk", "mobile-app", "nightly-batch", "website")


@contextlib.asynccontextmanager
async def flyball(folder: str) -> AsyncIterator[Context]:
    """An empty flyball in a folder of its own."""
    layout = Layout(Path(folder))
    layout.create()
    server = EmbeddedPostgres(layout.postgres, layout.sockets)
    settings = Settings(data=folder)
    database = Database(server.start())
    try:
        await database.open()
        await migrate(database)
        yield Context(
            db=database,
            lake=Lake(layout.lake.as_uri()),
            blobs=Blobs(layout.blobs.as_uri()),
            layout=layout,
            clock=SystemClock(),
            settings=settings,
            keyring=Keyring(settings, layout, SystemClock()),
            project="default",
            actor=Actor(id="local:0", kind="local", name="maria"),
        )
    finally:
        await database.close()
        server.stop()


@contextlib.asynccontextmanager
async def served(ctx: Context) -> AsyncIterator[str]:
    """Its control application on a port; the address."""
    listening = socket.create_server(("127.0.0.1", 0))
    system = replace(ctx, actor=Actor(id="system:control", kind="system", name="control"))
    application = Shield(build_application(system), door="public", settings=ctx.settings)
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None, ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = server.force_exit = True
    await serving


async def fill(ctx: Context, count: int) -> dict[str, str]:
    """Keys, what they called in ninety days, budgets that count it, and what two workers hold of them; the pages of some."""
    lines = [(await keys.create_key(ctx, name)).key.line for name in KEYS]
    bank = PostgresBank(ctx.db, lease_ns=3_600 * SECOND, timeout_seconds=120)
    made = _entries(ctx.clock.now_ns(), count, lines)
    newest = ""
    while batch := list(islice(made, BATCH)):
        await bank.settle(batch)
        newest = newest or batch[0].id
    spent = {
        "project": ("project", "nano_usd", 1_200 * USD, "month", {"alerts": (50, 80, 100)}),
        "key": ("key support-desk", "nano_usd", 400 * USD, "month", {"alerts": (80,)}),
        "function": ("function translate", "nano_usd", 60 * USD, "month", {}),
        "tag": ("tag experiment", "nano_usd", 25 * USD, "rolling:7d", {"stop": "soft"}),
        "requests": ("key website", "requests", 600, "minute", {}),
        "tokens": ("model large-4", "tokens", 2_000_000, "hour", {}),
        "parallel": ("function answer", "parallel", 16, "total", {"organisation_wide": True}),
    }
    pages = {"entry": f"/ledger/{newest}"}
    for name, (scope, unit, amount, window, more) in spent.items():
        wish: Any = {"scope": scope, "unit": unit, "amount": amount, "window": window} | more
        quota = await quotas.set_quota(ctx, QuotaWish(**wish))
        pages[name] = f"/{'budgets' if unit == 'nano_usd' else 'limits'}/{quota.id}"
        for worker, part in (("gateway-1-5f0c2a9be1d4", 20), ("gateway-2-93ab77c01e22", 60)):
            held = max(2, quota.free // part)
            if quota.stop == "hard":
                await bank.take(worker, [Take(quota.id, 1, held, held)])
    return pages


def _entries(now_ns: int, count: int, lines: list[str]) -> Iterator[Entry]:
    """The newest first: fewer at weekends, more each week, a dearer model since ten days ago."""
    chance = random.Random(11)  # noqa: S311 -- no secret
    names, often = list(FUNCTIONS), [each[0] for each in FUNCTIONS.values()]
    number = 0
    while number < count:
        ago = chance.random() ** 1.15 * 90
        at_ns = now_ns - int(ago * DAY)
        if chance.random() < (0.6 if (at_ns // DAY + 3) % 7 > 4 else 0.0):
            continue
        number += 1
        function = chance.choices(names, often)[0]
        variants = FUNCTIONS[function][1]
        variant = chance.choice(list(variants)) if ago < 10 else next(iter(variants))
        yield _entry(chance, at_ns, lines, (function, variant, variants[variant]))


def _entry(chance: random.Random, at_ns: int, lines: list[str], called: tuple[str, str, str]) -> Entry:
    function, variant, model = called
    used = int(chance.lognormvariate(8.6, 0.7)), int(chance.lognormvariate(6.2, 0.8))
    cost = sum(tokens * price for tokens, price in zip(used, PRICES[model], strict=True))
    state: Any = "complete" if chance.random() < 0.97 else chance.choice(("failed", "cancelled", "retried"))
    return Entry(
        id=f"{chance.getrandbits(64):016x}",
        project="default",
        organisation="default",
        at_ns=at_ns,
        trace_id=f"{chance.getrandbits(128):032x}",
        key_id=chance.choices(lines, (5, 3, 2, 1))[0],
        function=function,
        variant=variant,
        model=model,
        provider="openai-compatible",
        upstream_model=model,
        tags=("experiment",) if variant in ("thorough", "written") and chance.random() < 0.5 else (),
        state=state,
        input_tokens=used[0],
        output_tokens=used[1],
        estimated=state == "cancelled",
        requests=0 if state == "retried" else 1,
        nano_usd=cost,
        price_version=f"{model}-{math.prod(PRICES[model])}",
    )


async def enter(browser: Browser, ctx: Context, address: str) -> Page:
    """A window of somebody who is signed in."""
    context = await browser.new_context(base_url=address, viewport=SIZES["desktop"], device_scale_factor=1.25)
    page = await context.new_page()
    made = await sign_in.create_sign_in_link(ctx)
    await page.goto(f"{address}/sign-in/{made.token.reveal()}")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/account")
    await page.goto(address)
    return page


async def look(page: Page, pages: dict[str, str]) -> None:
    """The pictures of the docs, and how long each page took."""
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(SIZES["desktop"])  # type: ignore[arg-type] # a width and a height
    for name, path in pages.items():
        start = time.perf_counter()
        answered = await page.request.get(path)
        first = time.perf_counter() - start
        start = time.perf_counter()
        await page.request.get(path)
        print(f"{name}: {answered.status}, {first * 1e3:.0f} ms, then {(time.perf_counter() - start) * 1e3:.0f} ms")
    for name, picture in {"costs": "costs", "budgets": "budgets", "key": "budget", "ledger": "ledger"}.items():
        await page.goto(pages[name])
        await page.screenshot(path=IMAGES / f"{picture}.png", animations="disabled")


async def look_at_all(page: Page, pages: dict[str, str], folder: Path) -> None:
    """Each page in both sizes and both schemes, to its end."""
    for name, path in pages.items():
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type] # one of the two that there are
            for size, viewport in SIZES.items():
                await page.set_viewport_size(viewport)  # type: ignore[arg-type] # a width and a height
                await page.goto(path)
                await page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)


async def run(options: argparse.Namespace) -> None:
    """Fill, look, stop."""
    lists = {"costs": "/costs", "budgets": "/budgets", "limits": "/limits", "ledger": "/ledger"}
    asked = {
        "costs-by-key": "/costs?by=key&last=90d",
        "costs-of-answer": "/costs?by=variant&function=answer",
        "costs-24h": "/costs?last=24h",
    }
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    with tempfile.TemporaryDirectory(prefix="flyball-pictures-") as folder:
        async with flyball(folder) as ctx, served(ctx) as address, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=options.chromium, args=[*QUIET], env=environment)
            page = await enter(browser, ctx, address)
            if options.all:
                await look_at_all(page, lists, options.all / "empty")
            start = time.perf_counter()
            pages = lists | asked | await fill(ctx, options.entries)
            async with ctx.db.owner_connection() as connection:
                await connection.execute("analyze")  # as PostgreSQL does by itself, a minute later
            print(f"{options.entries:,} entries settled in {time.perf_counter() - start:.0f} s")
            await look(page, pages)
            if options.all:
                await look_at_all(page, pages, options.all / "full")
            await browser.close()


def main() -> None:
    """Read what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--all", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    options = parser.parse_args()
    if not options.chromium:
        raise SystemExit("no Chromium here; install it, or name one with --chromium")
    for place in (IMAGES, *((options.all / world for world in ("empty", "full")) if options.all else ())):
        place.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
