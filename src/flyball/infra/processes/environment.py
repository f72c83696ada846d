"""What every child process finds in its environment. Knows which programs would call home, and the word that stops each."""

import os
from collections.abc import Mapping

OPT_OUTS: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OTEL_SDK_DISABLED": "true",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "SCARF_NO_ANALYTICS": "true",
    "VLLM_NO_USAGE_STATS": "1",
    "WANDB_MODE": "disabled",
}

_OURS = {
    "PYTHONUNBUFFERED": "1",  # a log line is in the file when it is printed
    "PYTHONFAULTHANDLER": "1",  # a crash leaves a traceback in the log
    "PYTHONSAFEPATH": "1",  # the folder in which `flyball up` is called cannot replace our modules
}

_HARMLESS = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "TZ"}
)


def child_environment(knobs: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, the knobs' values over it, and no telemetry whatever was set."""
    return {**os.environ, **_OURS, **OPT_OUTS, **knobs}


def bare_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For a child that works on what somebody sent (a file, a question): nothing of ours that it could give away."""
    kept = {name: value for name, value in os.environ.items() if name in _HARMLESS}
    return {**kept, **_OURS, **OPT_OUTS, **(more or {})}
