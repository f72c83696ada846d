"""The processes of a running flyball, as one table. Knows their commands, sockets and the order in which they stop."""

import sys

from flyball.infra.processes.child import ChildSpec
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import KNOBS, Settings

_GATEWAYS, _RUNNERS, _WORKERS, _CONTROL, _FLUSHER = range(5)  # what calls something else stops before it


def children(settings: Settings, layout: Layout, database_url: str, listener: int) -> list[ChildSpec]:
    """What `flyball up` starts, gateway workers inheriting the listening socket."""
    knobs = _knobs(settings, layout, database_url)
    gateways = [
        ChildSpec(
            name=f"gateway-{number}",
            command=_python("flyball.web", "gateway", "--fd", str(listener)),
            knobs=knobs,
            inherits=(listener,),
            stop_wave=_GATEWAYS,
            grace_seconds=60,
        )
        for number in range(1, settings.workers + 1)
    ]
    return [
        ChildSpec(
            name="control",
            command=_python("flyball.web", "control"),
            knobs=knobs,
            sockets=(layout.socket("admin"), layout.socket("public")),
            stop_wave=_CONTROL,
        ),
        ChildSpec(
            name="runner",
            command=_python("flyball.worker", "runner"),
            knobs=knobs,
            sockets=(layout.socket("runner"),),
            stop_wave=_RUNNERS,
        ),
        ChildSpec(
            name="worker", command=_python("flyball.worker", "jobs"), knobs=knobs, stop_wave=_WORKERS, later=True
        ),
        ChildSpec(
            name="flusher", command=_python("flyball.worker", "flusher"), knobs=knobs, stop_wave=_FLUSHER, later=True
        ),
        *gateways,
    ]


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _knobs(settings: Settings, layout: Layout, database_url: str) -> dict[str, str]:
    """Every knob as this start has it, so that no child parses anything else. Secret ones are in the environment already."""
    values = {knob.variable: str(getattr(settings, knob.name)) for knob in KNOBS if knob.type is not Secret}
    return values | {"FLYBALL_DATA": str(layout.root), "FLYBALL_DATABASE_URL": database_url}
