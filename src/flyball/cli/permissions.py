"""`flyball permissions`: what everything needs, the commands included, which the server does not know."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from flyball.surface.console import LOCAL, Column, Commands, as_words, control, show_list

from .commands import declared

verbs = Commands("permissions", help="What every route, page, job and command needs.")

_LIST = (Column("kind"), Column("name"), Column("permission"), Column("roles", reads=as_words))


@verbs.command("permissions", permission="authenticated")
def permissions(
    role: Annotated[str, typer.Option(help="Only what this role of the project may do.")] = "",
    kind: Annotated[str, typer.Option(help="route, page, model API, job or command.")] = "",
) -> None:
    """Print the permission of every route, page, path of the model API, job and command, and the roles that give it."""
    answer = control().get("/api/permissions")
    rows: list[dict[str, Any]] = [*answer["items"], *_commands(answer["items"])]
    chosen = [row for row in rows if (not role or role in row["roles"]) and (not kind or row["kind"] == kind)]
    show_list(chosen, _LIST, empty="Nothing: `flyball roles list` shows the roles.")


def _commands(known: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The commands as rows; who may run one has all that it needs."""
    giving = {row["permission"]: frozenset(row["roles"]) for row in known}
    order = list(dict.fromkeys(role for row in known for role in row["roles"]))
    for name, needed in sorted(declared()):
        roles = ["anybody"] if needed == (LOCAL,) else [one for one in order if _gives(one, needed, giving)]
        yield {"kind": "command", "name": name, "permission": ", ".join(needed), "roles": roles}


def _gives(role: str, needed: Iterable[str], giving: Mapping[str, frozenset[str]]) -> bool:
    return role != "anybody" and all(role in giving.get(one, frozenset()) for one in needed)
