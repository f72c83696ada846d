"""The exit codes of every command, as one table. Knows no command; docs/exit-codes.md is generated from here."""

from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """What a command says to the shell."""

    OK = 0
    FAILED = 1
    USAGE = 2
    VERDICT_FAIL = 3
    VERDICT_INCONCLUSIVE = 4
    NOT_REACHABLE = 5
    NOT_ALLOWED = 6
    NOT_FOUND = 7
    CONFLICT = 8
    INTERRUPTED = 130


class ExitRow(NamedTuple):
    """A row of the documentation: the code, its word and one sentence."""

    code: ExitCode
    meaning: str


EXITS: tuple[ExitRow, ...] = (
    ExitRow(ExitCode.OK, "It did what was asked."),
    ExitRow(
        ExitCode.FAILED,
        "It could not be done; standard error says why and what to do next. `flyball doctor`: a check failed.",
    ),
    ExitRow(ExitCode.USAGE, "The command line, or what was sent with it, is not valid."),
    ExitRow(ExitCode.VERDICT_FAIL, "An evaluation's verdict is FAIL."),
    ExitRow(ExitCode.VERDICT_INCONCLUSIVE, "An evaluation's verdict is INCONCLUSIVE: the data cannot tell."),
    ExitRow(
        ExitCode.NOT_REACHABLE,
        "No flyball answers at the data directory or the server, or a part of it is away.",
    ),
    ExitRow(ExitCode.NOT_ALLOWED, "The key is missing, not valid, or may not do this."),
    ExitRow(ExitCode.NOT_FOUND, "The named thing does not exist."),
    ExitRow(
        ExitCode.CONFLICT,
        "It exists already, or is in a state that does not allow this; a second `flyball up` ends like this.",
    ),
    ExitRow(ExitCode.INTERRUPTED, "Stopped with Ctrl-C."),
)

_BY_STATUS = {
    400: ExitCode.USAGE,
    401: ExitCode.NOT_ALLOWED,
    403: ExitCode.NOT_ALLOWED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    413: ExitCode.USAGE,
    422: ExitCode.USAGE,
    502: ExitCode.NOT_REACHABLE,
    503: ExitCode.NOT_REACHABLE,
    504: ExitCode.NOT_REACHABLE,
}


def exit_code_of(status: int) -> ExitCode:
    """The exit code for an error with this HTTP status."""
    return _BY_STATUS.get(status, ExitCode.FAILED)


def exit_code_of_verdict(verdict: str) -> ExitCode:
    """The exit code for PASS, FAIL or INCONCLUSIVE."""
    return {"PASS": ExitCode.OK, "FAIL": ExitCode.VERDICT_FAIL}.get(verdict, ExitCode.VERDICT_INCONCLUSIVE)
