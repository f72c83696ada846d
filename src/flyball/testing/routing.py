"""Which dialect a path is of, below whatever prefix a base URL has. Knows paths; knows no words."""

from functools import lru_cache
from typing import NamedTuple

from . import anthropic, bedrock, gemini, openai_chat, openai_responses
from .dialect import Dialect, Place

DIALECTS: tuple[Dialect, ...] = (gemini, openai_responses, anthropic, bedrock, openai_chat)


class Route(NamedTuple):
    """A path, understood."""

    dialect: Dialect
    place: Place
    query: str


@lru_cache(1024)
def route(target: str) -> Route | None:
    """The route of a path with its query; None: nobody's."""
    path, _, query = target.partition("?")
    for dialect in DIALECTS:
        place = dialect.place(path)
        if place is not None:
            return Route(dialect, place, query)
    return None
