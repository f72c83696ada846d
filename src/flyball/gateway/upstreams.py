"""Calling a model: its endpoints in their order, tried again until the first content or until patience ends.

The caller's key goes nowhere; of the caller's headers and of the upstream's, those on a list are passed on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from flyball.llm.errors import UpstreamAwayError, UpstreamError, UpstreamRefusedError, UpstreamTimeoutError
from flyball.llm.patience import Patience

from .attempts import attempt_once
from .choose import ModelRoute
from .counting import estimate
from .errand import Errand
from .replies import Reply

_KEY_REFUSED = frozenset({401, 402, 403})
_NO_SUCH_QUESTION = frozenset({404, 405, 501})


@asynccontextmanager
async def call_model(route: ModelRoute, errand: Errand) -> AsyncIterator[Reply]:
    """The first good answer of the model's endpoints; an estimate where nobody there counts tokens.

    Raises the last attempt's UpstreamError.
    """
    endpoints = route.endpoints
    _, asked, entry, _, patience = errand
    number = 0
    while True:
        endpoint = endpoints[number % len(endpoints)]
        number += 1
        attempt = entry.attempt(endpoint)
        patience.start_try()
        async with AsyncExitStack() as stack:
            wait = None
            try:
                reply = await attempt_once(errand, attempt, stack)
            except UpstreamError as failure:
                entry.failed(attempt, failure)
                reply = None
                wait = _wait(failure, patience, others_left=number < len(endpoints), elsewhere=len(endpoints) > 1)
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


def _wait(failure: UpstreamError, patience: Patience, *, others_left: bool, elsewhere: bool) -> float | None:
    """Seconds until the next try, None for giving up. A key that is refused here may work elsewhere, at once."""
    if isinstance(failure, UpstreamRefusedError) and failure.upstream_status in _KEY_REFUSED and others_left:
        return 0.0
    return patience.wait_after(failure, elsewhere=elsewhere)
