"""Which addresses may be called: public ones, and what the operator lists. Knows numbers, no name and no socket.

Default-deny where there is a default: of IPv6 only what is given out as global unicast is public. Sources: the special-purpose address
registries of IANA (IPv4 and IPv6), and the metadata services that the large clouds document.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from flyball.kit.errors import InvalidInputError

Ip: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NOT_PUBLIC: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "a private network"),
    ("100.64.0.0/10", "a carrier's shared network"),
    ("127.0.0.0/8", "this machine"),
    ("169.254.0.0/16", "the local link, where clouds keep their metadata"),
    ("172.16.0.0/12", "a private network"),
    ("192.0.0.0/24", "an address reserved for protocols"),
    ("192.0.2.0/24", "an address reserved for documentation"),
    ("192.31.196.0/24", "an address reserved"),
    ("192.52.193.0/24", "an address reserved"),
    ("192.88.99.0/24", "a relay of 6to4"),
    ("192.168.0.0/16", "a private network"),
    ("192.175.48.0/24", "an address reserved"),
    ("198.18.0.0/15", "an address reserved for measurements"),
    ("198.51.100.0/24", "an address reserved for documentation"),
    ("203.0.113.0/24", "an address reserved for documentation"),
    ("224.0.0.0/4", "a multicast group"),
    ("240.0.0.0/4", "an address reserved"),
    ("::/128", "this host"),
    ("::1/128", "this machine"),
    ("::ffff:0:0/96", "an IPv4 address in another coat"),
    ("::/96", "an IPv4 address in another coat"),
    ("64:ff9b::/96", "an IPv4 address in another coat"),
    ("64:ff9b:1::/48", "an IPv4 address in another coat"),
    ("100::/64", "an address reserved"),
    ("2001::/23", "an address reserved for protocols"),
    ("2001:db8::/32", "an address reserved for documentation"),
    ("2002::/16", "an IPv4 address in another coat"),
    ("3fff::/20", "an address reserved for documentation"),
    ("5f00::/16", "an address reserved"),
    ("fc00::/7", "a private network"),
    ("fe80::/10", "the local link"),
    ("fec0::/10", "a private network"),
    ("ff00::/8", "a multicast group"),
)
_DENIED = tuple((ip_network(network), why) for network, why in _NOT_PUBLIC)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Where clouds tell a machine its own credentials. A listed network that happens to hold one of them does not list it.
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"))
)  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_networks(text: str) -> tuple[Network, ...]:
    """`10.1.0.0/16, fd12::/48, 192.0.2.7` as networks. Raises InvalidInputError naming the one that is none."""
    found = []
    for each in filter(None, map(str.strip, text.split(","))):
        try:
            found.append(ip_network(each))
        except ValueError:
            raise InvalidInputError(
                f"FLYBALL_ALLOWED_NETWORKS has {each!r:.80}, which is no network",
                next_step="write addresses or networks separated by commas, such as 10.1.0.0/16 or 192.168.0.7",
            ) from None
    return tuple(found)


def why_denied(address: Ip, allowed: tuple[Network, ...] = ()) -> str:
    """What kind of address this is, in words, where it may not be called; empty where it may."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "the local link"
    if address in _METADATA:
        return "" if any(_is_just(network, address) for network in allowed) else "a cloud's metadata service"
    if any(_holds(network, address) for network in allowed):
        # An operator who lists the NAT64 prefix means the Internet behind it, not every host that it can spell.
        return why_denied(_embedded(address), allowed) if isinstance(address, IPv6Address) and address in _NAT64 else ""
    for network, why in _DENIED:
        if _holds(network, address):
            return why
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "an address given to nobody"
    return ""


def _holds(network: Network, address: Ip) -> bool:
    return network.version == address.version and address in network


def _is_just(network: Network, address: Ip) -> bool:
    return network.num_addresses == 1 and network.network_address == address


def _embedded(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
