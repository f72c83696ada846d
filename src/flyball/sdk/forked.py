"""HTTP by the standard library, for a process that was forked after its parent had used the HTTP client, which cannot fork.

Loaded there and nowhere else. Knows bytes and addresses.
"""

import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

from flyball.kit.errors import UnavailableError


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float) -> tuple[int, bytes]:
    """One exchange on a connection of its own: the status and the body. Raises UnavailableError where there is none."""
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request(method, parts.path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"{url} does not answer ({error})", next_step="check FLYBALL_SERVER") from error
    finally:
        connection.close()
