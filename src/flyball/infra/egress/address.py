"""Taking an address apart, strictly: one spelling per host, so that whoever checks and whoever connects read the same.

Refuses what parsers disagree about: other bases and short forms of numbers, names and passwords, backslashes, other alphabets.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote

from .errors import AddressUnfitError
from .networks import Ip

_LONGEST = 2048
_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?:#.*)?"
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LIKE_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ORDINARY = re.compile(r"[\x21-\x7e]+")
_AS_THEY_ARE = "%/:=&?~+!$,;'@()*[]-._"
# What speaks something else than HTTP; a request sent there may be taken for a command. After the Fetch standard's list of bad ports.
_OTHER_PROTOCOLS = frozenset(
    (1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119,
     123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
     993, 995, 1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211)
)  # fmt: skip


class Target(NamedTuple):
    """Where an address leads. `ip` is the host where it is a number, else None and the host is a name."""

    secure: bool
    host: str
    port: int
    path: str  # with the query, quoted
    ip: Ip | None

    @property
    def named(self) -> str:
        """The value of the Host header."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (443 if self.secure else 80) else f"{shown}:{self.port}"

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What has to be the same for credentials to be sent on."""
        return self.secure, self.host, self.port


def target_of(url: str) -> Target:
    """Take an address apart. Raises AddressUnfitError for one that is not called, saying why."""
    if len(url) > _LONGEST:
        raise _unfit(url, f"is longer than {_LONGEST} characters")
    if not _ORDINARY.fullmatch(url) or "\\" in url:
        raise _unfit(url, "has a character that an address has only encoded: a space, a backslash or another alphabet")
    if "@" in url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]:
        raise _unfit("the address", "has a name or a password in it")
    match = _URL.fullmatch(url)
    if match is None:
        raise _unfit(url, "is not of the form https://host/path")
    scheme = match["scheme"].lower()
    if scheme not in ("http", "https"):
        raise _unfit(url, "is neither https:// nor http://")
    host, ip = _host(url, match["host"].lower())
    port = int(match["port"]) if match["port"] else (443 if scheme == "https" else 80)
    if not 0 < port < 65_536 or port in _OTHER_PROTOCOLS:
        raise _unfit(url, f"has the port {port}, which does not speak HTTP")
    path = quote(match["path"] or "/", safe=_AS_THEY_ARE)
    query = f"?{quote(match['query'], safe=_AS_THEY_ARE)}" if match["query"] else ""
    return Target(scheme == "https", host, port, path + query, ip)


def _host(url: str, host: str) -> tuple[str, Ip | None]:
    if host.startswith("["):
        try:
            six = IPv6Address(host[1:-1])
        except AddressValueError:
            raise _unfit(url, "has a host in brackets that is no IPv6 address") from None
        return str(six), six
    labels = host.split(".")
    if _LIKE_A_NUMBER.fullmatch(labels[-1]):
        try:
            return host, IPv4Address(host)
        except AddressValueError:
            raise _unfit(url, "has a host that reads as a number and is not written as four of them") from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise _unfit(url, "has a host that is no name (one of another alphabet is written xn--..., no dot at its end)")
    return host, None


def _unfit(url: str, why: str) -> AddressUnfitError:
    shown = repr(url[:120]) if url != "the address" else url
    return AddressUnfitError(f"{shown} {why}", next_step="give an address such as https://hooks.example.com/flyball")
