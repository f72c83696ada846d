"""What is tested here runs on both loops: asyncio's own, and uvloop, which the gateway and the runner use."""

import asyncio

import uvloop


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
