"""`flyball security`: what is on, what is off, and what to do."""

from flyball.surface.console import Column, Commands, control, print_json, say, show_list, wants_json

verbs = Commands("security", help="What is on, what is off, and what to do.")

_COLUMNS = (
    Column("topic"),
    Column("name", "what"),
    Column("state"),
    Column("found"),
    Column("next_step", "what to do"),
)


@verbs.command("security", permission="security.read")
def security() -> None:
    """Show how well this flyball is locked: what is on, what is off, and what to do."""
    posture = control().get("/api/security")
    if wants_json():
        return print_json(posture)
    show_list(posture["findings"], _COLUMNS, empty="")
    todo = sum(finding["state"] in ("warn", "bad") for finding in posture["findings"])
    return say(f"{todo} of {len(posture['findings'])} ask for something." if todo else "Nothing asks for anything.")
