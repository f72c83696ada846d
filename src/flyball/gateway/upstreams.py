"""Calling a model: its endpoints in their order, tried again until the first content or until patience ends.

The caller's key goes nowhere; of the caller's headers and of the upstream's, those on a list are passed on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from flyball.llm.errors import UpstreamAwayError, UpstreamError, UpstreamRefusedError, UpstreamTimeoutError
from flyball.llm.patience import KEY_REFUSED, Patience, Rota

from .attempts import attempt_once
from .choose import ModelRoute
from .counting import estimate
from .errand import Errand
from .errors import ClientGoneError
from .replies import Reply

_NO_SUCH_QUESTION = frozenset({404, 405, 501})


@asynccontextmanager
async def call_model(route: ModelRoute, errand: Errand) -> AsyncIterator[Reply]:
    """The first good answer of the model's endpoints; an estimate where nobody there counts tokens.

    Raises the last attempt's UpstreamError.
    """
    _, asked, entry, house, patience = errand
    rota = Rota(len(route.endpoints), house.clock)
    while True:
        if entry.left:
            raise ClientGoneError
        at = rota.next()
        attempt = entry.attempt(route.endpoints[at])
        patience.start_try()
        async with AsyncExitStack() as stack:
            wait = None
            try:
                reply = await attempt_once(errand, attempt, stack)
            except UpstreamError as failure:
                entry.failed(attempt, failure)
                rota.failed(at, failure)
                reply = None
                wait = None if entry.left else _wait(failure, patience, rota)
                if wait is None and not (errand.verb == "count_tokens" and _nobody_counts(failure)):
                    raise
            if reply is None and wait is None:
                reply = estimate(asked)
            if reply is not None:
                yield reply
                return
        await asyncio.sleep(wait or 0)


def _nobody_counts(failure: UpstreamError) -> bool:
    """Whether it was nobody's answer to the question: it does not know it, or it is away."""
    if isinstance(failure, UpstreamRefusedError):
        return failure.upstream_status in _NO_SUCH_QUESTION
    return isinstance(failure, UpstreamAwayError | UpstreamTimeoutError)


def _wait(failure: UpstreamError, patience: Patience, rota: Rota) -> float | None:
    """Seconds until the next try, None for giving up. A key that is refused here may work elsewhere, at once."""
    if isinstance(failure, UpstreamRefusedError) and failure.upstream_status in KEY_REFUSED and rota.has_fresh:
        return 0.0
    return patience.wait_after(failure, rota.owed)
