"""A notification by HTTPS POST: JSON, signed as the audit record's deliveries are. Knows one message; knows not how often it was tried.

What the receiver checks: `flyball-signature` is `v1=` and the hexadecimal HMAC-SHA256, under the secret, of the value of
`flyball-timestamp`, a dot and the body. The id is the same each time a message comes.
"""

import msgspec

from flyball.audit.webhook import signature
from flyball.infra.egress.client import Egress
from flyball.kit.clock import NANOSECONDS, Clock, to_datetime
from flyball.kit.errors import FlyballError
from flyball.kit.secrets import Secret

from .addresses import shown
from .errors import NotToldError
from .records import Message

SECONDS = 20.0
_MOST_ANSWER = 64 * 1024


async def post(egress: Egress, clock: Clock, url: str, secret: Secret, message: Message) -> None:
    """Deliver; any answer from 200 to 299 says that it has arrived. Raises NotToldError otherwise."""
    body = body_of(message)
    timestamp = str(clock.now_ns() // NANOSECONDS)
    headers = {
        "content-type": "application/json",
        "flyball-notification": message.id,
        "flyball-timestamp": timestamp,
        "flyball-signature": signature(secret, timestamp, body),
    }
    try:
        answer = await egress.request("POST", url, headers=headers, body=body, seconds=SECONDS, most_bytes=_MOST_ANSWER)
    except FlyballError as error:
        raise NotToldError(error.message, next_step=error.next_step) from None
    if not 200 <= answer.status < 300:
        raise NotToldError(
            f"{shown(url)} answered {answer.status}", next_step="look at what the receiver says of it, in its own log"
        )


def body_of(message: Message) -> bytes:
    """What is posted: the same bytes each time."""
    return msgspec.json.encode(
        {
            "id": message.id,
            "kind": message.kind,
            "at": f"{to_datetime(message.at_ns):%Y-%m-%dT%H:%M:%S.%fZ}",
            "organisation": message.organisation,
            "project": message.project,
            "subject": message.subject,
            "text": message.text,
            **message.data,
        }
    )
