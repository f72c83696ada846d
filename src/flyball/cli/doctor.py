"""`flyball doctor`: every check as a row, each with what to do. Knows the order of the checks, not how they look."""

import msgspec
import typer

from flyball.infra.processes.lock import Holder, holder_of
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.settings import Settings
from flyball.surface.console import LOCAL, Column, Commands, ExitCode, control, say, show_list
from flyball.surface.console.options import options

from .commands import load_server_part
from .diagnosis import directory, machine
from .diagnosis.finding import Finding, failed, not_checked, ok
from .diagnosis.health import check_health
from .errors import MissingExtraError

verbs = Commands("doctor", help="Check everything that flyball needs and say what to do.")

_COLUMNS = (Column("check"), Column("state"), Column("found"), Column("next_step", "what to do"))


@verbs.command("doctor", permission=LOCAL)
def doctor() -> None:
    """Check everything that flyball needs and say what to do; exit code 1 if a check failed."""
    settings = options().settings()
    findings = examine_remote(settings) if settings.server else examine(settings)
    show_list(msgspec.to_builtins(findings), _COLUMNS, empty="")
    broken = [finding for finding in findings if finding.state == "failed"]
    if broken:
        say(f"{len(broken)} of {len(findings)} checks failed.")
        raise typer.Exit(ExitCode.FAILED)
    say("Nothing keeps flyball from working.")


def examine(settings: Settings) -> list[Finding]:
    """The checks of a local flyball."""
    layout = Layout(settings.data_path)
    holder = _holder(layout)
    return [
        machine.check_python(),
        machine.check_extras(),
        machine.check_open_files(),
        directory.check_directory(layout),
        directory.check_permissions(layout),
        directory.check_disk(layout),
        directory.check_clock(layout),
        directory.check_running(holder),
        directory.check_sockets(layout, holder),
        *_of_the_server(settings, layout, holder),
        *(_running(settings) if holder else []),
    ]


def examine_remote(settings: Settings) -> list[Finding]:
    """The checks that can be made from afar."""
    return [machine.check_python(), *_running(settings)]


def _holder(layout: Layout) -> Holder | None:
    try:
        return holder_of(layout.lock)
    except OSError:
        return None  # the checks of the directory say why it cannot be read


def _of_the_server(settings: Settings, layout: Layout, holder: Holder | None) -> list[Finding]:
    try:
        server = load_server_part("flyball.cli.diagnosis.server")
        refused = load_server_part("flyball.cli.diagnosis.refused")
        mail = load_server_part("flyball.cli.diagnosis.mail")
    except MissingExtraError as error:
        names = ("port", "otlp port", "master key", "e-mail", "database", "refused records")
        return [not_checked(name, error.message, error.next_step) for name in names]
    return [
        server.check_port(settings, holder),
        server.check_otlp_port(settings, holder),
        server.check_master_key(settings, layout),
        mail.check_mail(settings, layout),
        *server.check_database(settings, layout, holder),
        *refused.check_refused(layout),
    ]


def _running(settings: Settings) -> list[Finding]:
    """What is asked of the server that runs; where it does not answer, that says it."""
    control_ = _control(settings)
    return [control_, *(check_health(settings) if control_.state == "ok" else [])]


def _control(settings: Settings) -> Finding:
    try:
        control(settings).get("/readyz", timeout=10)
    except FlyballError as error:
        return failed("control", error.message, error.next_step)
    return ok("control", "answers and is ready")
