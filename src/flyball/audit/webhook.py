"""A webhook: lines of the chain by HTTPS POST, signed with a shared secret. Knows one receiver; knows not how far it has come.

What the receiver checks: `flyball-signature` is `v1=` and the hexadecimal HMAC-SHA256, under the secret, of the value of
`flyball-timestamp`, a dot and the body. A batch may come again (the lines have numbers), but never with another content.
"""

import hmac
from collections.abc import Sequence

from flyball.infra.egress.client import Egress
from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.errors import FlyballError
from flyball.kit.secrets import Secret

from .errors import SinkAwayError

_SECONDS = 20.0
_MOST_ANSWER = 64 * 1024


class Webhook:
    """One receiver. Any answer from 200 to 299 says that it has the batch."""

    def __init__(self, name: str, url: str, secret: Secret, egress: Egress, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._url = url
        self._secret = secret
        self._egress = egress

    async def send(self, project: str, lines: Sequence[bytes]) -> None:
        """Deliver; raises SinkAwayError where the receiver does not say that it has it."""
        body = b"\n".join(lines) + b"\n"
        timestamp = str(self._clock.now_ns() // NANOSECONDS)
        headers = {
            "content-type": "application/x-ndjson",
            "flyball-project": project.encode("ascii", "backslashreplace").decode(),
            "flyball-timestamp": timestamp,
            "flyball-signature": signature(self._secret, timestamp, body),
        }
        try:
            answer = await self._egress.request(
                "POST", self._url, headers=headers, body=body, seconds=_SECONDS, most_bytes=_MOST_ANSWER
            )
        except FlyballError as error:
            raise SinkAwayError(f"{self.name}: {error.message}", next_step=error.next_step) from None
        if not 200 <= answer.status < 300:
            raise SinkAwayError(
                f"{self.name} answered {answer.status}",
                next_step="look at what the receiver says of it, in its own log",
            )


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """The value of `flyball-signature`."""
    return "v1=" + hmac.digest(secret.reveal().encode(), timestamp.encode() + b"." + body, "sha256").hex()
