"""Whether notifications go by e-mail: the SMTP server is set, answers, is encrypted and lets flyball in. Needs the `server` extra."""

import asyncio

from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.notifications import mail
from flyball.settings import Settings

from .finding import Finding, not_checked, ok, warning


def check_mail(settings: Settings, layout: Layout) -> Finding:
    """It is greeted, and signed in to where a user is set; nothing is sent."""
    if not mail.is_set_up(settings):
        return not_checked(
            "e-mail",
            "no SMTP server is set: notifications go to webhooks alone",
            "for e-mail set FLYBALL_SMTP_SERVER and FLYBALL_SMTP_FROM",
        )
    try:
        asyncio.run(mail.probe(settings, layout))
    except FlyballError as error:
        return warning("e-mail", error.message, error.next_step)
    return ok("e-mail", f"{settings.smtp_server} answers ({settings.smtp_security})")
