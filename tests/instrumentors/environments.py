"""Where the libraries are installed, which of them sends as whom, and how one is played. Made once, from the package indexes.

Environments lie at the root of the repository, `.venv-instrumentors*`, one for each list of what is to be installed. Knows no
scene and no record.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from flyball.testing import Call, Turn

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

TOLD = {"prompt_tokens": 31, "cached_tokens": 12, "completion_tokens": 17, "reasoning_tokens": 5}
TURNS = (
    Turn(**TOLD), Turn(**TOLD),
    Turn(text="", tool_calls=(Call(name="get_weather", arguments='{"city": "Kraków"}', id="call_1"),), **TOLD),
    Turn(text="It rains at 11 degrees.", **TOLD),
)  # fmt: skip

# What is installed -> who plays in it.
PLAYERS = {
    "requirements.txt": (
        "openinference-openai", "openinference-anthropic", "openinference-langchain", "openinference-llama-index",
        "openinference-litellm", "openinference-google", "openllmetry-openai", "openllmetry-anthropic",
        "openllmetry-langchain", "openllmetry-llama-index", "openllmetry-google", "opentelemetry-openai", "pydantic-ai",
        "litellm-callback", "litellm-callback-genai", "mlflow-openai", "mlflow-openai-genai", "mlflow-anthropic", "mlflow-langchain", "langsmith-openai",
        "langsmith-langchain", "logfire-openai", "logfire-anthropic", "langfuse-openai",
    ),
    "requirements-livekit.txt": ("livekit",),
    "package.json": ("vercel-4", "vercel-5", "vercel-6", "vercel-7"),
}  # fmt: skip
NAMES = tuple(name for names in PLAYERS.values() for name in names)
_OF = {name: wanted for wanted, names in PLAYERS.items() for name in names}


# Whose "true" would mean something else than content on the spans.
_BY_MODE = ("opentelemetry-openai", "litellm-callback", "litellm-callback-genai")


class CannotInstallError(Exception):
    """What is to be installed cannot be had here; says why."""


def environment_of(name: str) -> Path:
    """The folder of the environment in which an instrumentor plays, which is made where it is not there yet."""
    wanted = HERE / _OF[name]
    at = ROOT / f".venv-instrumentors{wanted.stem.removeprefix('requirements').replace('package', '-node')}"
    stamp, digest = at / ".installed", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        shutil.rmtree(at, ignore_errors=True)
        if wanted.suffix == ".json":
            _install_packages(wanted, at)
        else:
            _install_requirements(wanted, at)
        stamp.write_text(digest)
    return at


def _install_requirements(wanted: Path, at: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", at], check=True)
    python = at / "bin" / "python"
    _install([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted], at)


def _install_packages(wanted: Path, at: Path) -> None:
    at.mkdir()
    shutil.copy(wanted, at)
    if shutil.which("npm") is None:
        raise CannotInstallError("there is no npm")
    _install(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"], at)


def _install(command: list[str | Path], at: Path) -> None:
    trusting = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}  # tests trust no registry
    if registries := os.environ.get("FLYBALL_TEST_REGISTRIES"):
        trusting["SSL_CERT_FILE"] = registries
    made = subprocess.run(command, cwd=at, env=trusting, capture_output=True, text=True, check=False)
    if made.returncode:
        raise CannotInstallError(f"{at.name} cannot be installed: {made.stderr[-300:]}")


def play(name: str, *, upstream: str, address: str, headers: str = "", content: str = "SPAN_ONLY") -> None:
    """The scenes of one instrumentor, told to an address. `content` is the mode of OpenTelemetry's own."""
    at = environment_of(name)
    environment = {
        "PATH": os.environ["PATH"],
        "UPSTREAM": upstream,
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": address,
        "OTEL_EXPORTER_OTLP_HEADERS": headers,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": content if name in _BY_MODE else "true",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "" if name == "litellm-callback" else "gen_ai_latest_experimental",
        "TRACELOOP_TRACE_CONTENT": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "USE_OTEL_LITELLM_REQUEST_SPAN": "true",
        "LINGER": "2" if name.startswith("litellm") else "0",
    }
    command: list[str | Path] = [at / "bin" / "python", HERE / "apps" / "run.py", name]
    if _OF[name] == "package.json":
        shutil.copy(HERE / "apps" / "vercel_calls.mjs", at)  # it finds its packages beside itself
        command = ["node", at / "vercel_calls.mjs", name]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if ended.returncode or "Failed to export" in ended.stderr:
        raise RuntimeError(f"{name}: {ended.stderr[-2000:]}")
