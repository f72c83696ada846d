"""`flyball release`: propose on evidence, approve, serve, roll back, look."""

from typing import Annotated, Any

import typer

from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_hash,
    as_time,
    control,
    print_json,
    say,
    segment,
    show_list,
    show_one,
    wants_json,
)

from .errors import SharesError

app = Commands("release", help="Releases: what serves a function, and why.")


@app.command("list", permission="releases.read")
def list_releases(
    function: Annotated[str, typer.Option(help="Releases of this function only.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List releases, newest first."""
    columns = (
        Column("id"),
        Column("function"),
        Column("version", right=True),
        Column("status", "state"),
        Column("bundle.shares", "shares", _shares),
        Column("bundle.evidence", "evidence", _evidence),
        Column("hash", reads=as_hash),
        Column("created_ns", "proposed", as_ago),
    )
    found = control().get("/api/releases", function=function or None, limit=limit, cursor=cursor or None)
    show_list(found, columns, empty="No releases yet: `flyball release propose FUNCTION --evidence REPORT` makes one.")


@app.command("propose", permission="releases.write")
def propose(
    function: str,
    evidence: Annotated[list[str] | None, typer.Option(help="A report's id; may be repeated.")] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="NAME or NAME=PERCENT; may be repeated. The evidence's winner unless given."),
    ] = None,
    reason: Annotated[str, typer.Option(help="What this release is for.")] = "",
    override: Annotated[str, typer.Option(help="Why it is proposed though the gate refuses it; recorded.")] = "",
) -> None:
    """Propose a release; the gate refuses one without evidence that says PASS."""
    asked = {
        "function": function,
        "evidence": evidence or [],
        "shares": _parsed(variant or []),
        "reason": reason,
        "override": override,
    }
    _show(control().post("/api/releases", asked))


@app.command("approve", permission=("releases.approve", "releases.read"))
def approve(
    release_id: str,
    comment: Annotated[str, typer.Option(help="What you looked at, or why.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="Reject it instead.")] = False,
    bundle: Annotated[
        str, typer.Option(help="The bundle's hash that you looked at; the present one unless given.")
    ] = "",
) -> None:
    """Approve a release: sign its bundle."""
    client = control()
    release = segment(release_id)
    looked_at = bundle or client.get(f"/api/releases/{release}")["release"]["hash"]
    decision = {"decision": "rejected" if reject else "approved", "comment": comment, "bundle_hash": looked_at}
    _show_detail(client.post(f"/api/releases/{release}/approvals", decision))


@app.command("serve", permission="releases.write")
def serve(
    release_id: str,
    replacing: Annotated[
        str | None, typer.Option(help="The live release, where it is not the one this was proposed against.")
    ] = None,
) -> None:
    """Make an approved release live, everywhere within a second."""
    _show(control().post(f"/api/releases/{segment(release_id)}/promotion", {"replacing": replacing}))


@app.command("rollback", permission="releases.write")
def rollback(
    function: str,
    to: Annotated[str | None, typer.Option(help="The release to bring back; the one before unless given.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Bring an earlier release back and serve it at once."""
    _show(control().post("/api/releases/rollbacks", {"function": function, "to": to, "reason": reason}))


@app.command("show", permission="releases.read")
def show(release_id: str) -> None:
    """Show one release with its evidence and its decisions."""
    _show_detail(control().get(f"/api/releases/{segment(release_id)}"))


def _show(release: Any) -> None:
    columns = (
        Column("id"),
        Column("function"),
        Column("version"),
        Column("status", "state"),
        Column("hash", "bundle"),
        Column("bundle.shares", "shares", _shares),
        Column("bundle.evidence", "evidence", _evidence),
        Column("bundle.override", "override", _override),
        Column("bundle.reason", "reason"),
        Column("bundle.supersedes", "replaces"),
        Column("bundle.rolls_back_to", "rolls back to"),
        Column("served_ns", "served", as_time),
    )
    show_one(release, columns)


def _show_detail(detail: Any) -> None:
    if wants_json():
        print_json(detail)
        return
    _show(detail["release"])
    for one in detail["approvals"]:
        comment = f": {one['comment']}" if one["comment"] else ""
        say(f"{one['decision']} by {one['member_name']}, bundle {as_hash(one['bundle_hash'])}{comment}")
    if detail["lapsed"]:
        say(f"lapsed: {detail['lapsed']}")
    elif not detail["standing"]:
        say(f"not approved: `flyball release approve {detail['release']['id']}`")


def _parsed(variants: list[str]) -> dict[str, int]:
    """`NAME=PERCENT`, or one `NAME` for all of them."""
    shares = {}
    for text in variants:
        name, _, percent = text.rpartition("=") if "=" in text else (text, "", "100")
        if not percent.isdecimal():
            raise SharesError(f"{text!r} is not NAME=PERCENT", next_step="write it like --variant small=10")
        shares[name] = int(percent)
    return shares


def _shares(value: Any) -> str:
    return ", ".join(f"{share['variant']} {share['percent']} %" for share in value or ())


def _evidence(value: Any) -> str:
    found = [f"{one['report_id']} {'/'.join(v['verdict'] for v in one['verdicts']) or '-'}" for one in value or ()]
    return ", ".join(found) or "none"


def _override(value: Any) -> str:
    return f"{value['reason']} (refused: {'; '.join(value['refusals'])})" if value else ""
