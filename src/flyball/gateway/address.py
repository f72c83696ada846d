"""Where a call comes from: the address that connects, or what a proxy says whom the operator trusts. Knows headers, no key.

`X-Forwarded-For` is read from its right end, where each proxy appends whom it was asked by: the first address there that
is no trusted proxy is the client. Whatever stands left of it anybody may have written.
"""

from collections.abc import Sequence

from flyball.kit.addresses import Network, held, written

from .exchange import Exchange

_LONGEST = 64  # of one address, as it is written
_SCHEMES = (b"http", b"https")


def client_address(exchange: Exchange, proxies: Sequence[Network]) -> str:
    """The client's address as it is usually written; empty where it is not known."""
    client = exchange.scope.get("client")
    peer: str = client[0] if client else ""
    if not proxies or not held(proxies, peer):
        return written(peer) if ":" in peer else peer
    hop = peer
    for said in reversed(exchange.headers.get(b"x-forwarded-for", b"").split(b",")):
        if not said.strip():
            continue
        hop = _address_in(said.strip())
        if not held(proxies, hop):
            return hop
    return hop if hop != peer else written(peer)


def client_scheme(exchange: Exchange, proxies: Sequence[Network]) -> bytes:
    """Whether the client came by `http` or `https`, as far as that is known."""
    client = exchange.scope.get("client")
    said = exchange.headers.get(b"x-forwarded-proto", b"").lower()
    if proxies and client and said in _SCHEMES and held(proxies, client[0]):
        return said
    return bytes(exchange.scope["scheme"].encode("latin-1"))


def _address_in(said: bytes) -> str:
    """`192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7` and `[2001:db8::7]:4711`; empty for what is no address."""
    if len(said) > _LONGEST:
        return ""
    text = said.decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return written(text)
