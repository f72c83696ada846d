"""What a value is shown as: text as it is, everything else as JSON, what JSON does not know by its repr. Nothing here raises.

The caller's part is `caught`: what can change later is written down at once, text is kept as it is. `told` makes the text
of it that is sent, later and in another thread. Knows values; knows not what they belong to.
"""

from collections.abc import Mapping, Sized
from itertools import islice
from typing import Any

import msgspec

LONGEST_TEXT = 1_000_000  # characters of one text that are sent; what is longer is cut and says so
_MOST_ITEMS = 10_000  # of a list, set or dict; what is larger is shown by its first ones, so that no call waits for it
_SHOWN_ITEMS = 1_000

Caught = str | bytes  # text, or JSON


def caught(value: Any) -> Caught:
    """A value as it is now."""
    if type(value) is str:
        return value
    try:
        return _encode(value if not isinstance(value, Sized) or len(value) <= _MOST_ITEMS else _beginning(value))
    except Exception:  # noqa: BLE001 -- somebody else's repr or properties; observing must not change what is observed
        return _unshown(value)


def caught_arguments(arguments: dict[str, Any]) -> Caught:
    """A call's arguments by name, as they are now."""
    for name, value in arguments.items():
        if type(value) in _LARGE and len(value) > _MOST_ITEMS:
            arguments[name] = _beginning(value)
    try:
        return _encode(arguments)
    except Exception:  # noqa: BLE001 -- as above; one by one, so that what can be shown is
        return _encode({name: _told_alone(value) for name, value in arguments.items()})


def told(kept: Caught) -> str:
    """The text of what was caught, as it is sent: no longer than the longest, and nothing that UTF-8 does not know."""
    text = kept if isinstance(kept, str) else kept.decode("utf-8", "replace")
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def as_text(value: Any) -> str:
    """Both in one."""
    return told(caught(value))


def error_text(error: BaseException) -> str:
    """An error as the last line of its traceback has it."""
    kind = type(error)
    module = "" if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}."
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 -- somebody else's __str__
        said = "<an error that cannot be shown>"
    return f"{module}{kind.__qualname__}: {said}" if said else f"{module}{kind.__qualname__}"


def _shown(value: Any) -> Any:
    """What JSON does not know."""
    try:
        dump = getattr(type(value), "model_dump", None)  # pydantic's, which clients of models answer with
        return repr(value) if dump is None else dump(value, mode="json")
    except Exception:  # noqa: BLE001 -- somebody else's code
        return _unshown(value)


_encode = msgspec.json.Encoder(enc_hook=_shown).encode
_LARGE = frozenset({list, tuple, dict, set, frozenset})


def _beginning(value: Any) -> Any:
    """The first items, and how many there are."""
    if type(value) not in _LARGE:
        return value
    first = list(islice(value.items() if isinstance(value, Mapping) else value, _SHOWN_ITEMS))
    return [*first, f"… ({len(value):,} items)"]


def _told_alone(value: Any) -> str:
    return as_text(value)


def _unshown(value: Any) -> str:
    return f"<a {type(value).__name__} that cannot be shown>"
