"""A notification by e-mail, through the operator's SMTP server. Knows the settings and one message; it blocks, so it runs in a thread.

STARTTLS unless said otherwise, with a certificate that is checked; a password goes nowhere unencrypted.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from ipaddress import IPv6Address

from flyball.infra.secrets.operator import fetch
from flyball.infra.secrets.references import Missing, parse
from flyball.kit.clock import to_datetime
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import Settings

from .errors import NotToldError
from .records import Message

_SECONDS = 20.0  # for each word of the server's
_LONGEST_SECONDS = 60.0  # for all of them; shorter than a claim holds
_THREADS = ThreadPoolExecutor(4, "flyball-mail")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HOW = "set FLYBALL_SMTP_SERVER and FLYBALL_SMTP_FROM, and start flyball again"


def is_set_up(settings: Settings) -> bool:
    """Whether this server sends e-mail."""
    return bool(settings.smtp_server and settings.smtp_from)


async def send(
    settings: Settings, layout: Layout, to: str, message: Message, *, tls: ssl.SSLContext | None = None
) -> None:
    """Hand a message to the SMTP server; it has it when this returns. Raises NotToldError otherwise."""
    if not is_set_up(settings):
        raise NotToldError("this server sends no e-mail", next_step=_HOW)
    sender = parseaddr(settings.smtp_from)[1]
    if "@" not in sender:
        raise NotToldError(f"FLYBALL_SMTP_FROM={settings.smtp_from!r:.80} is no mailbox", next_step=_HOW)
    password = await _password(settings, layout)
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            await _apart(_talk, settings, password, tls, written(settings.smtp_from, to, message))
    except TimeoutError:
        raise NotToldError(
            f"{settings.smtp_server} did not take the message within {_LONGEST_SECONDS:g} s", next_step=_HOW
        ) from None


def written(sender: str, to: str, message: Message) -> EmailMessage:
    """The message as it is sent: each time the same, its Message-ID too."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    # What looks like an encoded word is none here: names are anybody's, and one that is half of one could not be sent.
    mail["Subject"] = " ".join(message.subject.split()).replace("=?", "= ?")
    mail["Date"] = format_datetime(to_datetime(message.at_ns))
    mail["Message-ID"] = f"<{message.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n\n-- \n{message.id}\n")
    return mail


async def probe(settings: Settings, layout: Layout) -> None:
    """Greet the SMTP server, and sign in where a user is set, without sending anything. Raises NotToldError."""
    await _apart(_talk, settings, await _password(settings, layout), None, None)


async def _apart(talk: Callable[..., None], *about: object) -> None:
    """In a thread of its own few: a server that stalls holds up mail, and nothing else of this process."""
    await asyncio.get_running_loop().run_in_executor(_THREADS, talk, *about)


def _talk(settings: Settings, password: Secret | None, tls: ssl.SSLContext | None, mail: EmailMessage | None) -> None:
    host, port = _server(settings)
    tls = tls or ssl.create_default_context()
    try:
        with _connection(settings, host, port, tls) as server:
            if settings.smtp_security == "starttls":
                server.starttls(context=tls)
            if password is not None:
                server.login(settings.smtp_user, password.reveal())
            if mail is not None:
                server.send_message(mail)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotToldError(f"{host}:{port} does not take mail: {_said(error)}", next_step=_HOW) from None


def _connection(settings: Settings, host: str, port: int, tls: ssl.SSLContext) -> smtplib.SMTP:
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=tls)
    return smtplib.SMTP(host, port, timeout=_SECONDS)


def _server(settings: Settings) -> tuple[str, int]:
    """Host and port of `smtp.example.com:587`, `[::1]:25`, or of a host alone."""
    text, default = settings.smtp_server, _PORTS[settings.smtp_security]
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536) or not host:
        raise NotToldError(f"FLYBALL_SMTP_SERVER={text!r:.80} is no host:port", next_step=_HOW)
    return (str(IPv6Address(host[1:-1])) if host.startswith("[") else host), int(port)


async def _password(settings: Settings, layout: Layout) -> Secret | None:
    if not settings.smtp_user:
        return None
    if settings.smtp_security == "none":
        raise NotToldError(
            "FLYBALL_SMTP_USER is set, and FLYBALL_SMTP_SECURITY=none would send its password unencrypted",
            next_step="set FLYBALL_SMTP_SECURITY to starttls or tls, or FLYBALL_SMTP_USER to nothing",
        )
    reference = parse(settings.smtp_password)
    if reference is None or reference.kind == "secret":
        raise NotToldError(
            "FLYBALL_SMTP_USER is set, and FLYBALL_SMTP_PASSWORD is none of env:NAME, file:/path, cmd:NAME or vault:path#field",
            next_step="set it, and start flyball again",
        )
    found = await fetch(reference, settings, layout)
    if isinstance(found, Missing):
        raise NotToldError(f"FLYBALL_SMTP_PASSWORD={reference} stands for nothing: {found.reason}", next_step=_HOW)
    return found.secret


def _said(error: Exception) -> str:
    """What the server said, in one line; a refusal by it is bytes and a code."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in error.recipients.values())[:200]
    if isinstance(error, smtplib.SMTPResponseException):
        told = error.smtp_error
        return f"{error.smtp_code} {told.decode(errors='replace') if isinstance(told, bytes) else told}"[:200]
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
