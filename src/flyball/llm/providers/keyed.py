"""Every vendor that knows its callers by a key in a header: the catalog says which header, which paths, which dialects."""

from typing import Literal
from urllib.parse import quote

from flyball.llm.catalog import vendor
from flyball.llm.wire import Order, place

from .protocol import Ask, Upstream


class Keyed:
    """A base URL, a path by dialect, a key."""

    framing: Literal["sse", "eventstream"] = "sse"

    def dialects(self, upstream: Upstream) -> tuple[str, ...]:
        """Those of the catalog's entry, the operator's choice first."""
        spoken = tuple(vendor(upstream.vendor).dialects)
        return (upstream.dialect,) if upstream.dialect in spoken else spoken

    async def order(self, upstream: Upstream, ask: Ask) -> Order:
        """A POST to the dialect's path."""
        found = vendor(upstream.vendor)
        face = found.dialects[ask.dialect]
        path = face.count_path if ask.verb == "count_tokens" else face.path
        if ask.verb == "generate" and ask.stream and face.stream_path:
            path = face.stream_path
        name, worded = found.key
        key = upstream.api_key
        extra = (("openai-organization", upstream.organization),) if upstream.organization else ()
        return Order(
            url=(upstream.base_url or found.base_url).rstrip("/")
            + path.replace("{model}", quote(upstream.model, safe="")),
            headers=(*found.headers.items(), *extra, *ask.headers),
            body=ask.body,
            where=place(upstream.model, upstream.base_url or found.base_url),
            secrets=((name, worded.format(key.reveal())),) if key else (),
            blot=(key,) if key else (),
        )


PROVIDER = Keyed()
