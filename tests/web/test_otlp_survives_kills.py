"""What was acknowledged over OTLP is there, once, though the process that took it was killed again and again and senders repeated themselves."""

import asyncio
import random

import pytest
from otlp_requests import kept, trace_request

from flyball.infra.sockets.errors import PeerError
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.projects import keys

KILLS = 5
SENDERS = 4


async def send_until(done: asyncio.Event, client: HttpOverUnix, key: str) -> tuple[set[str], set[str]]:
    """Send request after request as an exporter does, each until it is acknowledged; ids acknowledged, and ids sent."""
    headers = [
        (b"host", b"localhost"),
        (b"content-type", b"application/x-protobuf"),
        (b"authorization", f"Bearer {key}".encode()),
    ]
    acknowledged: set[str] = set()
    sent: set[str] = set()
    while not done.is_set():
        request = trace_request({}, {}, {})
        ids = {span.span_id.hex() for span in request.resource_spans[0].scope_spans[0].spans}
        sent |= ids
        while not done.is_set():
            try:
                async with client.request(
                    "POST", "/v1/traces", headers=headers, body=request.SerializeToString()
                ) as reply:
                    await reply.read_all()
                    if reply.status == 200:
                        acknowledged |= ids
                        break
            except PeerError:
                await asyncio.sleep(0.02)
    return acknowledged, sent


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_every_acknowledged_span_is_kept_once_though_control_is_killed(ctx, start_control) -> None:
    chance = random.Random(7)
    made = await keys.create_key(ctx, "exporter", "application")
    control, done = await start_control(), asyncio.Event()
    client = HttpOverUnix(ctx.layout.socket("public"))
    sending = [asyncio.create_task(send_until(done, client, made.secret.reveal())) for _ in range(SENDERS)]

    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        control.kill()
        await control.wait()
        control = await start_control()
    await asyncio.sleep(0.3)
    done.set()
    results = await asyncio.gather(*sending)
    client.close()
    acknowledged = set().union(*(result[0] for result in results))
    sent = set().union(*(result[1] for result in results))
    found = [span.span_id for span in await kept(ctx)]

    assert len(acknowledged) > 50
    assert acknowledged <= set(found) <= sent
    assert len(found) == len(set(found))
