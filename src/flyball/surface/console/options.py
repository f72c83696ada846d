"""The five options that every command has (`--json --data --server --key --project`). Knows what was chosen, not what for."""

from contextvars import ContextVar
from typing import Annotated, Any

import msgspec
import typer

from flyball.kit.secrets import hiding
from flyball.settings import Settings, load_settings

_PANEL = "Which flyball, and how to print"

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=_PANEL)]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The data directory of the local flyball (FLYBALL_DATA, .flyball).",
        rich_help_panel=_PANEL,
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="A remote flyball instead (FLYBALL_SERVER).", rich_help_panel=_PANEL),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="KEY", help="The API key for the remote one; better in FLYBALL_KEY.", rich_help_panel=_PANEL
    ),
]

ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="NAME",
        help="Where a command at the server itself acts: project, or organisation/project (FLYBALL_PROJECT, default).",
        rich_help_panel=_PANEL,
    ),
]


@hiding("key")
class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What one command line chose; None is "not said"."""

    as_json: bool = False
    data: str | None = None
    server: str | None = None
    key: str | None = None
    project: str | None = None

    def settings(self, **more: Any) -> Settings:
        """Options over environment over defaults."""
        return load_settings(data=self.data, server=self.server, key=self.key, project=self.project, **more)


_CHOSEN: ContextVar[Options] = ContextVar("flyball_console_options", default=Options())  # noqa: B039 -- Options is frozen


def options() -> Options:
    """What the running command line chose."""
    return _CHOSEN.get()


def choose(chosen: Options) -> None:
    """Set what the running command line chose."""
    _CHOSEN.set(chosen)


def wants_json() -> bool:
    """Whether the answer is to be printed as JSON."""
    return options().as_json
