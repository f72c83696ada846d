"""A flusher in a process of its own, whose mapping fails at some spans. Started and killed by tests."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.settings import Settings
from flyball.traces.alike import Foreign, Understood, understood
from flyball.traces.flusher import Flusher


def understand(foreign: Sequence[Foreign]) -> Understood:
    if any(told.name == "poison" for _, told, _ in foreign):
        raise ZeroDivisionError
    return understood(foreign, lambda _project: None)


async def main(folder: str, url: str) -> None:
    database = Database(url, most=2)
    await database.open()
    layout = Layout(Path(folder))
    ctx = Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=SystemClock(),
        settings=Settings(data=folder, database_url=url, flush_seconds=0.005),
        keyring=Keyring(Settings(data=folder), layout, SystemClock()),
        project=DEFAULT_PROJECT,
        actor=Actor(id="system:flusher", kind="system", name="flusher"),
    )
    flusher = Flusher(ctx, understand)
    os.write(1, b"ready\n")
    while True:
        await flusher.flush()


asyncio.run(main(*sys.argv[1:]))
