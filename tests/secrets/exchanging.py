"""A process that sets secrets and exchanges their keys without end, to be killed at any moment. Says each deed that is done."""

import asyncio
import itertools
import sys
from pathlib import Path

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.secrets import rotation, service
from flyball.settings import Settings


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def exchange(folder: str, url: str, begin: int) -> None:
    settings, layout, clock = Settings(data=folder, database_url=url), Layout(Path(folder)), SystemClock()
    database = Database(url, most=2)
    await database.open()
    ctx = Context(
        db=database,
        lake=Lake(layout.lake.as_uri()),
        blobs=Blobs(layout.blobs.as_uri()),
        layout=layout,
        clock=clock,
        settings=settings,
        keyring=Keyring(settings, layout, clock),
        project=DEFAULT_PROJECT,
        actor=Actor(id="local:0", kind="local", name="exchanger"),
    )
    say("ready")
    for number in itertools.count(begin):
        say(f"begin {number}")
        await service.set_secret(ctx, f"s{number % 3}", Secret(f"value-number-{number}"), ["api.openai.com"])
        say(f"set {number}")
        await rotation.rotate_master(ctx)
        say("master")
        await rotation.rotate_data_key(ctx)
        say("data")


asyncio.run(exchange(sys.argv[1], sys.argv[2], int(sys.argv[3])))
