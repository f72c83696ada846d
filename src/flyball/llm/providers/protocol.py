"""What a provider is: it knows where its models are and how it knows us, and makes an order for the wire of what is asked.

Knows no dialect's words: bodies come ready, and answers go back to whoever asked.
"""

from typing import Literal, NamedTuple, Protocol

import msgspec

from flyball.kit.secrets import Secret
from flyball.llm.wire import Order, Wire


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """One place that answers. `model` is the name that it knows the model by; `vendor` is its entry of the catalog."""

    vendor: str
    base_url: str
    model: str
    api_key: Secret | None = None
    access_key_id: str = ""
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    service_account: Secret | None = None
    region: str = ""
    project: str = ""
    location: str = ""
    api_version: str = ""
    organization: str = ""
    dialect: str = ""  # the operator's choice among those that the vendor speaks
    guarded: bool = False  # only public addresses are called, and those that the operator lists
    guarded_tokens: bool = False  # the same for where the service account says that its tokens come from


class Ask(NamedTuple):
    """What is asked of a provider: a body in one of its dialects. `headers` are the caller's, where they are passed on."""

    dialect: str
    verb: Literal["generate", "count_tokens"]
    stream: bool
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Provider(Protocol):
    """One way to reach models. Stateless, or with tokens of its own that it keeps fresh."""

    framing: Literal["sse", "eventstream"]

    def dialects(self, upstream: Upstream) -> tuple[str, ...]:
        """What is spoken there, the preferred one first."""
        ...

    async def order(self, upstream: Upstream, ask: Ask, wire: Wire) -> Order:
        """The request for the wire, which also has the clock, and asks for tokens. Raises UpstreamError where it cannot be made."""
        ...
