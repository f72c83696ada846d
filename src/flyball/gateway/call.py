"""Asking whoever was chosen. What comes back has begun to be good: it holds its first content, or it is whole.

Until then a failure is tried again, here and nowhere else; from then on it is the caller's to see.
"""

from contextlib import AbstractAsyncContextManager

from flyball.llm.dialects.openai_chat import ChatRequest
from flyball.llm.patience import Patience

from .choose import ModelRoute, Route
from .house import House
from .record import Entry
from .replies import Reply
from .upstreams import call_model
from .variants import call_variant


def call(
    route: Route, asked: ChatRequest, entry: Entry, house: House, patience: Patience
) -> AbstractAsyncContextManager[Reply]:
    """The answer, to be sent on inside the block. Leaving the block stops whoever is still answering.

    Raises:
        UpstreamError: the model's upstreams failed, each attempt noted in the entry.
        GatewayError: the runner is away, or refused.
    """
    if isinstance(route, ModelRoute):
        return call_model(route, asked, entry, house, patience)
    return call_variant(route, asked, entry, house)
