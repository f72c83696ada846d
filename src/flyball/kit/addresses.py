"""Addresses and networks as numbers, so that asking whether one holds the other costs a microsecond.

An IPv4 address is the same in whichever coat it comes (`::ffff:192.0.2.7`), and a zone (`fe80::1%eth0`) says nothing
about who it is. `::/0` holds every IPv6 address and no IPv4 one.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeAlias

from .errors import InvalidInputError

_MAPPED = IPv6Network("::ffff:0:0/96")
Number: TypeAlias = tuple[int, int]  # 4 or 6, and the address


class Network(NamedTuple):
    """The addresses that begin alike. `version` is 4 or 6."""

    version: int
    first: int
    mask: int


@lru_cache(maxsize=8192)
def number_of(address: str) -> Number | None:
    """An address as a number; None for what is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.version, int(found)


def written(address: str) -> str:
    """An address as it is usually written; empty for what is no address."""
    number = number_of(address)
    return "" if number is None else str((IPv4Address if number[0] == 4 else IPv6Address)(number[1]))


def canonical_network(text: str) -> str:
    """A network, or a single address, as it is usually written. Raises ValueError for what is none, saying what is wrong."""
    try:
        found = ip_network(text)
    except ValueError:
        wider = ip_network(text, strict=False)  # raises for what is no network at all
        raise ValueError(f"has bits beyond its length; the network is {wider}") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        return str(ip_network((int(found.network_address) & 0xFFFF_FFFF, found.prefixlen - 96)))
    return str(found)


def networks_of(written_networks: Iterable[str]) -> tuple[Network, ...]:
    """Networks, as `canonical_network` writes them, as numbers."""
    found = (ip_network(each) for each in written_networks)
    return tuple(Network(each.version, int(each.network_address), int(each.netmask)) for each in found)


def networks_in(text: str, *, knob: str) -> tuple[Network, ...]:
    """The networks that a setting lists, separated by commas. Raises InvalidInputError naming the one that is none."""
    found = []
    for each in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(canonical_network(each))
        except ValueError as error:
            raise InvalidInputError(
                f"FLYBALL_{knob.upper()} has {each!r:.80}, which is no network: {error}",
                next_step="write addresses or networks separated by commas, such as 10.1.0.0/16 or 192.168.0.7",
            ) from None
    return networks_of(found)


def held(networks: Iterable[Network], address: str) -> bool:
    """Whether one of the networks holds the address. What is no address is held by none."""
    number = number_of(address)
    if number is None:
        return False
    version, value = number
    return any(network.version == version and value & network.mask == network.first for network in networks)


def within(inner: str, outer: Iterable[str]) -> bool:
    """Whether a network lies wholly in one of the others; all as `canonical_network` writes them."""
    (small,) = networks_of((inner,))
    return any(
        large.version == small.version
        and large.mask & small.mask == large.mask
        and small.first & large.mask == large.first
        for large in networks_of(outer)
    )
