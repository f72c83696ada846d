"""How a running server does, as it says itself: whether the objective for lag is met, and what else asks for a deed."""

from flyball.kit.errors import FlyballError
from flyball.settings import Settings
from flyball.surface.console import control

from .finding import Finding, failed, not_checked, ok, warning

_LOOKED_AT_HERE = {"disk", "PostgreSQL"}  # the doctor looks at these itself
_OBJECTIVE = "objective for lag"


def check_health(settings: Settings) -> list[Finding]:
    """A row for each thing that the server judges. A missed objective is history: it is told, and keeps nothing from working."""
    try:
        told = control(settings).get("/api/health", timeout=10)
    except FlyballError as error:
        return [not_checked("health", error.message, error.next_step)]
    return [_row(each) for each in told["findings"] if each["name"] not in _LOOKED_AT_HERE]


def _row(finding: dict[str, str]) -> Finding:
    name, state, found = finding["name"], finding["state"], finding["found"]
    step = finding["next_step"] or "`flyball health` shows more"
    if state in ("good", "note"):
        return ok(name, found)
    return warning(name, found, step) if state == "warn" or name == _OBJECTIVE else failed(name, found, step)
