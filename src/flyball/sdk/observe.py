"""`@observe`: a function's calls become spans, nested as the calls nest. The function itself does not change.

Knows the four kinds of functions (plain, coroutine, generator, asynchronous generator), and `span` for what is no function
of its own. Knows not where spans go. A call of a function runs between two of ours, and neither of them raises.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from .saying import NOTHING, Sayable
from .spans import RunningSpan, enter, leave
from .telemetry import telemetry
from .texts import Caught, caught, caught_arguments, error_text
from .warning import warn_once

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
        if isinstance(function, classmethod | staticmethod):
            return type(function)(decorate(function.__func__))
        return _Observed(function, name, kind, keep_input=keep_input, keep_output=keep_output).wrapped()

    return decorate if function is None else decorate(function)


class span:  # noqa: N801 -- used as `with flyball.span(...)`, a verb
    """A piece of work that is no function of its own, as a span: `with flyball.span("rank", kind="tool") as span: ...`.

    Args:
        name: what the span is called.
        kind: what it does, as for `observe`.
        input: what goes in; what comes out is said by `span.set(output=...)`.
    """

    __slots__ = ("_begun", "_input", "_kind", "_name")

    def __init__(self, name: str, *, kind: str = "chain", input: Any = None) -> None:  # noqa: A002 -- the product's word
        self._name, self._kind, self._input = name, kind, input
        self._begun: tuple[RunningSpan, Any] | None = None

    def __enter__(self) -> Sayable:
        """The span, to say more of it."""
        try:
            begun = RunningSpan(self._name, self._kind, telemetry())
            if self._input is not None and begun.recorded:
                begun.input = caught(self._input)
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever is wrong with ours
            _left_out(error)
            return NOTHING
        self._begun = (begun, enter(begun))
        return begun

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """It has ended."""
        if self._begun is not None:
            begun, token = self._begun
            leave(token)
            try:
                begun.finish(error=error_text(error) if error is not None else "")
            except Exception as own:  # noqa: BLE001 -- as above
                _left_out(own)


class _Observed:
    """What is recorded of one function."""

    def __init__(
        self, function: Callable[..., Any], name: str, kind: str, *, keep_input: bool, keep_output: bool
    ) -> None:
        self._function = function
        self._name = name or getattr(function, "__qualname__", type(function).__name__)
        self._kind = kind
        self._keep_input = keep_input
        self._keep_output = keep_output
        self._first, self._names, self._rest = _parameters(function)

    def wrapped(self) -> Callable[..., Any]:
        """The function to call in place of it, of the same kind."""
        called = self._function
        if not inspect.isroutine(called) and not isinstance(called, functools.partial):
            called = type(called).__call__  # an object that can be called is what its method is
        if inspect.isasyncgenfunction(called):
            wrapper: Callable[..., Any] = self._asynchronous_generator()
        elif inspect.isgeneratorfunction(called):
            wrapper = self._generator()
        elif inspect.iscoroutinefunction(called):
            wrapper = self._coroutine()
        else:
            wrapper = self._plain()
        return functools.wraps(self._function)(wrapper)

    def _plain(self) -> Callable[..., Any]:
        function = self._function

        def call(*arguments: Any, **named: Any) -> Any:
            span = self._begin(arguments, named)
            if span is None:
                return function(*arguments, **named)
            token = enter(span)
            try:
                result = function(*arguments, **named)
            except BaseException as error:  # -- recorded, and raised as it was
                leave(token)
                self._failed(span, error, arguments, named)
                raise
            leave(token)
            self._ended(span, result)
            return result

        return call

    def _coroutine(self) -> Callable[..., Awaitable[Any]]:
        function = self._function

        async def call(*arguments: Any, **named: Any) -> Any:
            span = self._begin(arguments, named)
            if span is None:
                return await function(*arguments, **named)
            token = enter(span)
            try:
                result = await function(*arguments, **named)
            except BaseException as error:  # -- recorded, and raised as it was
                leave(token)
                self._failed(span, error, arguments, named)
                raise
            leave(token)
            self._ended(span, result)
            return result

        return call

    def _generator(self) -> Callable[..., Generator[Any, Any, Any]]:
        def call(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
            generator = self._function(*arguments, **named)
            span = self._begin(arguments, named)
            yielded = list[Any]()
            step: Callable[[], Any] = functools.partial(generator.send, None)
            try:
                while True:
                    item = _stepped(span, step)
                    self._keep(span, yielded, item)
                    try:
                        step = functools.partial(generator.send, (yield item))
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer; the generator decides
                        step = functools.partial(generator.throw, error)
            except StopIteration as end:
                self._ended(span, _joined(yielded))
                return end.value
            except GeneratorExit:
                self._ended(span, _joined(yielded))
                raise
            except BaseException as error:  # -- recorded, and raised as it was
                self._failed(span, error, arguments, named, _joined(yielded))
                raise

        return call

    def _asynchronous_generator(self) -> Callable[..., AsyncGenerator[Any, Any]]:
        async def call(*arguments: Any, **named: Any) -> AsyncGenerator[Any, Any]:
            generator = self._function(*arguments, **named)
            span = self._begin(arguments, named)
            yielded = list[Any]()
            step: Callable[[], Awaitable[Any]] = functools.partial(generator.asend, None)
            try:
                while True:
                    item = await _stepped_async(span, step)
                    self._keep(span, yielded, item)
                    try:
                        step = functools.partial(generator.asend, (yield item))
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001 -- thrown in by the consumer; the generator decides
                        step = functools.partial(generator.athrow, error)
            except StopAsyncIteration:
                self._ended(span, _joined(yielded))
            except GeneratorExit:
                self._ended(span, _joined(yielded))
                raise
            except BaseException as error:  # -- recorded, and raised as it was
                self._failed(span, error, arguments, named, _joined(yielded))
                raise

        return call

    def _begin(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> RunningSpan | None:
        """The span of a call; None if we fail, whatever the reason."""
        try:
            span = RunningSpan(self._name, self._kind, telemetry())
            if self._keep_input and span.trace.recorded:
                span.input = self._input(arguments, named)
        except Exception as error:  # noqa: BLE001 -- the application's own work goes on, whatever is wrong with ours
            _left_out(error)
            return None
        return span

    def _input(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Caught:
        given = dict(zip(self._names, arguments[self._first :], strict=False))
        if self._rest and len(arguments) - self._first > len(self._names):
            given[self._rest] = arguments[self._first + len(self._names) :]
        if named:
            given |= named
        return caught_arguments(given)

    def _keep(self, span: RunningSpan | None, yielded: list[Any], item: Any) -> None:
        if span is not None and span.trace.recorded:
            if not yielded:
                span.first_item()
            if self._keep_output and len(yielded) < _MOST_YIELDED:
                yielded.append(item)

    def _ended(self, span: RunningSpan | None, result: Any) -> None:
        if span is None:
            return
        try:
            span.finish(self._output(result) if span.trace.recorded else "")
        except Exception as error:  # noqa: BLE001 -- the application has its result, whatever is wrong with ours
            _left_out(error)

    def _failed(
        self,
        span: RunningSpan | None,
        error: BaseException,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        result: Any = None,
    ) -> None:
        if span is None:
            return
        try:
            if self._keep_input and not span.trace.recorded:
                span.input = self._input(arguments, named)
            span.finish(self._output(result), error_text(error))
        except Exception as own:  # noqa: BLE001 -- the application's own error is the one that it gets
            _left_out(own)

    def _output(self, result: Any) -> Caught:
        if result is None or not self._keep_output:
            return ""
        return caught(result)


def _joined(yielded: list[Any]) -> Any:
    """What a generator made: one text, if it made text."""
    return "".join(yielded) if all(type(item) is str for item in yielded) else yielded


def _parameters(function: Callable[..., Any]) -> tuple[int, tuple[str, ...], str]:
    """How many of a call's first arguments are the object or class of a method, the names of the others, and of the rest."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some built-in functions do not say
        return 0, (), "arguments"
    names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    first = 1 if names and names[0] in {"self", "cls"} else 0
    return first, tuple(names[first:]), rest


def _left_out(error: Exception) -> None:
    warn_once(f"a span is left out ({error!r:.200})")


def _stepped(span: RunningSpan | None, step: Callable[[], Any]) -> Any:
    if span is None:
        return step()
    token = enter(span)
    try:
        return step()
    finally:
        leave(token)


async def _stepped_async(span: RunningSpan | None, step: Callable[[], Awaitable[Any]]) -> Any:
    if span is None:
        return await step()
    token = enter(span)
    try:
        return await step()
    finally:
        leave(token)
