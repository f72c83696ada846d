"""The control process as it runs: two private sockets, a graceful stop, a refusal to start without tables."""

import asyncio
import os
import signal
import stat
import sys

import pytest

from flyball.kit.layout import Layout


async def start(data_dir, database_url) -> asyncio.subprocess.Process:
    environment = os.environ | {"FLYBALL_DATA": str(data_dir), "FLYBALL_DATABASE_URL": database_url}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flyball.web", "control", env=environment, stderr=asyncio.subprocess.PIPE
    )


async def ask(socket_path, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: str, host: str = "localhost") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


async def until_listening(process) -> None:
    async with asyncio.timeout(60):
        while line := await process.stderr.readline():
            if b"listens" in line:
                return
    raise AssertionError("the process ended before it listened")


@pytest.fixture
async def control(data_dir, database_url):
    process = await start(data_dir, database_url)
    await until_listening(process)
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_it_answers_on_two_sockets_that_only_the_owner_can_open(control, data_dir):
    layout = Layout(data_dir)

    for path in (layout.admin_socket, layout.public_socket):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b'{"status":"ok"}' in await ask(path, get("/readyz"))
    assert stat.S_IMODE(layout.sockets.stat().st_mode) == 0o700


async def test_only_the_admin_socket_carries_the_owners_authority(control, data_dir):
    layout = Layout(data_dir)

    assert b"200 OK" in await ask(layout.admin_socket, get("/api/me"))
    assert b"401 Unauthorized" in await ask(layout.public_socket, get("/api/me"))
    assert b"421" in await ask(layout.public_socket, get("/api/me", "evil.example"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_told_and_starts_again_over_what_it_left(control, data_dir, database_url, number):
    control.send_signal(number)
    assert await asyncio.wait_for(control.wait(), 20) == 0

    again = await start(data_dir, database_url)
    await until_listening(again)

    assert b"200 OK" in await ask(Layout(data_dir).admin_socket, get("/healthz"))
    again.kill()  # leaves its sockets behind
    await again.communicate()
    once_more = await start(data_dir, database_url)
    await until_listening(once_more)
    once_more.terminate()
    assert (await once_more.communicate())[1] is not None
    assert once_more.returncode == 0


async def test_it_refuses_a_database_without_its_tables(data_dir, empty_database_url):
    process = await start(data_dir, empty_database_url)

    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 1
    assert b"lacks" in said
    assert b"flyball up" in said
    assert b"Traceback" not in said


async def test_it_fits_into_250_megabytes(control, data_dir):
    await ask(Layout(data_dir).admin_socket, get("/api/openapi.json"))

    with open(f"/proc/{control.pid}/status") as status:  # noqa: ASYNC230, PTH123 -- one short file
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    assert resident < 250 * 1024
