"""A group of commands that all take the common options, print errors alike, and say what they need. Knows no command of its own."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

import msgspec
import typer

from flyball.kit.errors import FlyballError
from flyball.kit.visible import for_terminal, json_for_terminal

from .exits import ExitCode, exit_code_of
from .options import DataOption, JsonOption, KeyOption, Options, ProjectOption, ServerOption, choose, wants_json

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])

LOCAL = "local"  # the command asks no server: whoever may start it may run it

_COMMON = {
    "as_json": (JsonOption, False),
    "data": (DataOption, None),
    "server": (ServerOption, None),
    "key": (KeyOption, None),
    "project": (ProjectOption, None),
}


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Options that belong together: each field of a subclass, annotated as a parameter would be, becomes one of its command's.

    They stand in the help under the subclass's sentence.
    """


class Commands(typer.Typer):
    """`typer.Typer` whose commands have `--json --data --server --key --project` and end with the documented exit codes."""

    def __init__(self, name: str, help: str) -> None:  # noqa: A002 -- typer's own word for it
        super().__init__(
            name=name, help=help, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
        )
        # Without a callback, a group of one command would lose its name.
        self.callback(help=help, no_args_is_help=True)(_nothing)
        self.permissions: Mapping[str, tuple[str, ...]] = {}

    def command(
        self, name: str | None = None, *, permission: str | tuple[str, ...] = (), **settings: Any
    ) -> Callable[[CommandFunction], CommandFunction]:
        """Register a command; the function itself stays as it was, so that tests may call it.

        `permission` is what its caller has to have on the server, or LOCAL where it asks none. Raises TypeError without.
        """
        register = super().command(name, **settings)
        needed = (permission,) if isinstance(permission, str) else permission

        def decorate(function: CommandFunction) -> CommandFunction:
            word = name or function.__name__
            if not needed:
                raise TypeError(
                    f"the command {word!r} declares no permission: write "
                    f'`@app.command("{word}", permission="<noun>.<deed>")`, or permission=LOCAL'
                )
            self.permissions = {**self.permissions, word: needed}
            register(with_common_options(function))
            return function

        return decorate


def _nothing() -> None:
    pass


def with_common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the common options added to its signature, and its errors printed."""
    hints = get_type_hints(function, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, OptionGroup)}
    own = [
        each
        for parameter in inspect.signature(function).parameters.values()
        for each in _options(groups.get(parameter.name), parameter.replace(annotation=hints[parameter.name]))
    ]
    taken = sorted(_COMMON.keys() & {parameter.name for parameter in own})
    if taken:
        raise TypeError(
            f"{function.__name__} declares {', '.join(taken)}, which every command has: give it another name"
        )
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _COMMON.items()
    ]

    @functools.wraps(function)
    def command(*arguments: Any, **named: Any) -> Any:
        choose(Options(**{name: named.pop(name) for name in _COMMON}))
        for name, group in groups.items():
            named[name] = group(**{field.name: named.pop(field.name) for field in fields(group)})
        with_exit = functools.partial(function, *arguments, **named)
        return _or_exit(with_exit)

    command.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined] # how functions carry a signature of their own
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return command


def _options(group: type[OptionGroup] | None, parameter: inspect.Parameter) -> Sequence[inspect.Parameter]:
    """The parameter itself; of a group its fields, by keyword alone."""
    if group is None:
        return (parameter,)
    hints = get_type_hints(group, include_extras=True)
    for hint in hints.values():
        for option in getattr(hint, "__metadata__", ()):
            option.rich_help_panel = (group.__doc__ or group.__name__).splitlines()[0].rstrip(".")
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _or_exit(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except FlyballError as error:
        print_error(error)
        raise typer.Exit(exit_code_of(error.status)) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def print_error(error: FlyballError) -> None:
    """On standard error: `error: ...` and `  next: ...`, or with `--json` the same as JSON."""
    if wants_json():
        told = {"error": {"code": error.code, "message": error.message, "next_step": error.next_step}}
        print(json_for_terminal(msgspec.json.encode(told).decode()), file=sys.stderr)  # noqa: T201 -- this is the terminal's door
        return
    print(for_terminal(f"error: {error.message}"), file=sys.stderr)  # noqa: T201 -- likewise
    if error.next_step:
        print(for_terminal(f"  next: {error.next_step}"), file=sys.stderr)  # noqa: T201 -- likewise
