"""`flyball audit`: who did what, and whether the record still holds, here or in a file."""

import contextlib
import secrets
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from flyball.kit.errors import FlyballError, InvalidInputError
from flyball.surface.console import Column, Commands, ExitCode, as_time, control, say, show_list, show_one

from .records import Head

app = Commands("audit", help="The chained record of who did what to which object.")

_LIST = (
    Column("seq", right=True),
    Column("at_ns", "when", as_time),
    Column("actor_name", "who"),
    Column("actor_kind", "as"),
    Column("auth_method", "proved by"),
    Column("action"),
    Column("object_id", "object"),
)
_HOUR = 3_600.0
HeadOption = Annotated[str, typer.Option(help="SEQ:HASH of a head noted earlier; the chain must pass through it.")]


@app.command("list", permission="audit.read")
def list_events(
    *,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    actor: Annotated[str, typer.Option(help="Events by this name or id only.")] = "",
    action: Annotated[str, typer.Option(help="Events of this action only, such as releases.approve.")] = "",
    object_kind: Annotated[str, typer.Option("--kind", help="Events about objects of this kind only.")] = "",
    object_id: Annotated[str, typer.Option("--object", help="Events about this object only, by its id or name.")] = "",
    since: Annotated[str, typer.Option(help="From this date or time on, in UTC: 2026-11-21.")] = "",
    until: Annotated[str, typer.Option(help="Before this date or time.")] = "",
) -> None:
    """List events, newest first."""
    asked = {"actor": actor, "action": action, "object_kind": object_kind, "object_id": object_id}
    asked |= {"since": since, "until": until, "cursor": cursor}
    wanted = {name: value for name, value in asked.items() if value}
    events = control().get("/api/audit/events", timeout=60, limit=limit, **wanted)
    show_list(events, _LIST, empty="Nothing of that kind was recorded: `flyball apply` would be a start.")


@app.command("show", permission="audit.read")
def show(seq: Annotated[int, typer.Argument(help="The event's number.")]) -> None:
    """Show one event in words, with its hash."""
    told = control().get(f"/api/audit/events/{seq}")
    show_one({"sentence": told["sentence"]} | told["event"])


@app.command("verify", permission="audit.read")
def verify(
    head: HeadOption = "",
    file: Annotated[Path | None, typer.Option(help="An export to check by itself: no server is asked.")] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="Whose signatures count (`flyball audit key`); may be repeated.")
    ] = None,
) -> None:
    """Check the whole chain; exit code 1 where an event was changed, removed or moved.

    Note the printed head, or the public key and the checkpoints, somewhere that this server cannot write: against them even
    a chain that was made anew shows.
    """
    expected = _head(head)
    if file is None and public_key:
        raise InvalidInputError(
            "--public-key is for --file; a running server trusts its own key",
            next_step="set FLYBALL_AUDIT_TRUSTED_KEYS for the server, or give --file",
        )
    found = _verify_here(expected) if file is None else _verify_file(file, public_key or [], expected)
    show_one(found | {"head": f"{found['head']['seq']}:{found['head']['hash']}"})
    if not found["ok"]:
        raise typer.Exit(ExitCode.FAILED)
    if file is not None and not public_key:
        say("By itself the file is in order. Whose it is, --public-key says: compare with `flyball audit key`.")


@app.command("export", permission="audit.read")
def export(file: Annotated[Path, typer.Argument(help="Where to write; an existing file is not replaced.")]) -> None:
    """Write the whole chain with its checkpoints as JSON lines that verify by themselves."""
    if file.exists():
        raise _taken(file)
    data = control().get_bytes("/api/audit/export", timeout=_HOUR)
    _write(file, data)
    lines = data.count(b"\n")
    show_one({"file": str(file), "lines": lines, "bytes": len(data)})


@app.command("key", permission="audit.read")
def key() -> None:
    """Print the public key that signs this server's checkpoints, and the last of them."""
    stands = control().get("/api/audit/standing")
    latest = stands["latest"]["checkpoint"] if stands["latest"] else None
    show_one(
        {"key": stands["key"], "checkpoints": stands["checkpoints"], "signed_up_to": latest["seq"] if latest else 0}
    )


@app.command("standing", permission="audit.read")
def standing() -> None:
    """Show the chain's end, its last checkpoint, the retention, and how far each sink has come."""
    show_one(control().get("/api/audit/standing"))


@app.command("checkpoint", permission="audit.write")
def checkpoint() -> None:
    """Sign where the chain stands now, instead of waiting until it is time."""
    latest = control().post("/api/audit/checkpoints", timeout=_HOUR)["latest"]
    if latest is None:
        return say("There is nothing to sign yet.")
    return show_one(latest["checkpoint"] | {"signature": latest["signature"]})


@app.command("prune", permission="audit.write")
def prune() -> None:
    """Give up what is older than FLYBALL_AUDIT_RETENTION_DAYS now, instead of within the hour."""
    show_one(control().post("/api/audit/prunings", timeout=_HOUR))


def _head(text: str) -> Head | None:
    seq, colon, hash_ = text.partition(":")
    if text and not (colon and seq.isdecimal() and hash_):
        raise InvalidInputError(
            f"--head {text!r:.80} is not SEQ:HASH", next_step="give a head as `audit verify` prints it"
        )
    return Head(seq=int(seq), hash=hash_) if text else None


def _verify_here(expected: Head | None) -> Any:
    asked = {"seq": expected.seq, "hash": expected.hash} if expected else {}
    return control().get("/api/audit/verification", timeout=_HOUR, **asked)


def _verify_file(file: Path, public_keys: list[str], expected: Head | None) -> Any:
    """Loaded when it is asked for: a base install has no library for signatures."""
    try:
        offline = import_module("flyball.audit.offline")
    except ModuleNotFoundError as error:
        raise FlyballError(
            f"checking signatures needs the library {error.name!r}, which is not installed",
            next_step="pip install 'flyball[server]'",
        ) from None
    return msgspec.to_builtins(offline.verify_file(file, public_keys=public_keys, expected=expected))


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, for its owner's eyes, and never in the place of another file."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        beside.touch(mode=0o600, exist_ok=False)
        beside.write_bytes(data)
        file.hardlink_to(beside)
    except FileExistsError:
        raise _taken(file) from None
    except OSError as error:
        raise InvalidInputError(
            f"{file} cannot be written ({error.strerror})", next_step="choose another place"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _taken(file: Path) -> InvalidInputError:
    return InvalidInputError(f"{file} is there already", next_step="choose another name, or remove it first")
