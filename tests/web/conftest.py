"""The control process, started as the supervisor starts it."""

import asyncio
import os
import sys

import pytest


@pytest.fixture
async def start_control(data_dir, database_url):
    """Starts a control process over this test's database; with `listening=False` it does not wait for it."""
    started = []

    async def start(url: str = database_url, *, listening: bool = True) -> asyncio.subprocess.Process:
        environment = os.environ | {"FLYBALL_DATA": str(data_dir), "FLYBALL_DATABASE_URL": url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flyball.web", "control", env=environment, stderr=asyncio.subprocess.PIPE
        )
        started.append(process)
        if listening:
            await until_listening(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def control(start_control):
    """A control process that listens."""
    return await start_control()


async def until_listening(process: asyncio.subprocess.Process) -> None:
    said = b""
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            said += line
            if b"listens" in line:
                return
    raise AssertionError(f"the process ended before it listened: {said.decode()}")
