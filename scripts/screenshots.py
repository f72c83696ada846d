"""The pictures of the README: docs/images/*.png, of a flyball that has told the demo's story.

python scripts/screenshots.py DIR      where DIR is a data directory of `flyball demo --once --data DIR`

Starts `flyball up` on the directory, signs in by its one-time link, looks at four pages in headless Chromium, and stops it.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
LARGEST = 300_000
SIZE, SCALE = {"width": 1280, "height": 800}, 1.25
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


@contextlib.contextmanager
def flyball(data: Path) -> Iterator[dict[str, Any]]:
    """Flyball on the directory, and what it says when it is ready."""
    command = [sys.executable, "-m", "flyball.cli", "up", "--json", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield _told(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _told(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The JSON that it prints once it is ready."""
    said = b""
    for line in process.stdout or ():
        said += line
        with contextlib.suppress(ValueError):
            told: dict[str, Any] = json.loads(said)
            return told
    raise SystemExit("flyball did not start; see the lines above")


def take(page: Page, name: str) -> None:
    """One picture of what is in the window."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    print(
        f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: {path.stat().st_size / 1e3:.0f} kB"
    )
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} is larger than {LARGEST / 1e3:.0f} kB")


def look(page: Page, address: str) -> None:
    """The overview, a report, a trace with feedback, and why its answer was what it was."""
    page.goto(address)
    take(page, "overview")
    page.goto(f"{address}/evaluations")
    page.locator("section table td.name a").first.click()
    take(page, "report")
    page.goto(f"{address}/scores?name=feedback")
    page.locator("td[data-label=About] a").first.click()
    take(page, "trace")
    page.get_by_role("link", name="Why this answer?").click()
    take(page, "why")


def main() -> None:
    """Start, sign in, look, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    options = parser.parse_args()
    if not options.chromium:
        raise SystemExit("no Chromium here; install it, or name one with --chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with flyball(options.data) as told, sync_playwright() as playwright:
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        browser = playwright.chromium.launch(executable_path=options.chromium, args=[*QUIET], env=environment)
        page = browser.new_page(viewport=SIZE, device_scale_factor=SCALE, color_scheme="light")
        page.goto(told["sign_in"])
        page.get_by_role("button", name="Sign in").click()
        look(page, told["address"])
        browser.close()


if __name__ == "__main__":
    main()
