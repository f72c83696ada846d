"""The processes of a running flyball: those that told of themselves, those that the supervisor knows, and PostgreSQL's.

What a process uses is asked of the operating system; what it does it told itself. Call it in a thread.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import psutil

from flyball.infra.processes.vitals import Vitals
from flyball.kit.clock import NANOSECONDS

from .records import Process

SUPERVISOR = "supervisor"
_POSTGRES = "postgres"


class Usage(NamedTuple):
    """What a process uses now. PostgreSQL's processes are one, and what they share counts once."""

    memory: int
    cpu_seconds: float
    started_ns: int


def processes_of(
    vitals: Sequence[Vitals], usages: Mapping[int, Usage], cpu_percents: Mapping[int, float], now_ns: int
) -> tuple[Process, ...]:
    """Every process by its role, the supervisor first."""
    supervisor = next((one for one in vitals if one.role == SUPERVISOR), None)
    told = {one.role: one for one in vitals}
    known = {one.of: int(one.number) for one in supervisor.levels if one.name == "pid"} if supervisor else {}
    roles = sorted(told.keys() | known.keys(), key=lambda role: (role != SUPERVISOR, role))
    found = []
    for role in roles:
        pid = known.get(role) or (told[role].pid if role in told else 0)
        usage = usages.get(pid)
        vital = told.get(role)
        found.append(
            Process(
                role=role,
                pid=pid,
                running=usage is not None,
                restarts=max(0, int(supervisor.sum_of("starts", role)) - 1) if supervisor else 0,
                started_ns=usage.started_ns if usage else None,
                silent_seconds=round((now_ns - vital.written_ns) / NANOSECONDS, 1) if vital else None,
                memory=usage.memory if usage else None,
                cpu_seconds=usage.cpu_seconds if usage else None,
                cpu_percent=cpu_percents.get(pid),
                ended=supervisor.words.get(f"ended {role}", "") if supervisor else "",
            )
        )
    return tuple(found)


def usages_of(vitals: Sequence[Vitals]) -> dict[int, Usage]:
    """What those use that are alive, by process."""
    pids = {one.pid for one in vitals}
    supervisor = next((one for one in vitals if one.role == SUPERVISOR), None)
    postgres = int(supervisor.level_of("pid", _POSTGRES) or 0) if supervisor else 0
    if supervisor:
        pids |= {int(one.number) for one in supervisor.levels if one.name == "pid"} - {0, postgres}
    found = {pid: usage for pid in pids if (usage := _usage(pid))}
    if postgres and (usage := _usage_of_family(postgres)):
        found[postgres] = usage
    return found


def _usage(pid: int) -> Usage | None:
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return Usage(process.memory_info().rss, times.user + times.system, int(process.create_time() * NANOSECONDS))
    except psutil.Error:
        return None


def _usage_of_family(pid: int) -> Usage | None:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children()]
        return Usage(
            _together(family),
            sum(_cpu(one) for one in family),
            int(parent.create_time() * NANOSECONDS),
        )
    except psutil.Error:
        return None


def _together(family: Iterable[psutil.Process]) -> int:
    """Memory of processes that share some, which counts once: the most that one of them shares.

    Nearly what their proportional sizes add up to, for which the system would walk through every page of each.
    """
    own = shared = 0
    for process in family:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_info()
            known = getattr(memory, "shared", 0)
            own += memory.rss - known
            shared = max(shared, known)
    return own + shared


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def alive(vitals: Iterable[Vitals], usages: Mapping[int, Usage]) -> tuple[Vitals, ...]:
    """Those whose process lives: what a killed one left behind is not its successor's."""
    return tuple(
        one
        for one in vitals
        if (usage := usages.get(one.pid)) is not None and usage.started_ns <= one.started_ns + NANOSECONDS
    )
