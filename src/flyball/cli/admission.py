"""Who may reach this flyball from other machines: nobody, until somebody said how the way is encrypted and somebody has a password.

Knows the settings and passwords by number; knows neither sockets nor processes.
"""

import ssl
from pathlib import Path

from flyball.infra.db.database import Database
from flyball.infra.processes.errors import AddressRefusedError
from flyball.projects import store
from flyball.settings import Settings

WORDS = ("proxy", "none-i-know")


def check_word_about_tls(settings: Settings, *, beyond_loopback: bool) -> None:
    """Refuse to listen beyond loopback while nothing says how the way is encrypted; refuse a word or a certificate that is none.

    Raises:
        AddressRefusedError: names the setting and what it may be.
    """
    if settings.tls not in ("", *WORDS):
        raise AddressRefusedError(
            f"FLYBALL_TLS={settings.tls!r:.40} is no word about TLS", next_step=f"say --tls {' or --tls '.join(WORDS)}"
        )
    if settings.tls_certificate or settings.tls_key:
        _check_certificate(settings)
    elif beyond_loopback and not settings.tls:
        raise AddressRefusedError(
            f"{settings.host} can be reached from other machines, and nothing says how the way to it is encrypted",
            next_step="give --tls-certificate FILE --tls-key FILE, or --tls proxy where one in front encrypts, or "
            "--tls none-i-know where passwords and keys may be read on the way",
        )


async def check_somebody_has_a_password(database: Database, host: str) -> None:
    """Refuse to listen beyond loopback while nobody has set a password: whoever finds the first one-time link would own it.

    Raises:
        AddressRefusedError: nobody has one.
    """
    async with database.across_projects().connection() as connection:
        if await store.somebody_has_a_password(connection):
            return
    raise AddressRefusedError(
        f"{host} can be reached from other machines, and nobody has set a password yet",
        next_step="start on 127.0.0.1 first, sign in with the link that it prints, and set a password under Account",
    )


def _check_certificate(settings: Settings) -> None:
    """Both files are there, can be read, and belong together."""
    for name in ("tls_certificate", "tls_key"):
        path = getattr(settings, name)
        if not path or not Path(path).is_file():
            raise AddressRefusedError(
                f"FLYBALL_{name.upper()}={path!r:.200} is no file",
                next_step="give both --tls-certificate and --tls-key",
            )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise AddressRefusedError(
            f"{settings.tls_certificate} and {settings.tls_key} are no certificate and its key ({error})",
            next_step="give PEM files that belong together; the key without a passphrase",
        ) from None
