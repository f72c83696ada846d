"""Every vendor that knows its callers by a key in a header: the catalog says which header, which paths, which dialects."""

from typing import Literal

from flyball.llm.addressing import dialects_of, order_of
from flyball.llm.wire import Order, Wire

from .protocol import Ask, Upstream


class Keyed:
    """A base URL, a path by dialect, a key."""

    framing: Literal["sse", "eventstream"] = "sse"

    def dialects(self, upstream: Upstream) -> tuple[str, ...]:
        """Those of the catalog's entry, the operator's choice first."""
        return dialects_of(upstream)

    async def order(self, upstream: Upstream, ask: Ask, wire: Wire) -> Order:  # noqa: ARG002 -- a key needs no question
        """A POST to the dialect's path."""
        return order_of(upstream, ask, upstream.api_key)


PROVIDER = Keyed()
