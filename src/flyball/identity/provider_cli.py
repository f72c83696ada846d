"""`flyball providers`: who signs the organisation's members in."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from flyball.kit.errors import InvalidInputError
from flyball.surface.console import Column, Commands, as_ago, as_words, control, say, segment, show_list, show_one

app = Commands("providers", help="Sign-in providers: OpenID Connect, groups to roles.")

_LIST = (
    Column("name"),
    Column("issuer"),
    Column("joining"),
    Column("enforced", "passwords", lambda value: "off" if value else "on"),
    Column("updated_ns", "changed", as_ago),
)
_ONE = (
    Column("name"),
    Column("label"),
    Column("issuer"),
    Column("client_id", "client id"),
    Column("client_secret", "client secret"),
    Column("client_auth", "sent"),
    Column("scopes", reads=as_words),
    Column("groups_claim", "groups claim"),
    Column(
        "groups",
        reads=lambda value: "; ".join(f"{each['group']} -> {each['project']}: {each['role']}" for each in value),
    ),
    Column("domains", reads=as_words),
    Column("joining"),
    Column("link_by_email", "linked by e-mail"),
    Column("enforced"),
    Column("shown"),
)
Name = Annotated[str, typer.Argument(help="The provider's name.")]


@app.command("list", permission="providers.read")
def list_providers() -> None:
    """List the organisation's sign-in providers."""
    empty = "No sign-in providers yet: `flyball providers set NAME FILE` declares one."
    show_list(control().get("/api/providers"), _LIST, empty=empty)


@app.command("show", permission="providers.read")
def show(name: Name) -> None:
    """Show one provider."""
    show_one(control().get(f"/api/providers/{segment(name)}"), _ONE)


@app.command("set", permission="providers.write")
def set_provider(
    name: Name,
    file: Annotated[Path, typer.Argument(help="What it is like, as YAML: docs/identity.md has an example.")],
) -> None:
    """Declare a sign-in provider, or change one: what the file does not say is as in a new one."""
    show_one(control().put(f"/api/providers/{segment(name)}", _read(file)), _ONE)
    say(f"`flyball providers check {name}` asks it, and says what to register there.")


def _read(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read ({error.strerror})", next_step="name a file") from None
    except yaml.YAMLError:
        raise InvalidInputError(f"{file} is no YAML", next_step="see the example in docs/identity.md") from None


@app.command("check", permission="providers.write")
def check(name: Name) -> None:
    """Ask a provider for its addresses and keys, and look its client secret up, now."""
    checked = control().get(f"/api/providers/{segment(name)}/check")
    columns = (
        Column("provider"),
        Column("authorization_endpoint", "authorization"),
        Column("token_endpoint", "tokens"),
        Column("redirect_uri", "register there"),
    )
    show_one(checked, columns)


@app.command("remove", permission="providers.write")
def remove(name: Name) -> None:
    """Take a provider out of use: nobody signs in by it any more."""
    show_one(control().delete(f"/api/providers/{segment(name)}"), _ONE)
