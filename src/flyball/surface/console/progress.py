"""A progress bar over something long: a durable run, followed until it ends. Knows the shape of a run's record, not its kind."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from .client import ControlClient, segment
from .errors import NotReachableError, RunFailedError
from .harmless import HarmlessConsole

_FIRST_PAUSE = 0.1  # seconds between two looks at a run, growing to the longest
_LONGEST_PAUSE = 1.0
_PATIENCE = 60  # seconds for which flyball may be away (restarting, say) before we give up on following
_ENDED = frozenset({"succeeded", "failed"})

Report = Callable[[int, int, str], None]


def follow_run(client: ControlClient, run_id: str, *, title: str = "") -> dict[str, Any]:
    """Show the run's progress on standard error until it ends, and return its record.

    Raises:
        RunFailedError: it ended without success.
        NotReachableError: flyball was away for a minute; the run itself goes on when it is back.
    """
    with progress_bar(title or run_id) as report:
        run = _until_ended(client, run_id, report)
    if run["status"] != "succeeded":
        raise RunFailedError(
            f"run {run_id} ({run.get('kind', '')}) failed: {run.get('error') or 'no reason was recorded'}",
            next_step=f"`flyball runs show {run_id}` shows where it stopped",
        )
    return run


def _until_ended(client: ControlClient, run_id: str, report: Report) -> dict[str, Any]:
    pause, away_since = _FIRST_PAUSE, None
    while True:
        try:
            run: dict[str, Any] = client.get(f"/api/runs/{segment(run_id)}")
        except NotReachableError:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > _PATIENCE:
                raise
        else:
            away_since = None
            report(int(run.get("done") or 0), int(run.get("total") or 0), str(run.get("note") or run["status"]))
            if run["status"] in _ENDED:
                return run
        time.sleep(pause)
        pause = min(pause * 1.3, _LONGEST_PAUSE)


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """A bar on standard error; call what you are given with done, total (0: not known) and a note. Silent where nobody looks."""
    console = HarmlessConsole(file=sys.stderr)
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=None, note="")

        def report(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total or None, note=note)

        yield report
