"""`python -m flyball.worker jobs|runner|flusher`: which of the background processes this one is."""

import sys
from importlib import import_module

from flyball.infra.processes.priority import step_back
from flyball.infra.processes.reporting import report
from flyball.settings import load_settings

_PROCESSES = {"jobs": "flyball.worker.jobs", "runner": "flyball.worker.runner", "flusher": "flyball.worker.flusher"}
# Where processor time is short, who answers a caller goes first, and what was acknowledged is stored before tables are tidied.
_NICENESS = {"flusher": 5, "jobs": 10}


def main(arguments: list[str]) -> None:
    """Become the process that was asked for, and import nothing of the others: call `main(settings)` of its module."""
    module = _PROCESSES.get(arguments[0]) if len(arguments) == 1 else None
    if module is None:
        sys.exit(f"usage: python -m flyball.worker {'|'.join(_PROCESSES)}")
    settings = load_settings()
    report(settings.log_level)
    step_back(_NICENESS.get(arguments[0], 0))
    import_module(module).main(settings)


if __name__ == "__main__":
    main(sys.argv[1:])
