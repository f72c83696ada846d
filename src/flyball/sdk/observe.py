"""`@observe`: a function's calls become spans, nested as the calls nest. The function itself does not change.

Knows the four kinds of functions (plain, coroutine, generator, asynchronous generator). Knows not where spans go.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, ParamSpec, TypeVar, overload

from .spans import RunningSpan, arguments_as_text, as_text
from .telemetry import telemetry

P = ParamSpec("P")
R = TypeVar("R")

_MOST_YIELDED = 10_000  # items of a generator that its span keeps


@overload
def observe(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def observe(
    *, name: str = "", kind: str = "chain", keep_input: bool = True, keep_output: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def observe(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    kind: str = "chain",
    keep_input: bool = True,
    keep_output: bool = True,
) -> Any:
    """Record each call of a function as a span, with its arguments, result, error and time.

    Args:
        function: the function; `@observe` and `@observe(...)` both work.
        name: what the span is called; the function's qualified name unless given.
        kind: what it does: chain, tool, retrieval, llm, or a word of your own.
        keep_input: whether the arguments are sent.
        keep_output: whether the result is sent.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return _Observed(function, name, kind, keep_input=keep_input, keep_output=keep_output).wrapped()

    return decorate if function is None else decorate(function)


class _Observed:
    """What is recorded of one function."""

    def __init__(
        self, function: Callable[..., Any], name: str, kind: str, *, keep_input: bool, keep_output: bool
    ) -> None:
        self._function = function
        self._name = name or getattr(function, "__qualname__", type(function).__name__)
        self._kind = kind
        self._signature = inspect.signature(function) if keep_input else None
        self._keep_output = keep_output

    def wrapped(self) -> Callable[..., Any]:
        """The function to call in place of it, of the same kind."""
        if inspect.isasyncgenfunction(self._function):
            wrapper: Callable[..., Any] = self._asynchronous_generator()
        elif inspect.isgeneratorfunction(self._function):
            wrapper = self._generator()
        elif inspect.iscoroutinefunction(self._function):
            wrapper = self._coroutine()
        else:
            wrapper = self._plain()
        return functools.wraps(self._function)(wrapper)

    def _plain(self) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            span = self._begin(arguments, named)
            try:
                with span.as_current():
                    result = self._function(*arguments, **named)
            except BaseException as error:  # -- recorded, and raised as it was
                span.finish(error=error)
                raise
            span.finish(self._output(result))
            return result

        return call

    def _coroutine(self) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            span = self._begin(arguments, named)
            try:
                with span.as_current():
                    result = await self._function(*arguments, **named)
            except BaseException as error:  # -- recorded, and raised as it was
                span.finish(error=error)
                raise
            span.finish(self._output(result))
            return result

        return call

    def _generator(self) -> Callable[..., Generator[Any, Any, Any]]:
        def call(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
            span, yielded = self._begin(arguments, named), list[Any]()
            generator = self._function(*arguments, **named)
            step: Callable[[], Any] = functools.partial(generator.send, None)
            try:
                while True:
                    with span.as_current():
                        item = step()
                    if len(yielded) < _MOST_YIELDED:
                        yielded.append(item)
                    try:
                        step = functools.partial(generator.send, (yield item))
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer; the generator decides
                        step = functools.partial(generator.throw, error)
            except StopIteration as end:
                span.finish(self._output_of(yielded))
                return end.value
            except GeneratorExit:
                span.finish(self._output_of(yielded))
                raise
            except BaseException as error:  # -- recorded, and raised as it was
                span.finish(self._output_of(yielded), error)
                raise

        return call

    def _asynchronous_generator(self) -> Callable[..., AsyncGenerator[Any, Any]]:
        async def call(*arguments: Any, **named: Any) -> AsyncGenerator[Any, Any]:
            span, yielded = self._begin(arguments, named), list[Any]()
            generator = self._function(*arguments, **named)
            step: Callable[[], Awaitable[Any]] = functools.partial(generator.asend, None)
            try:
                while True:
                    with span.as_current():
                        item = await step()
                    if len(yielded) < _MOST_YIELDED:
                        yielded.append(item)
                    try:
                        step = functools.partial(generator.asend, (yield item))
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer; the generator decides
                        step = functools.partial(generator.athrow, error)
            except StopAsyncIteration:
                span.finish(self._output_of(yielded))
            except GeneratorExit:
                span.finish(self._output_of(yielded))
                raise
            except BaseException as error:  # -- recorded, and raised as it was
                span.finish(self._output_of(yielded), error)
                raise

        return call

    def _begin(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> RunningSpan:
        text = ""
        if self._signature is not None:
            try:
                text = arguments_as_text(self._signature.bind(*arguments, **named).arguments)
            except TypeError:  # the call is wrong, and fails by itself in a moment
                text = as_text([arguments, named])
        return RunningSpan(self._name, self._kind, text, telemetry().span)

    def _output(self, result: Any) -> str:
        return as_text(result) if self._keep_output and result is not None else ""

    def _output_of(self, yielded: list[Any]) -> str:
        if not self._keep_output:
            return ""
        return as_text("".join(yielded) if all(isinstance(item, str) for item in yielded) else yielded)
