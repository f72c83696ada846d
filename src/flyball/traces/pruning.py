"""Predicates that leave out files of the tables: other projects', and those of other times. Knows columns by which files lie apart."""

from flyball.infra.lake.questions import Holding

from .tables import day_of

_APART_NS = 600 * 1_000_000_000  # log records of a span lie no further before its start
_AFTER_NS = 24 * 3_600 * 1_000_000_000  # nor after it


def of_project(project: str) -> str:
    """The predicate that leaves out other projects' files."""
    return "project = '" + project.replace("'", "''") + "'"


def of_trace(project: str, trace_id: str) -> Holding:
    """The project's files that hold something of a trace."""
    return Holding((trace_id,), of_project(project))


def logs_near(project: str, begin_ns: int, end_ns: int) -> str:
    """Files with log records of spans that began between these times. A record that tells no time of its own may be of any."""
    times = f"time_ns >= {begin_ns - _APART_NS} and time_ns <= {end_ns + _AFTER_NS}"
    return f"{of_project(project)} and (({times}) or time_ns <= 0)"


def logs_between(project: str, since_ns: int, until_ns: int) -> str:
    """Files with log records of a stretch of time, whichever of its times a record tells."""
    return f"{_days(project, since_ns, until_ns)} and (time_ns >= {since_ns} or time_ns <= 0)"


def points_between(project: str, since_ns: int, until_ns: int) -> str:
    """Files with points of a stretch of time."""
    return f"{_days(project, since_ns, until_ns)} and time_ns >= {since_ns} and time_ns <= {until_ns}"


def _days(project: str, since_ns: int, until_ns: int) -> str:
    days = f"day >= '{day_of(max(0, since_ns))}' and day <= '{day_of(max(0, until_ns))}'"
    return f"{of_project(project)} and {days}"
