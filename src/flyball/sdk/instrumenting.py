"""`instrument`: libraries that call models are observed without a change, by OpenInference's packages.

    flyball.instrument("openai", "langchain")

They are the field's own instrumentors, each a package of its own that the application installs; here they are found, handed a
tracer whose spans come to flyball, and joined with what is observed. Knows packages and how to ask for them; knows no library.
"""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from flyball.kit.errors import InvalidInputError

from .warning import warn_once

_GROUP = "openinference_instrumentor"
_PACKAGE = "openinference-instrumentation-"


class NotInstalledError(InvalidInputError):
    """What is to be used is not installed."""

    code = "not_installed"


def instrument(*names: str) -> list[str]:
    """Observe these libraries from here on (openai, anthropic, langchain, ...); all for which a package is installed unless named.

    Their spans and those of `observe` are one tree. Call it once, where the application begins. Returns which are observed: an
    instrumentor that fails, or whose library is not there, is told in the log and left out.

    Raises:
        NotInstalledError: a package is missing; the error has the command.
    """
    found = {_plain(point.name): point for point in entry_points(group=_GROUP)}
    missing = [name for name in names if _plain(name) not in found]
    if missing or not found:
        packages = " ".join(f"{_PACKAGE}{_plain(name)}" for name in missing or ("openai",))
        raise NotInstalledError(
            f"no instrumentor is installed for {', '.join(missing) or 'any library'} (installed: {', '.join(sorted(found)) or 'none'})",
            next_step=f"pip install 'flyball[instrument]' {packages}",
        )
    provider = _provider()
    wanted = [_plain(name) for name in names] or sorted(found)
    observed = [name for name in dict.fromkeys(wanted) if _instrumented(name, found[name], provider)]
    if "langchain" in observed and (clients := _CLIENTS.intersection(observed)):
        warn_once(
            f"langchain and {', '.join(sorted(clients))} are both observed: what a chain asks of a model is told by both, and counted twice."
            f" Next: instrument one of them"
        )
    return observed


# Clients that LangChain's models call: its instrumentor tells those calls as well, and tells nobody that it does.
_CLIENTS = frozenset({"openai", "anthropic", "google-genai", "bedrock", "groq", "mistralai", "litellm", "vertexai"})


def _provider() -> Any:
    try:
        return import_module("flyball.sdk.otel").provide()
    except ImportError as error:
        raise NotInstalledError(
            f"OpenTelemetry's SDK is not installed ({error})", next_step="pip install 'flyball[instrument]'"
        ) from error


def _instrumented(name: str, point: EntryPoint, provider: Any) -> bool:
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=provider)
        observed = bool(instrumentor.is_instrumented_by_opentelemetry)
    except Exception as error:  # noqa: BLE001 -- somebody else's package against somebody else's library
        warn_once(f"{name} is not observed: its instrumentor fails ({error!r:.200})")
        return False
    if not observed:
        warn_once(
            f"{name} is not observed: its library is not installed, or in a version that the instrumentor does not know"
        )
    return observed


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")
