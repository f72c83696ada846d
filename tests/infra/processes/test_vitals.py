"""Processes tell of themselves in files that can be read without a database, and that show by their age who hangs."""

import asyncio
import os

import pytest

from flyball.infra.processes import vitals
from flyball.infra.processes.vitals import read_vitals, told
from flyball.kit.clock import FixedClock
from flyball.kit.tally import Tally


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(vitals, "EVERY_SECONDS", 0.01)


async def until(layout, holds):
    async with asyncio.timeout(5):
        while not any(holds(one) for one in read_vitals(layout)):
            await asyncio.sleep(0.01)
    return next(one for one in read_vitals(layout) if holds(one))


async def test_a_process_tells_what_it_counts_while_it_lives_and_nothing_after(layout):
    clock, tally = FixedClock(), Tally()
    async with told(layout, "gateway-1", clock, tally, lambda: tally.level("calls_in_flight", 3)):
        tally.count("calls", 5)
        tally.count("acknowledged", 2, of="span")
        tally.count("acknowledged", 1, of="score")
        clock.advance(7)
        one = await until(layout, lambda one: one.sum_of("calls") == 5 and one.written_ns > one.started_ns)

        assert (one.role, one.pid) == ("gateway-1", os.getpid())
        assert one.written_ns - one.started_ns == 7_000_000_000
        assert (one.sum_of("acknowledged"), one.sum_of("acknowledged", "span")) == (3, 2)
        assert (one.level_of("calls_in_flight"), one.level_of("unheard_of")) == (3, None)

    assert read_vitals(layout) == ()


async def test_a_file_that_is_no_such_thing_is_left_out(layout):
    vitals.folder_of(layout).mkdir()
    (vitals.folder_of(layout) / "control.json").write_text("{")
    (vitals.folder_of(layout) / "runner.json").write_text("[]")
    async with told(layout, "worker", FixedClock(), Tally()):
        await until(layout, lambda one: one.role == "worker")

        assert [one.role for one in read_vitals(layout)] == ["worker"]


async def test_a_disk_that_cannot_be_written_ends_nothing(layout, caplog):
    vitals.folder_of(layout).write_text("in the way")
    async with told(layout, "worker", FixedClock(), Tally()):
        while "cannot be written" not in caplog.text:
            await asyncio.sleep(0.01)
        vitals.folder_of(layout).unlink()
        one = await until(layout, lambda one: one.role == "worker")

    assert one.pid == os.getpid()
