"""The picture of health in the docs: docs/images/health.png, of a flyball that runs, with an invented day behind it.

python scripts/health_picture.py [--all DIR]

Starts `flyball up` on a fresh directory, writes a day of minutes with one bad quarter of an hour, sends spans, stops the
flusher for as long as it takes to be told of, and looks. `--all` keeps the page at 390 and 1280 px, light and dark, before
and after.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import Browser, sync_playwright

from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.layout import Layout

IMAGES = Path(__file__).parents[1] / "docs" / "images"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 800}}
MINUTE = 60 * 1_000_000_000
INSERT = """
    insert into health_minutes (minute_ns, samples, failed, worst_lag_ns, waiting, waiting_bytes, acknowledged, refused, stored, flushes, flush_ns,
        flush_failures, disk_free, memory) values (%s, 60, 0, %s, %s, %s, %s, 0, %s, 60, %s, 0, %s, %s) on conflict do nothing
"""
ENVIRONMENT = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


@contextlib.contextmanager
def flyball(data: Path) -> Iterator[dict[str, Any]]:
    """Flyball on the directory, and what it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball.cli", "up", "--json", "--port", "0", "--data", str(data)],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT | {"FLYBALL_OTLP_GRPC_PORT": "0"},
    )
    try:
        said = b""
        for line in process.stdout or ():
            said += line
            with contextlib.suppress(ValueError):
                yield json.loads(said)
                return
        raise SystemExit("flyball did not start; see the lines above")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def invent_a_day(data: Path) -> None:
    """Minutes up to a few ago: quick but for a quarter of an hour, and an hour in which flyball did not run."""
    layout = Layout(data.resolve())
    chance = random.Random(6)  # noqa: S311 -- a picture, no secret
    now_ns = time.time_ns() // MINUTE * MINUTE
    free = shutil.disk_usage(data).free + 3_000_000_000
    with psycopg.connect(EmbeddedPostgres(layout.postgres, layout.sockets).url, autocommit=True) as connection:
        for ago in range(1440, 2, -1):
            if 700 < ago < 760:
                continue
            free -= chance.randrange(4_000_000)
            lag = chance.uniform(3, 240) if 300 < ago < 316 else chance.uniform(0.9, 1.6)
            rate = 800 + 600 * abs((ago % 720) - 360) / 360 + chance.uniform(-50, 50)
            waits = int(rate * lag)
            row = (int(lag * 1e9), waits, waits * 900, int(rate * 60), int(rate * 60 * chance.uniform(0.97, 1.02)))
            connection.execute(INSERT, (now_ns - ago * MINUTE, *row, 5_000_000_000, free, 900_000_000))


def send_spans(address: str, key: str, seconds: float) -> None:
    """A hundred spans ten times a second, as OTLP's JSON."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        now_ns = time.time_ns()
        spans = [
            {
                "traceId": os.urandom(16).hex(),
                "spanId": os.urandom(8).hex(),
                "name": "chat",
                "startTimeUnixNano": str(now_ns - 10**9),
                "endTimeUnixNano": str(now_ns),
            }
            for _ in range(100)
        ]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        request = urllib.request.Request(f"{address}/v1/traces", body, headers)  # noqa: S310 -- our own server
        urllib.request.urlopen(request).read()  # noqa: S310 -- likewise
        time.sleep(0.1)


def keep(browser: Browser, state: Any, address: str, path: Path, **how: Any) -> None:
    """One picture of the page."""
    whole = how.pop("whole", False)
    context = browser.new_context(storage_state=state, **how)
    page = context.new_page()
    page.goto(f"{address}/health")
    page.screenshot(path=path, animations="disabled", full_page=whole)
    context.close()
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def keep_all(browser: Browser, state: Any, address: str, folder: Path | None, name: str) -> None:
    """The whole page in every size and light, where that was asked for."""
    for size, viewport in SIZES.items() if folder else ():
        for scheme in ("light", "dark"):
            path = folder / f"{name}-{size}-{scheme}.png"  # type: ignore[operator] # it was asked for
            keep(browser, state, address, path, viewport=viewport, color_scheme=scheme, whole=True)


def look(data: Path, chromium: str, folder: Path | None) -> None:
    """Start, look at an empty server, invent, send, stop the flusher, look again."""
    with flyball(data) as told, sync_playwright() as playwright:
        address = told["address"]
        browser = playwright.chromium.launch(executable_path=chromium, args=[*QUIET], env=ENVIRONMENT)
        page = browser.new_page()
        page.goto(told["sign_in"])
        page.get_by_role("button", name="Sign in").click()
        state = page.context.storage_state()
        time.sleep(8)
        keep_all(browser, state, address, folder, "empty")
        invent_a_day(data)
        made = subprocess.check_output(
            [sys.executable, "-m", "flyball.cli", "keys", "create", "load", "--json", "--data", str(data)]
        )
        key = json.loads(made)["key"]
        send_spans(address, key, 65)
        flusher = json.loads((data / "vitals" / "flusher.json").read_text())["pid"]
        os.kill(flusher, signal.SIGSTOP)
        send_spans(address, key, 45)
        IMAGES.mkdir(parents=True, exist_ok=True)
        picture = {"viewport": SIZES["desktop"], "device_scale_factor": 1.25, "color_scheme": "light"}
        keep(browser, state, address, IMAGES / "health.png", **picture)
        keep_all(browser, state, address, folder, "much")
        os.kill(flusher, signal.SIGCONT)
        browser.close()


def main() -> None:
    """Look, in a directory that goes afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--all", type=Path, help="keep every picture in this folder")
    options = parser.parse_args()
    if not options.chromium:
        raise SystemExit("no Chromium here; install it, or name one with --chromium")
    if options.all:
        options.all.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="flyball-health-") as folder:
        look(Path(folder), options.chromium, options.all)


if __name__ == "__main__":
    main()
