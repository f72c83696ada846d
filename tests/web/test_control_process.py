"""The control process as it runs: two private sockets, a graceful stop, a refusal to start without tables."""

import asyncio
import signal
import stat

import pytest

from flyball.kit.layout import Layout


async def ask(socket_path, request: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def get(path: str, host: str = "localhost") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()


async def test_it_answers_on_two_sockets_that_only_the_owner_can_open(control, data_dir):
    layout = Layout(data_dir)

    for path in (layout.socket("admin"), layout.socket("public")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b'{"status":"ok"}' in await ask(path, get("/readyz"))
    assert stat.S_IMODE(layout.sockets.stat().st_mode) == 0o700


async def test_only_the_admin_socket_carries_the_owners_authority(control, data_dir):
    layout = Layout(data_dir)

    assert b"200 OK" in await ask(layout.socket("admin"), get("/api/me"))
    assert b"401 Unauthorized" in await ask(layout.socket("public"), get("/api/me"))
    assert b"421" in await ask(layout.socket("public"), get("/api/me", "evil.example"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_told_and_starts_again_over_what_it_left(control, start_control, data_dir, number):
    control.send_signal(number)
    assert await asyncio.wait_for(control.wait(), 20) == 0

    killed = await start_control()
    assert b"200 OK" in await ask(Layout(data_dir).socket("admin"), get("/healthz"))
    killed.kill()  # leaves its sockets behind
    await killed.wait()

    await start_control()
    assert b"200 OK" in await ask(Layout(data_dir).socket("admin"), get("/healthz"))


async def test_it_refuses_a_database_without_its_tables(start_control, empty_database_url):
    process = await start_control(empty_database_url, listening=False)

    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 1
    assert b"lacks" in said
    assert b"flyball up" in said
    assert b"Traceback" not in said


async def test_it_refuses_a_database_that_is_away(start_control, data_dir):
    process = await start_control(f"postgresql://nobody@/none?host={data_dir}", listening=False)

    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 1
    assert b"PostgreSQL cannot be reached" in said


async def test_it_fits_into_250_megabytes(control, data_dir):
    await ask(Layout(data_dir).socket("admin"), get("/api/openapi.json"))

    with open(f"/proc/{control.pid}/status") as status:  # noqa: ASYNC230, PTH123 -- one short file
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    assert resident < 250 * 1024
