"""LanceDB is loaded by who searches or builds: the processes that merely know of it start in half the time without."""

import subprocess
import sys


def test_processes_that_know_of_builds_do_not_load_the_engine():
    engine = ("lancedb", "lance_namespace")
    code = f"import sys, flyball.web.control, flyball.worker.jobs; print([n for n in {engine!r} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
