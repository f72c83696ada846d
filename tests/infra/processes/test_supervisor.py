"""Children under a supervisor: what a person sees when they start, die, refuse to stop, or lose their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from flyball.infra.processes.child import ChildSpec
from flyball.infra.processes.errors import ChildFailedError
from flyball.infra.processes.supervisor import Supervisor

PROGRAM = Path(__file__).with_name("child_program.py")


def spec(name: str, deed: str = "work", *more: str, **settings: object) -> ChildSpec:
    return ChildSpec(name=name, command=(sys.executable, str(PROGRAM), deed, *more), **settings)  # type: ignore[arg-type]


class Told(list[str]):
    """What the supervisor said, line by line."""

    async def until(self, words: str) -> str:
        async with asyncio.timeout(15):
            while True:
                for line in self:
                    if words in line:
                        return line
                await asyncio.sleep(0.01)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def supervise(tmp_path: Path, told: Told) -> AsyncIterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*specs: ChildSpec) -> Supervisor:
        made.append(Supervisor(specs, tmp_path, told.append))
        made[-1].launch()
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.hurry()
        await supervisor.stop()
        for child in supervisor.children:
            assert not child.running


async def test_children_start_together_and_say_when_they_are_ready(supervise, told):
    await supervise(spec("control"), spec("worker")).begin()

    assert sorted(line.split()[0] for line in told) == ["control", "worker"]
    assert all("ready in" in line for line in told)


async def test_a_child_does_not_begin_before_it_is_told(supervise, tmp_path):
    supervisor = supervise(spec("control"))
    await asyncio.sleep(0.3)

    assert not (tmp_path / "control.log").exists()

    await supervisor.begin()

    assert (tmp_path / "control.log").read_text() == "at work 1\n"


async def test_a_child_that_nobody_waits_for_starts_when_the_others_are_ready(supervise, told):
    supervisor = supervise(spec("worker", later=True), spec("control"))

    await supervisor.begin()

    assert [line.split()[0] for line in told] == ["control"]
    assert "ready in" in await told.until("  worker")


async def test_a_later_child_that_fails_is_quoted_and_tried_again(supervise, told):
    await supervise(spec("worker", "crash", later=True), spec("control")).begin()

    assert "the catalog is unreadable" in await told.until("worker ended with exit code 1; it said last:")
    await told.until("starting it again in 0.2 s")


async def test_a_child_that_fails_to_start_is_quoted(supervise, tmp_path):
    supervisor = supervise(spec("control", "crash"), spec("worker"))

    with pytest.raises(ChildFailedError) as failure:
        await supervisor.begin()

    assert "control ended with exit code 1; it said last:" in failure.value.message
    assert "line one\n    the catalog is unreadable" in failure.value.message
    assert str(tmp_path / "control.log") in failure.value.next_step


async def test_a_child_that_is_never_ready_is_named_after_its_time(supervise):
    supervisor = supervise(spec("control", "mute", ready_within_seconds=0.5))

    with pytest.raises(ChildFailedError, match=r"control was not ready within 0.5 s and said nothing"):
        await supervisor.begin()


async def test_a_program_that_does_not_exist_is_named(supervise):
    with pytest.raises(ChildFailedError, match="worker could not be started"):
        supervise(ChildSpec(name="worker", command=("/nowhere/program",)))


async def test_a_killed_child_is_started_again_with_a_line(supervise, told):
    supervisor = supervise(spec("control"), spec("worker"))
    await supervisor.begin()
    before = supervisor.children[0].pid
    os.kill(before, signal.SIGKILL)

    line = await told.until("starting it again")
    await told.until("ready again")

    assert line == "  control    was killed by signal 9 (Killed); it said last: at work 1; starting it again in 0.1 s"
    assert supervisor.children[0].pid != before
    assert supervisor.children[0].running


async def test_a_child_that_keeps_dying_is_started_ever_more_slowly(supervise, told, tmp_path):
    deed = tmp_path / "deed"
    deed.write_text("work")
    code = f"import runpy, sys; sys.argv=['x', open({str(deed)!r}).read()]; runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    supervisor = supervise(ChildSpec(name="control", command=(sys.executable, "-c", code)))
    await supervisor.begin()
    deed.write_text("crash")
    os.kill(supervisor.children[0].pid, signal.SIGKILL)

    await told.until("again in 0.1 s")
    await told.until("again in 0.2 s")
    await told.until("again in 0.4 s")
    deed.write_text("work")

    await told.until("ready again")


async def test_what_a_dead_child_had_started_dies_with_it(supervise, told):
    supervisor = supervise(spec("worker", "parent"))
    await supervisor.begin()
    [grandchild] = psutil.Process(supervisor.children[0].pid).children()
    os.kill(supervisor.children[0].pid, signal.SIGKILL)

    await told.until("ready again")

    assert gone(grandchild)


async def test_children_are_stopped_wave_by_wave_and_may_finish_their_work(supervise, tmp_path):
    order = tmp_path / "order"
    supervisor = supervise(
        spec("control", "careful", str(order), stop_wave=2),
        spec("gateway", "careful", str(order), stop_wave=0),
        spec("worker", "careful", str(order), stop_wave=1),
    )
    await supervisor.begin()
    control, gateway, worker = (child.pid for child in supervisor.children)

    await supervisor.stop()

    assert order.read_text().split() == [str(gateway), str(worker), str(control)]


async def test_a_child_that_will_not_stop_is_killed_after_its_grace(supervise, told):
    supervisor = supervise(spec("control", "stubborn", grace_seconds=0.3))
    await supervisor.begin()

    await supervisor.stop()

    assert "was killed: it did not stop in time" in told[-1]


@pytest.mark.alone
async def test_a_second_signal_shortens_the_grace_and_a_third_ends_it(supervise, told):
    supervisor = supervise(spec("control", "stubborn", grace_seconds=60))
    await supervisor.begin()
    began = time.monotonic()
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0.1)
    supervisor.hurry()
    await asyncio.sleep(0.1)
    supervisor.hurry()
    await stopping

    assert time.monotonic() - began < 30  # half its grace
    assert "was killed" in told[-1]


async def test_the_socket_that_a_killed_child_left_is_removed_before_it_starts(supervise, tmp_path):
    stale = tmp_path / "admin.sock"
    stale.touch()

    await supervise(spec("control", sockets=(stale,))).begin()

    assert not stale.exists()


async def test_logs_are_bounded_however_much_a_child_prints(supervise, tmp_path):
    supervisor = supervise(spec("control", "noisy"))
    supervisor.children[0].log._largest = 1_000_000

    await supervisor.begin()

    sizes = [path.stat().st_size for path in tmp_path.glob("control.log*")]
    assert len(sizes) == 3
    assert max(sizes) <= 1_000_000


async def test_a_killed_supervisor_leaves_no_child(tmp_path):
    code = f"""
import asyncio, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from flyball.infra.processes.child import ChildSpec
from flyball.infra.processes.supervisor import Supervisor
async def main():
    specs = [ChildSpec(name=n, command=(sys.executable, {str(PROGRAM)!r}, d)) for n, d in (("a", "stubborn"), ("b", "work"))]
    supervisor = Supervisor(specs, __import__("pathlib").Path({str(tmp_path)!r}), print)
    supervisor.launch()
    await supervisor.begin()
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    process = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        while await asyncio.to_thread(process.stdout.readline) != "up\n":
            pass
        children = psutil.Process(process.pid).children()
        process.kill()

    assert len(children) == 2
    assert all(gone(child) for child in children)


def gone(process: psutil.Process) -> bool:
    """Whether it ends within two seconds; a zombie that nobody has reaped yet has ended."""
    for _ in range(200):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False
