"""`flyball` itself: lists the table of commands without loading any, and loads the one that is called."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import flyball

from .commands import COMMANDS, load

_COMMON_WITH_VALUE = ("--data", "--server", "--key")


class Root(TyperGroup):
    """The group of all commands."""

    _listing = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for entry in COMMANDS:
            self.add_command(TyperCommand(entry.name, help=entry.help))

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002 -- the signature is typer's
        """The command of that word: its sentence alone while help is listed, the real one when it is called."""
        for entry in COMMANDS:
            if entry.name == cmd_name and not self._listing:
                return load(entry)
        return self.commands.get(cmd_name)  # type: ignore[return-value] # only TyperCommands were added

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List without loading."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


app = typer.Typer(
    cls=Root,
    name="flyball",
    help="Closed-loop operations for applications built on language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command has --help, --json, and --data DIR or --server URL. `flyball doctor` says what to do when something is wrong.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"flyball {flyball.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def options_last(arguments: list[str]) -> list[str]:
    """`flyball --data DIR keys list` means `flyball keys list --data DIR`: common options may stand before the command."""
    front: list[str] = []
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] in (*_COMMON_WITH_VALUE, "--json"):
        takes_next = rest[0] in _COMMON_WITH_VALUE
        front += rest[: 2 if takes_next else 1]
        rest = rest[2 if takes_next else 1 :]
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *front, *rest[end:]]
