"""Where the operator has the audit record sent: what the settings say, taken apart and refused where it names nothing.

Sinks are settings and nothing else: no request of the API can add one, change one or learn its secret.
"""

import socket
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from flyball.infra.egress.address import target_of
from flyball.infra.egress.client import Egress
from flyball.infra.secrets.operator import fetch
from flyball.infra.secrets.references import Missing, parse
from flyball.kit.clock import Clock
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import Settings

from .errors import SinkUnfitError
from .syslog import Syslog, syslog_address
from .webhook import Webhook

_SHORTEST_SECRET = 16


class Sink(Protocol):
    """What takes batches. `name` says for people where it is; nothing in it is secret."""

    name: str

    async def send(self, project: str, lines: Sequence[bytes]) -> None:
        """Returns once the sink has taken all of it; raises SinkAwayError where it has not."""
        ...


def identity(sink: Sink) -> str:
    """What a sink's cursor is kept under: another address is another sink, and begins at the beginning."""
    return identity_of(sink.name)


def identity_of(name: str) -> str:
    """`identity`, by a sink's name."""
    return sha256(name.encode()).hexdigest()[:32]


def names_of(settings: Settings) -> tuple[str, ...]:
    """The sinks of the settings, by name."""
    return tuple(name for name in (_webhook_name(settings), _syslog_name(settings)) if name)


async def sinks_of(settings: Settings, layout: Layout, clock: Clock) -> tuple[Sink, ...]:
    """The sinks of the settings.

    Raises:
        SinkUnfitError: a setting names none, or a webhook has no secret.
    """
    found: list[Sink] = []
    if settings.audit_webhook:
        _refuse_plain(settings.audit_webhook)
        secret = await _secret(settings, layout)
        found.append(Webhook(_webhook_name(settings), settings.audit_webhook, secret, Egress.of(settings), clock))
    if settings.audit_syslog:
        address = syslog_address(settings.audit_syslog)
        found.append(Syslog(_syslog_name(settings), address, socket.gethostname()))
    return tuple(found)


def _webhook_name(settings: Settings) -> str:
    """Without the path, in which some receivers want a token."""
    if not settings.audit_webhook:
        return ""
    scheme, _, rest = settings.audit_webhook.partition("://")
    host = rest.partition("/")[0].partition("?")[0]
    path = sha256(settings.audit_webhook.encode()).hexdigest()[:8]
    return f"webhook {scheme}://{host} ({path})"


def _syslog_name(settings: Settings) -> str:
    return f"syslog {settings.audit_syslog}" if settings.audit_syslog else ""


def _refuse_plain(url: str) -> None:
    try:
        secure = target_of(url).secure
    except FlyballError as error:
        raise SinkUnfitError(f"FLYBALL_AUDIT_WEBHOOK: {error.message}", next_step=error.next_step) from None
    if not secure:
        raise SinkUnfitError(
            "FLYBALL_AUDIT_WEBHOOK is not https://, so that anybody on the way could read who does what",
            next_step="give the receiver a certificate and write https://",
        )


async def _secret(settings: Settings, layout: Layout) -> Secret:
    reference = parse(settings.audit_webhook_secret)
    if reference is None or reference.kind == "secret":
        raise SinkUnfitError(
            "FLYBALL_AUDIT_WEBHOOK needs FLYBALL_AUDIT_WEBHOOK_SECRET, which signs what is sent",
            next_step="set it to env:NAME, file:/path, cmd:NAME or vault:path#field",
        )
    found = await fetch(reference, settings, layout)
    if isinstance(found, Missing):
        raise SinkUnfitError(
            f"FLYBALL_AUDIT_WEBHOOK_SECRET={reference} stands for nothing: {found.reason}",
            next_step="set it, and start again",
        )
    if len(found.secret.reveal().encode()) < _SHORTEST_SECRET:
        raise SinkUnfitError(
            f"FLYBALL_AUDIT_WEBHOOK_SECRET={reference} is shorter than {_SHORTEST_SECRET} bytes",
            next_step="make one with `openssl rand -hex 32`",
        )
    return found.secret
