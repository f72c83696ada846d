"""A process that steps back does so among all others, and takes nobody along."""

import subprocess
import sys
from pathlib import Path

import pytest

STEPS_BACK = """
import os, sys
from pathlib import Path
from flyball.infra.processes.priority import step_back
step_back(int(sys.argv[1]))
print(os.nice(0), Path("/proc/self/autogroup").read_text().split()[-1])
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this system gives sessions no share of their own"
)


def niceness_of(by, *, new_session):
    """Of a process that steps back by so much, and of its session."""
    told = subprocess.run(
        [sys.executable, "-c", STEPS_BACK, str(by)],
        capture_output=True, check=True, text=True, start_new_session=new_session,
    )  # fmt: skip
    return told.stdout.split()


def test_whoever_leads_a_session_makes_it_nice_as_well():
    assert niceness_of(5, new_session=True) == ["5", "5"]


def test_who_shares_a_session_leaves_it_as_it_is():
    before = Path("/proc/self/autogroup").read_text().split()[-1]

    assert niceness_of(5, new_session=False)[1] == before


def test_nothing_changes_where_nobody_steps_back():
    assert niceness_of(0, new_session=True) == ["0", "0"]
