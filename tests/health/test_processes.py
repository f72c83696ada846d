"""What processes use, as the operating system tells it."""

import os

import psutil

from flyball.health.processes import SUPERVISOR, usages_of
from flyball.infra.processes.vitals import Vitals
from flyball.kit.tally import Counted


def test_what_the_processes_of_postgresql_share_counts_once(postgres):
    supervisor = Vitals(
        role=SUPERVISOR, pid=os.getpid(), started_ns=1, written_ns=1, levels=(Counted("pid", "postgres", postgres.pid),)
    )
    family = [psutil.Process(postgres.pid), *psutil.Process(postgres.pid).children()]
    each = [process.memory_info().rss for process in family]

    told = usages_of([supervisor])

    assert told[os.getpid()].memory > 0
    assert len(family) > 4
    assert max(each) <= told[postgres.pid].memory * 1.05
    assert told[postgres.pid].memory < sum(each)
