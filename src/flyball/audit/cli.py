"""`flyball audit`: who did what, and whether the record still holds."""

from typing import Annotated

import typer

from flyball.kit.errors import InvalidInputError
from flyball.surface.console import Column, Commands, ExitCode, as_time, control, show_list, show_one

app = Commands("audit", help="The chained record of who did what to which object.")

_LIST = (
    Column("seq", right=True),
    Column("at_ns", "when", as_time),
    Column("actor_name", "who"),
    Column("actor_kind", "as"),
    Column("action"),
    Column("object_id", "object"),
)


@app.command("list")
def list_events(
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    object_id: Annotated[str, typer.Option("--object", help="Events of this object only.")] = "",
) -> None:
    """List events, newest first."""
    events = control().get("/api/audit/events", limit=limit, cursor=cursor or None, object_id=object_id or None)
    show_list(events, _LIST, empty="Nothing has been changed yet: `flyball apply` would be a start.")


@app.command("verify")
def verify(
    head: Annotated[str, typer.Option(help="SEQ:HASH of a head noted earlier; the chain must pass through it.")] = "",
) -> None:
    """Walk the whole chain; exit code 1 where an event was changed, removed or moved.

    Note the printed head somewhere that this server cannot write: against it even a rebuilt chain shows.
    """
    seq, colon, hash_ = head.partition(":")
    if head and not (colon and seq.isdecimal() and hash_):
        raise InvalidInputError(
            f"--head {head!r:.80} is not SEQ:HASH", next_step="give a head as `audit verify` prints it"
        )
    found = control().get("/api/audit/verification", timeout=600, seq=seq or None, hash=hash_ or None)
    show_one(found | {"head": f"{found['head']['seq']}:{found['head']['hash']}"})
    if not found["ok"]:
        raise typer.Exit(ExitCode.FAILED)
