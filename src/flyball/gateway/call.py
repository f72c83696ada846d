"""Asking whoever was chosen. What comes back has begun to be good: it holds its first content, or it is whole.

Until then a failure is tried again, here and nowhere else; from then on it is the caller's to see.
"""

from contextlib import AbstractAsyncContextManager

from .choose import ModelRoute, Route
from .counting import estimate_of
from .errand import Errand
from .replies import Reply
from .upstreams import call_model
from .variants import call_variant


def call(route: Route, errand: Errand) -> AbstractAsyncContextManager[Reply]:
    """The answer, to be sent on inside the block. Leaving the block stops whoever is still answering.

    Raises:
        UpstreamError: the model's upstreams failed, each attempt noted in the entry.
        GatewayError: the runner is away, or refused.
    """
    if isinstance(route, ModelRoute):
        return call_model(route, errand)
    if errand.verb == "count_tokens":
        return estimate_of(errand.asked)
    return call_variant(route, errand.asked, errand.entry, errand.house)
