"""The gateway as an ASGI application: a bare table of the model API's paths; every other path is passed on.

No framework: one dictionary look-up stands between the server and the call's story.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from flyball.kit.errors import FlyballError

from .answer import refuse
from .errors import UnknownPathError, WrongMethodError
from .exchange import Exchange, Receive, Scope, Send
from .handle import handle
from .house import House
from .listing import list_models
from .passing import pass_on

_logger = logging.getLogger(__name__)


class _Route(NamedTuple):
    method: str
    answer: Callable[[Exchange, House], Awaitable[None]]


ROUTES = {
    "/v1/chat/completions": _Route("POST", handle),
    "/v1/models": _Route("GET", list_models),
    "/v1/models/{model}": _Route("GET", list_models),
}


class GatewayApp:
    """What the server calls for every request."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        try:
            if exchange.path == "/v1" or exchange.path.startswith("/v1/"):
                await self._speak(exchange)
            else:
                await pass_on(exchange, self._house.control)
        except Exception:  # -- the door: a mistake of ours is an answer too, and never one that says nothing
            _logger.exception("%s %r failed", exchange.method, exchange.path)
            await refuse(exchange, FlyballError("the gateway failed", next_step="see logs/ in the data directory"))

    async def _speak(self, exchange: Exchange) -> None:
        """The model API: every answer, also a refusal, in the caller's dialect."""
        route = ROUTES.get(exchange.path)
        if route is None and exchange.path.startswith("/v1/models/"):
            route = ROUTES["/v1/models/{model}"]
        if route is None:
            await refuse(exchange, UnknownPathError(exchange.path, ", ".join(ROUTES)))
        elif exchange.method != route.method:
            await refuse(exchange, WrongMethodError(exchange.method, exchange.path, route.method))
        else:
            await route.answer(exchange, self._house)
