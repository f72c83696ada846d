"""A process that steps back does so among all others, and takes nobody along."""

import os
import subprocess
import sys

import pytest

from flyball.infra.processes import priority

STEPS_BACK = """
import os, sys
from flyball.infra.processes.priority import SESSION, step_back
step_back(int(sys.argv[1]))
print(os.nice(0), SESSION.read_text().split()[-1])
"""


@pytest.fixture
def share():
    """The niceness of this session; without one there is nothing to be nice with."""
    told = priority.SESSION.read_text().split() if priority.SESSION.exists() else []
    if not told:
        pytest.skip("this system gives sessions no share of their own")
    return int(told[-1])


def niceness_of(by, *, new_session):
    """Of a process that steps back by so much, and of its session."""
    told = subprocess.run(
        [sys.executable, "-c", STEPS_BACK, str(by)],
        capture_output=True, check=True, text=True, start_new_session=new_session,
    )  # fmt: skip
    return tuple(map(int, told.stdout.split()))


def test_whoever_leads_a_session_makes_it_nice_as_well(share):
    assert niceness_of(5, new_session=True) == (min(19, os.nice(0) + 5), 5)


def test_who_shares_a_session_leaves_it_as_it_is(share):
    assert niceness_of(5, new_session=False) == (min(19, os.nice(0) + 5), share)


def test_nothing_changes_where_nobody_steps_back(share):
    assert niceness_of(0, new_session=True) == (os.nice(0), 0)


class Busy:
    """A session that is told of by others at the moment, so many times."""

    def __init__(self, times):
        self.times, self.told = times, []

    def write_text(self, text):
        if self.times:
            self.times -= 1
            raise BlockingIOError
        self.told.append(text)


@pytest.mark.parametrize("times", [0, 3, 10**6])
def test_while_others_tell_of_theirs_it_tries_again_and_gives_up_in_the_end(times, monkeypatch):
    session = Busy(times)
    monkeypatch.setattr(priority, "SESSION", session)
    monkeypatch.setattr(priority, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(os, "nice", lambda by: by)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())

    priority.step_back(5)

    assert session.told == (["5"] if times < 20 else [])
