"""The control application on a loopback port, furnished and empty, and a Chromium that looks at it.

One server, one browser and one furnished data directory for the whole session, all in the session's event loop. A test that
changes something uses names of its own. FLYBALL_SHOTS=<folder> keeps a picture of every page.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from flyball.identity import sign_in
from flyball.infra.blobs.store import Blobs
from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.settings import Settings
from flyball.surface.http.shield import Shield
from flyball.web.application import build_application

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def _load(name: str) -> Any:
    place = Path(__file__).parent / "works" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"works_{name}", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


furnishing, hearing = _load("furnish"), _load("hearing")


@dataclass
class Site:
    """A served flyball. `works` is what it was furnished with, None for an empty one."""

    url: str
    ctx: Context
    works: Any = None
    signed_in: dict = field(default_factory=dict)

    async def link(self) -> str:
        """The address of a fresh one-time link."""
        made = await sign_in.create_sign_in_link(self.ctx)
        return f"{self.url}/sign-in/{made.token.reveal()}"


@dataclass
class Seen:
    """What a browser noticed while pages were open: complaints, and requests that left the server."""

    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Headless Chromium, with nothing of its own on the network."""
    found = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium here: none of {', '.join(CHROMIUMS)} is on the PATH (`apt-get install chromium`)")
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=[*QUIET], env=environment)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def works(chromium, template_url) -> AsyncIterator[Site]:
    """A flyball with something in every room."""
    async with _served(template_url, "pages_full") as site:
        folder = Path(site.ctx.settings.data) / "works"
        folder.mkdir()
        site.works = await furnishing.furnish(site.ctx, folder)
        await hearing.hear(site.works)
        site.signed_in = await _sign_in(chromium, site)
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty(chromium, template_url) -> AsyncIterator[Site]:
    """A flyball just started: an administrator, and nothing else."""
    async with _served(template_url, "pages_empty") as site:
        site.signed_in = await _sign_in(chromium, site)
        yield site


@pytest.fixture
def furnished():
    """The constants of the furnishing: hostile texts, names."""
    return furnishing


@pytest.fixture
def browse(chromium):
    """`async with browse(site, ...) as (page, seen)`: a tab, signed in unless said otherwise. Complaints fail the test."""

    @contextlib.asynccontextmanager
    async def opened(site: Site, *, signed_in: bool = True, **options: Any) -> AsyncIterator[tuple[Page, Seen]]:
        options.setdefault("viewport", DESKTOP)
        state = {"storage_state": site.signed_in} if signed_in else {}
        context = await chromium.new_context(base_url=site.url, **state, **options)
        context.set_default_timeout(20_000)
        page = await context.new_page()
        seen = _watch(page, site.url)
        yield page, seen
        await context.close()
        assert seen.complaints == []
        assert seen.elsewhere == []

    return opened


@pytest.fixture
def shots() -> Path | None:
    """Where pictures are kept, if they are wanted."""
    folder = os.environ.get("FLYBALL_SHOTS")
    return Path(folder) if folder else None


def _watch(page: Page, url: str) -> Seen:
    seen = Seen()
    page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((url, "data:")) else seen.elsewhere.append(r.url))
    page.on("dialog", lambda dialog: seen.complaints.append(f"a dialog: {dialog.message}"))
    return seen


async def _sign_in(chromium: Browser, site: Site) -> dict:
    context: BrowserContext = await chromium.new_context()
    page = await context.new_page()
    await page.goto(await site.link())
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/account")
    await page.goto(site.url)  # which takes the notice away
    state = await context.storage_state()
    await context.close()
    return state


@contextlib.asynccontextmanager
async def _served(template_url: str, name: str) -> AsyncIterator[Site]:
    """The application over a database of its own, behind its shield, on a free port."""
    with psycopg.connect(template_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template flyball_template strategy file_copy")
    folder = tempfile.mkdtemp(prefix="flyball-pages-")
    settings = Settings(data=folder, database_url=template_url.replace("/postgres?", f"/{name}?"))
    layout = Layout(Path(folder))
    layout.create()
    database = Database(settings.database_url, most=6)
    await database.open()
    ctx = Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=SystemClock(),
        settings=settings,
        keyring=Keyring(settings, layout, SystemClock()),
        project=DEFAULT_PROJECT,
        actor=Actor(id="local:0", kind="local", name="stoker"),
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    system = replace(ctx, actor=Actor(id="system:control", kind="system", name="control"))
    application = Shield(build_application(system), door="public", settings=settings)
    server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None, ws="none"))
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Site(url=f"http://127.0.0.1:{port}", ctx=ctx)
    finally:
        server.should_exit = server.force_exit = True
        await serving
        await database.close()
        shutil.rmtree(folder, ignore_errors=True)
