"""How long the server takes for each page of a flyball with 100,000 traces, against the limit of 100 ms.

python bench/pages.py [--traces 100000] [--rounds 15] [--out bench/results/pages.json]

Server time: from the request's arrival at the control application to the last byte of its answer, proof of the session,
questions and rendering included; in one process, on an embedded PostgreSQL and local tables. The traces are those of
`trace_pages.py`; the other rooms hold what the tests of the pages furnish, and the documentation of the standard library
as a dataset. The permission check is the guard of a page alone: the session's look-up, its role, protection from forgery,
the page's permission; its limit is 1 ms. `cpu` is processor time of the process: it says the same on a machine that is busy with other things.
"""

import argparse
import asyncio
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from trace_pages import WORDS, fill, machine

from flyball.datasets import service as datasets
from flyball.datasets.records import Declaration
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
from flyball.settings import Settings
from flyball.surface.http.identity import guard
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient
from flyball.web.application import build_application
from flyball.web.navigation import SITE

LIMIT_MS = 100.0
CHECK_LIMIT_MS = 1.0
ROOT = Path(__file__).parents[1]


def furnishing() -> Any:
    """The tests' furnishing of every room."""
    place = ROOT / "tests" / "pages" / "works" / "furnish.py"
    spec = importlib.util.spec_from_file_location("works_furnish", place)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no furnishing at {place}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Fill a data directory of its own, then ask for every page some times in turn."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        layout = Layout(Path(folder))
        layout.create()
        works = Path(folder) / "works"
        works.mkdir()
        server = EmbeddedPostgres(layout.postgres, layout.sockets)
        database = Database(server.start())
        try:
            await database.open()
            await migrate(database)
            ctx = Context(
                db=database,
                lake=Lake(layout.lake.as_uri()),
                blobs=Blobs(layout.blobs.as_uri()),
                layout=layout,
                clock=SystemClock(),
                settings=Settings(data=folder),
                keyring=Keyring(Settings(data=folder), layout, SystemClock()),
                project="default",
                actor=Actor(id="local:0", kind="local", name="bench"),
            )
            pages = await prepare(ctx, works, options.traces)
            return {
                "permission_check": await check(ctx, options.rounds * 40),
                "machine": machine(),
                "traces": options.traces,
                "limit_ms": LIMIT_MS,
                "pages": await ask(ctx, pages, options.rounds),
            }
        finally:
            await database.close()
            server.stop()


async def prepare(ctx: Context, folder: Path, traces: int) -> dict[str, str]:
    """Something in every room, and many traces; the pages to ask for, by name."""
    furnish = furnishing()
    works = await furnish.furnish(ctx, folder)
    await furnish.work(ctx, await datasets.import_later(ctx, "stdlib", Declaration(source="stdlib")))
    ids = await fill(ctx, traces)
    (first, second), asked = (report.id for report in works.reports["works-quality"]), works.called[0]
    lists = {link.label: link.href for stage in SITE.stages for link in stage.items}
    return lists | {
        "Traces, failed": "/traces?status=error",
        "Traces, one function": "/traces?function=triage",
        "Traces, failed, one function": "/traces?status=error&function=triage",
        "Traces, a text": f"/traces?text={WORDS[7]}",
        "Traces, a text that nothing has": "/traces?text=zzzqq",
        "One trace": f"/traces/{ids[3]}",
        "One trace, 14 spans": f"/traces/{works.traces['deep']}",
        "Why": f"/why/{asked}",
        "A dataset of documents": "/datasets/stdlib",
        "A row": "/datasets/questions/versions/2/rows/q900",
        "An index, searched": "/indexes/handbook?query=oil+the+spindle",
        "A function": "/functions/ask-works",
        "A prompt": "/prompts/ask",
        "A model": "/models/assistant",
        "An evaluation": "/evaluations/works-quality",
        "A report": f"/reports/{second}",
        "Two reports compared": f"/reports/{first}/comparisons/{second}",
        "A release": f"/releases/{works.releases['live']}",
        "A run": f"/runs/{works.runs['import'].id}",
    }


async def check(ctx: Context, times: int) -> dict[str, float]:
    """The guard of a page, for a signed-in browser."""
    made = await sign_in.create_sign_in_link(ctx)
    token = (await sign_in.use_sign_in_link(ctx, made.token)).token.reveal()
    let_in, app = guard("traces.read"), build_application(ctx)
    walls, processor = [], []
    for _ in range(times):
        scope = {
            "type": "http", "method": "GET", "path": "/traces", "query_string": b"", "scheme": "http", "app": app,
            "headers": [(b"host", b"localhost"), (b"cookie", f"flyball_session={token}".encode())],
            "flyball.door": "public",
        }  # fmt: skip
        start, worked = time.perf_counter(), time.process_time()
        await let_in(Request(scope))
        walls.append((time.perf_counter() - start) * 1_000)
        processor.append((time.process_time() - worked) * 1_000)
    return {
        "median_ms": statistics.median(walls),
        "p95_ms": sorted(walls)[int(times * 0.95)],
        "cpu_ms": statistics.median(processor),
    }


async def ask(ctx: Context, pages: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Every page some times, in turn, as a browser that is signed in."""
    made = await sign_in.create_sign_in_link(ctx)
    signed_in = await sign_in.use_sign_in_link(ctx, made.token)
    browser = AsgiClient(Shield(build_application(ctx), door="public", settings=ctx.settings), accept="text/html")
    browser.cookies["flyball_session"] = signed_in.token.reveal()
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in pages}
    for round_ in range(rounds + 1):
        for name, path in pages.items():
            start, processor = time.perf_counter(), time.process_time()
            answered = await browser.get(path)
            took = (time.perf_counter() - start) * 1_000, (time.process_time() - processor) * 1_000
            if answered.status != 200:
                raise SystemExit(f"{path} answered {answered.status}: {answered.text[:2_000]}")
            if round_:  # the first round opens files and warms up
                found[name].append((*took, len(answered.body)))
    return {
        name: {
            "median_ms": statistics.median(wall for wall, _, _ in times),
            "p95_ms": sorted(wall for wall, _, _ in times)[int(rounds * 0.95)],
            "cpu_ms": statistics.median(cpu for _, cpu, _ in times),
            "kb": times[-1][2] / 1_000,
        }
        for name, times in found.items()
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pages.json")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    print(f"{'':34}{'median ms':>10}{'of limit':>10}{'p95 ms':>10}{'cpu ms':>10}{'kB':>8}")
    for name, row in sorted(found["pages"].items(), key=lambda each: -each[1]["median_ms"]):
        ratio = row["median_ms"] / LIMIT_MS
        print(
            f"{name:34}{row['median_ms']:10.1f}{ratio:10.0%}{row['p95_ms']:10.1f}{row['cpu_ms']:10.1f}{row['kb']:8.0f}"
        )
    proof = found["permission_check"]
    ratio = proof["median_ms"] / CHECK_LIMIT_MS
    print(
        f"permission check of a page: {proof['median_ms']:.2f} ms, {ratio:.0%} of its limit (cpu {proof['cpu_ms']:.2f})"
    )
    print(f"load of the machine {found['machine']['load']:.1f} on {found['machine']['cores']} cores")
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
