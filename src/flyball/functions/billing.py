"""What running a variant has cost: an entry of the ledger for the run, and one for each attempt at a model that it made. Pure.

Knows entries and spans; knows not who asked, nor where entries go.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.ledger.records import Entry
from flyball.llm.usage import Usage
from flyball.traces.records import Span

from .records import PinnedVariant

_BUCKETS = tuple(name for name in Usage.__struct_fields__ if name in Entry.__struct_fields__)


def used(usage: Usage | None) -> dict[str, Any]:
    """A usage, as fields of an entry."""
    return {} if usage is None else {name: getattr(usage, name) for name in _BUCKETS}


def model_asked(variant: PinnedVariant) -> str | None:
    """The name of the model that a variant asks; the entry of its run bears it too, so that both count the request."""
    model = variant.spec.get("model")
    name: str | None = model["name"] if isinstance(model, dict) else None
    return name


def entries_of_run(run: Entry, spans: Sequence[Span]) -> Iterator[Entry]:
    """The run's own entry, which counts as one request and costs nothing, then its attempts at models in their order."""
    yield run
    tries = [span for span in spans if span.kind == "llm"]
    for number, span in enumerate(tries, 1):
        failed = "cancelled" if run.state == "cancelled" else "failed"
        yield msgspec.structs.replace(
            run,
            id=span.span_id,
            state="retried" if number < len(tries) else failed if span.status == "error" else "complete",
            requests=0,
            model=span.attributes.get("model") or span.model_requested or None,
            provider=span.provider or None,
            upstream_model=span.model_requested or None,
            nano_usd=span.cost_nano_usd,
            price_version=span.price_version or None,
            **used(span.usage),
        )
