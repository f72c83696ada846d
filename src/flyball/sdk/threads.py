"""Work that is handed to other threads stays part of the trace: Python gives a new thread no context of its own accord.

    threading.Thread(target=flyball.in_context(work)).start()
    with flyball.ContextThreadPoolExecutor() as pool: pool.map(work, items)

Knows threads and contexts; knows no span.
"""

import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def in_context(function: Callable[P, R]) -> Callable[P, R]:
    """The function, to be called in another thread as if from here. Any number of threads may call it at once."""
    context = contextvars.copy_context()

    def call(*arguments: P.args, **named: P.kwargs) -> R:
        # A copy for each call: two threads cannot be in one context.
        return context.copy().run(function, *arguments, **named)

    return call


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool whose work is observed as a child of the span in which it was handed in."""

    def submit(self, function: Callable[P, R], /, *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """As the base class, with the context of the caller; `map` does the same."""
        return super().submit(in_context(function), *arguments, **named)
