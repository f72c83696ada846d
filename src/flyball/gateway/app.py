"""The gateway as an ASGI application: the model API by its table of paths; every other path is passed on.

No framework: one dictionary look-up stands between the server and the call's story.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from flyball.kit.errors import FlyballError

from .exchange import Exchange, Receive, Scope, Send
from .handle import handle
from .house import House
from .listing import list_models
from .passing import pass_on
from .routes import Route, Verb, find, is_ours, spoken_at
from .speech import Speech

_logger = logging.getLogger(__name__)
_VERBS: Mapping[Verb, Callable[[Exchange, House, Route], Awaitable[None]]] = {
    "generate": handle,
    "count_tokens": handle,
    "list_models": list_models,
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
        ours = is_ours(exchange.path)
        try:
            if ours:
                await self._speak(exchange)
            else:
                await pass_on(exchange, self._house.control, self._house.proxies)
        except Exception:  # -- the door: a mistake of ours is an answer too, and never one that says nothing
            _logger.exception("%s %r failed", exchange.method, exchange.path)
            speech = Speech(exchange, spoken_at(exchange.path, exchange.headers))
            await speech.refuse(FlyballError("the gateway failed", next_step="see logs/ in the data directory"))

    async def _speak(self, exchange: Exchange) -> None:
        """The model API: every answer, also a refusal, in the caller's dialect."""
        try:
            route = find(exchange.method, exchange.path, exchange.scope["query_string"], exchange.headers)
        except FlyballError as error:
            await Speech(exchange, spoken_at(exchange.path, exchange.headers)).refuse(error)
        else:
            await _VERBS[route.verb](exchange, self._house, route)
