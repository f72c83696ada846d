"""How steps of jobs end, as text: JSON, because what is read back from a database must never be code. Knows no DBOS.

A step's result is read as the type that its function declares; its failure as a `StepFailedError` with the same words.
"""

from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import msgspec

from flyball.kit.errors import FlyballError

T = TypeVar("T")


class StepFailedError(FlyballError):
    """A step that failed before this process began. The code is that of the error which was raised then."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class _Ended(msgspec.Struct, omit_defaults=True):
    """One or the other."""

    result: msgspec.Raw = msgspec.Raw(b"null")
    failure: str = ""
    code: str = ""


def result_type(work: Callable[..., Any]) -> Any:
    """What a step's function says that it returns."""
    return get_type_hints(work).get("return", Any)


def kept(result: Any) -> str:
    """The text of a result. Raises TypeError where it is nothing that JSON can say."""
    return msgspec.json.encode(_Ended(result=msgspec.Raw(msgspec.json.encode(result)))).decode()


def kept_failure(error: Exception) -> str:
    """The text of a failure."""
    text, code = told(error)
    return msgspec.json.encode(_Ended(failure=text, code=code)).decode()


def read(text: str, type_: Any) -> Any:
    """The result. Raises StepFailedError, and msgspec.MsgspecError where the text says something else than the type."""
    ended = msgspec.json.decode(text, type=_Ended)
    if ended.code:
        raise StepFailedError(ended.failure, ended.code)
    return msgspec.json.decode(ended.result, type=type_)


def told(error: Exception) -> tuple[str, str]:
    """What people are told of a failure, and its code."""
    if isinstance(error, FlyballError):
        return str(error), error.code
    return f"{type(error).__name__}: {error}. Next: the worker's log has the whole story", "internal_error"
