"""What an address of a receiver may be, and how it is shown. Pure but for `prove`, which looks a host up."""

import re
from hashlib import sha256
from ipaddress import ip_address

from flyball.infra.egress.address import target_of
from flyball.infra.egress.client import Egress
from flyball.infra.egress.networks import why_denied
from flyball.kit.errors import FlyballError

from .errors import ReceiverInvalidError
from .records import Kind

_MAIL = re.compile(r"mailto:([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+)")
_LONGEST_MAIL = 254
_HOW = "write https://hooks.example.com/flyball or mailto:ann@example.com"


def kind_of(address: str) -> Kind:
    """What an address is. Raises ReceiverInvalidError for one that nothing is sent to."""
    if address.startswith("mailto:"):
        found = _MAIL.fullmatch(address)
        if found is None or len(found[1]) > _LONGEST_MAIL or ".." in address:
            raise ReceiverInvalidError(f"{address!r:.120} is no address of one mailbox", next_step=_HOW)
        return "e-mail"
    if not address.startswith(("https://", "http://")):
        raise ReceiverInvalidError(f"{address!r:.60} is neither a webhook nor a mailbox", next_step=_HOW)
    try:
        target_of(address)
    except FlyballError as error:
        raise ReceiverInvalidError(error.message, next_step=error.next_step) from None
    return "webhook"


async def prove(egress: Egress, url: str) -> None:
    """A webhook may be called: by HTTPS, or inside networks that the operator lists.

    Raises:
        ReceiverInvalidError: it is plain HTTP to somewhere else.
        AddressDeniedError, OutsideAwayError: as a call would.
    """
    numbers = await egress.numbers(url)
    if not target_of(url).secure and not all(why_denied(ip_address(number)) for number in numbers):
        raise ReceiverInvalidError(
            f"{shown(url)} is not https://, so that anybody on the way could read and change what is told",
            next_step="give the receiver a certificate and write https://",
        )


def mailbox(address: str) -> str:
    """`ann@example.com` of `mailto:ann@example.com`."""
    return address.removeprefix("mailto:")


def shown(address: str) -> str:
    """A mailbox as it is; of a webhook the host alone, and a mark: paths and queries of webhooks are their passwords."""
    if address.startswith("mailto:"):
        return mailbox(address)
    scheme, _, rest = address.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}://{host} ({sha256(address.encode()).hexdigest()[:8]})"
