"""`flyball secrets`: what models are called with. A value is read from standard input or asked for, never an argument."""

import getpass
import sys
from typing import Annotated, Any

import typer

from flyball.kit.errors import InvalidInputError
from flyball.surface.console import Column, Commands, as_ago, as_words, control, say, segment, show_list, show_one

app = Commands("secrets", help="Secrets: what models are called with, encrypted and told to nobody.")

_LONGEST = 128 * 1024


def _as_uses(uses: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(use["model"] for use in uses))


_LIST = (
    Column("name"),
    Column("version", right=True),
    Column("hosts", "may be sent to", as_words),
    Column("used_by", "used by", _as_uses),
    Column("created_ns", "set", as_ago),
    Column("created_by", "by"),
)

Name = Annotated[str, typer.Argument(help="The secret's name; models refer to it as secret:NAME.")]


@app.command("list", permission="secrets.read")
def list_secrets() -> None:
    """List the secrets, without their values."""
    show_list(
        control().get("/api/secrets"),
        _LIST,
        empty="No secrets yet: `flyball secrets set NAME --host HOST` keeps one, for models to name as secret:NAME.",
    )


@app.command("set", permission=("secrets.read", "secrets.write"))
def set_secret(
    name: Name,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Where it may be sent: host (https) or host:port. Repeat it for several."),
    ] = None,
) -> None:
    """Keep a value, read from standard input or asked for, in place of the one before.

    Without --host it is asked whether it may be sent where the models that name it would send it.
    """
    hosts = tuple(host or ()) or _confirmed(name)
    value = _value(name)
    show_one(control().put(f"/api/secrets/{segment(name)}", {"value": value, "hosts": hosts}), _LIST)
    say(f"Models name it as secret:{name}. It is in force within a second, and shown to nobody.")


def _confirmed(name: str) -> tuple[str, ...]:
    """The hosts of the models that name it, once a person has agreed."""
    wanted = tuple(control().get(f"/api/secrets/{segment(name)}/wanted-hosts")["hosts"])
    options = " ".join(f"--host {one}" for one in wanted) or "--host api.openai.com"
    if wanted and sys.stdin.isatty() and typer.confirm(f"May {name} be sent to {', '.join(wanted)}?", err=True):
        return wanted
    raise InvalidInputError(
        f"it is not said where {name!r} may be sent" + ("" if wanted else ", and no model names it yet"),
        next_step=f"`flyball secrets set {name} {options}`",
    )


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(f"Value of {name}: ")
    return sys.stdin.read(_LONGEST).rstrip("\r\n")


@app.command("remove", permission="secrets.write")
def remove(name: Name) -> None:
    """Forget a value; models that name it cannot be called from then on."""
    show_one(control().delete(f"/api/secrets/{segment(name)}"), _LIST)


@app.command("rotate-data-key", permission="secrets.write")
def rotate_data_key() -> None:
    """Encrypt the project's secrets anew under a new data key."""
    show_one(control().post("/api/data-key/rotations", timeout=600))


@app.command("rotate-master", permission="secrets.write")
def rotate_master() -> None:
    """Put all data keys under the current master key; the earlier one stands in FLYBALL_MASTER_KEY_OLD, or behind it.

    The file in the data directory, which is made where no master key was given, gets a new key here.
    """
    show_one(control().post("/api/master-key/rotations", timeout=600))
    say("The earlier master key is needed no more.")


@app.command("master-key", permission="secrets.read")
def show_master_key() -> None:
    """Show where the master key comes from, which it is, and whether it opens everything."""
    show_one(control().get("/api/master-key"))
