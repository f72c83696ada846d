"""`flyball health`: how the server does, and whether the objective for lag is met."""

from typing import Any

import typer

from flyball.surface.console import Column, Commands, ExitCode, control, print_json, say, show_list, wants_json

verbs = Commands("health", help="How the server does, and whether the objective for lag is met.")

_FINDINGS = (Column("name", "what"), Column("state"), Column("found"), Column("next_step", "what to do"))
_FLOWS = (
    Column("kind"),
    Column("waiting", "waiting"),
    Column("lag", "lag, s"),
    Column("acknowledged_rate", "acknowledged/s"),
    Column("stored_rate", "stored/s"),
    Column("acknowledged"),
    Column("stored"),
    Column("refused"),
)


@verbs.command("health", permission="health.read")
def health() -> None:
    """Show how the server does: lag, flushing, disk, runs, processes; exit code 1 where something asks for a deed."""
    told = control().get("/api/health")
    if wants_json():
        print_json(told)
    else:
        show_list(told["findings"], _FINDINGS, empty="")
        show_list(_flows(told["figures"]), _FLOWS, empty="")
        say(_conclusion(told))
    if told["state"] == "bad":
        raise typer.Exit(ExitCode.FAILED)


def _flows(figures: dict[str, Any]) -> list[dict[str, Any]]:
    waiting = {one["kind"]: one for one in figures["waiting"] or ()}
    return [
        {
            "kind": flow["kind"],
            "waiting": waiting[flow["kind"]]["records"] if waiting else "unknown",
            "lag": f"{waiting[flow['kind']]['lag_ns'] / 1e9:.1f}" if waiting else "unknown",
            "acknowledged_rate": f"{flow['acknowledged_rate']:.1f}",
            "stored_rate": f"{flow['stored_rate']:.1f}",
            "acknowledged": flow["acknowledged"],
            "stored": flow["stored"],
            "refused": flow["refused"],
        }
        for flow in figures["flows"]
    ]


def _conclusion(told: dict[str, Any]) -> str:
    todo = sum(finding["state"] in ("warn", "bad") for finding in told["findings"])
    return f"{todo} of {len(told['findings'])} ask for something." if todo else "Nothing asks for anything."
