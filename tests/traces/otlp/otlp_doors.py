"""OTLP's two doors on sockets of their own, over a test's context: fixtures that tests import."""

import asyncio
import socket

import msgspec
import pytest
import uvicorn

from flyball.identity.proving import prove
from flyball.projects.refusing import record_missing_permission
from flyball.surface.http.shield import Shield
from flyball.traces.otlp import grpc_server


@pytest.fixture
async def http_door(application, settings):
    """The application on a socket, as the gateway passes requests on; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Shield(application, door="public", settings=settings), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def grpc_door(ctx):
    """The port of a server of this test alone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    object.__setattr__(ctx, "settings", msgspec.structs.replace(ctx.settings, otlp_grpc_port=port))
    async with grpc_server.serving(ctx, prove, record_missing_permission) as served:
        yield served
