"""A context that may call this machine, and a receiver in it."""

from dataclasses import replace

import msgspec
import pytest
from receiving import Hook

from flyball.kit.clock import FixedClock
from flyball.kit.secrets import Secret
from flyball.notifications import service
from flyball.secrets import service as secrets

NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC


@pytest.fixture
def clock():
    return FixedClock(NOON)


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, allowed_networks="127.0.0.1")


@pytest.fixture
def ctx(ctx, clock):
    return replace(ctx, clock=clock)


@pytest.fixture
async def hook(ctx):
    """A webhook's receiver whose secret the project keeps as secret:hook."""
    async with Hook("correct horse battery staple") as hook:
        await secrets.set_secret(ctx, "hook", Secret(hook.secret), [hook.host])
        yield hook


@pytest.fixture
async def receiver(ctx, hook):
    """The hook as a receiver of the project."""
    return await service.add_receiver(ctx, hook.url, secret="secret:hook")
