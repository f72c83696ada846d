"""The terminal's face: common options, a client for the control API, tables, progress, exit codes. Knows no noun.

A room's `cli.py` imports typer, this package, its own records and kit, nothing else, and reads like this:

    from typing import Annotated

    import typer

    from flyball.surface.console import Column, Commands, as_ago, control, segment, show_list, show_one

    app = Commands("keys", help="API keys: how a program calls.")

    @app.command("list", permission="keys.read")
    def list_keys(limit: Annotated[int, typer.Option(help="How many.")] = 50) -> None:
        '''List the keys, newest first.'''
        keys = control().get("/api/keys", limit=limit)
        columns = (Column("name"), Column("prefix"), Column("created_ns", "created", as_ago))
        show_list(keys, columns, empty="No keys yet: `flyball keys create NAME` makes one.")

    @app.command("create", permission="keys.write")
    def create(name: str) -> None:
        '''Create a key and print it, this once.'''
        show_one(control().post("/api/keys", {"name": name}))

A command says which permission its caller needs, as a route does, or LOCAL. `Commands` adds `--json --data --server --key --project` to every command and prints a FlyballError as `error: ...` and `  next: ...` with
the documented exit code, so a command declares none of the five and catches nothing. Options that several commands share, or too many for one signature, are
the fields of an `OptionGroup`, which a command takes as one parameter. `show_list`, `show_one`, `say` and
`follow_run` obey `--json` by themselves. A command of the top level (`flyball why`) lives in a second group of its room,
`verbs = Commands("verbs", help="...")`; `cli/commands.py` names each noun and each verb in one line.
"""

from .client import ControlClient, control, segment
from .commands import LOCAL, Commands, OptionGroup
from .errors import ControlError, NotReachableError, RunFailedError
from .exits import ExitCode, exit_code_of_verdict
from .options import wants_json
from .progress import follow_run, progress_bar
from .tables import (
    Column,
    as_ago,
    as_bytes,
    as_hash,
    as_time,
    as_words,
    print_json,
    print_json_line,
    say,
    show_list,
    show_one,
    show_table,
)

__all__ = [
    "LOCAL",
    "Column",
    "Commands",
    "ControlClient",
    "ControlError",
    "ExitCode",
    "NotReachableError",
    "OptionGroup",
    "RunFailedError",
    "as_ago",
    "as_bytes",
    "as_hash",
    "as_time",
    "as_words",
    "control",
    "exit_code_of_verdict",
    "follow_run",
    "print_json",
    "print_json_line",
    "progress_bar",
    "say",
    "segment",
    "show_list",
    "show_one",
    "show_table",
    "wants_json",
]
