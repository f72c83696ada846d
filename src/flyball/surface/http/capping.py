"""How much is read of a request's body, and how much of all bodies is held at once.

Of a body whose sender nobody knows yet a little is read, and a form is never more than that; the route's guard lifts the
cap for whoever it lets in. Knows bytes; knows no route and no caller.
"""

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from .csrf import FORMS
from .errors import BodiesHeldError, BodyTooLargeError

BODY = "flyball.body"  # in the scope: this request's `CappedBody`
_MOST_UNPROVEN_BYTES = 256 * 1024  # of one body
_MOST_UNPROVEN_HELD = 32 * 1024 * 1024  # of all together


class Holding:
    """The bytes of bodies that one door holds at this moment; those of unproven callers apart, who cannot take the room of others."""

    def __init__(self, most: int) -> None:
        self._most = {True: most, False: min(most, _MOST_UNPROVEN_HELD)}
        self._held = {True: 0, False: 0}

    def take(self, size: int, *, proven: bool) -> None:
        """Hold so much more. Raises BodiesHeldError where there is no room for it."""
        if self._held[proven] + size > self._most[proven]:
            raise BodiesHeldError(
                f"this server holds {self._held[proven]} bytes of other requests and has no room for this one",
                next_step="try again in a few seconds",
            )
        self._held[proven] += size

    def give_back(self, size: int, *, proven: bool) -> None:
        """Hold so much less."""
        self._held[proven] -= size


class CappedBody:
    """A body as it is received: counted as it arrives, whatever was announced; what is announced too large is not begun."""

    def __init__(self, receive: Receive, headers: Headers, holding: Holding, most: int) -> None:
        self._receive = receive
        self._holding = holding
        self._announced = _announced(headers)
        self._is_form = headers.get("content-type", "").strip().lower().startswith(FORMS)
        self._most = most
        self._cap = min(most, _MOST_UNPROVEN_BYTES)
        self._read = 0
        self._held = 0
        self._holds = True
        self._proven = False

    def let_in(self) -> None:
        """The guard knows who sends it, and that they may. Raises BodiesHeldError."""
        if not self._is_form:
            self._cap = self._most
        held = self._held
        self.release()
        self._proven = True
        self._hold(held)

    def pass_through(self, most: int) -> None:
        """The route takes it piece by piece, and keeps nothing of it in memory."""
        self._cap = most
        self.release()
        self._holds = False

    def release(self) -> None:
        """The request is over: nothing of it is held any more."""
        self._holding.give_back(self._held, proven=self._proven)
        self._held = 0

    async def __call__(self) -> Message:
        """The next message. Raises BodyTooLargeError, BodiesHeldError."""
        if self._announced > self._cap:
            raise self._too_large()
        message = await self._receive()
        size = len(message.get("body", b""))
        self._read += size
        if self._read > self._cap:
            raise self._too_large()
        if self._holds:
            self._hold(size)
        return message

    def _hold(self, size: int) -> None:
        self._holding.take(size, proven=self._proven)
        self._held += size

    def _too_large(self) -> BodyTooLargeError:
        if self._cap == min(self._most, _MOST_UNPROVEN_BYTES) < self._most:
            return BodyTooLargeError(
                f"the body is larger than {self._cap} bytes: no form is, and nothing that is sent before it is known by whom",
                next_step="send less at once, or a valid key",
            )
        return too_large(self._cap)


def too_large(most: int) -> BodyTooLargeError:
    """The error for a body above the cap."""
    return BodyTooLargeError(
        f"the body is larger than {most} bytes", next_step="send less at once, or raise FLYBALL_MAX_BODY_BYTES"
    )


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 20 else 0
