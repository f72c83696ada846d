"""Amazon Bedrock: known by a signature over each request, or by one of Bedrock's own API keys; streams in Amazon's framing."""

from typing import Literal

from flyball.kit.clock import to_datetime
from flyball.llm.addressing import dialects_of, order_of
from flyball.llm.errors import UpstreamRefusedError
from flyball.llm.sigv4 import Signer, signed
from flyball.llm.wire import Order, Wire

from .protocol import Ask, Upstream

_OPEN = "x-amz-date"  # of the headers that a signature adds, the one that is no secret


class Bedrock:
    """An address by region, and the keys of an AWS account."""

    framing: Literal["sse", "eventstream"] = "eventstream"

    def dialects(self, upstream: Upstream) -> tuple[str, ...]:
        """Those of the catalog's entry."""
        return dialects_of(upstream)

    async def order(self, upstream: Upstream, ask: Ask, wire: Wire) -> Order:
        """A POST, signed as of now. Raises UpstreamRefusedError where there is nothing to sign with."""
        order = order_of(upstream, ask, upstream.api_key)
        if upstream.api_key is not None:
            return order
        key = upstream.secret_access_key
        if key is None or not upstream.access_key_id:
            raise UpstreamRefusedError(
                f"{order.where} has neither an API key nor an access key to sign with",
                upstream_status=401,
                next_step="give the model's endpoint api_key, or access_key_id and secret_access_key",
            )
        token = upstream.session_token
        signer = Signer(
            upstream.access_key_id, key.reveal(), token.reveal() if token else "", upstream.region, "bedrock"
        )
        added = signed(
            signer,
            order.method,
            order.url,
            headers={"content-type": order.content_type},
            body=order.body,
            at=to_datetime(wire.clock.now_ns()),
        )
        return order._replace(
            headers=(*order.headers, (_OPEN, added.pop(_OPEN))),
            secrets=tuple(added.items()),
            blot=(key, token) if token else (key,),
        )


PROVIDER = Bedrock()
