"""What the SDK has to complain of: in the log, each once, so that a fault of ours does not fill an application's log.

Knows one logger, `flyball`.
"""

import logging

_log = logging.getLogger("flyball")
_told: set[str] = set()


def warn_once(text: str, *, kind: str = "") -> None:
    """Tell something, the first time; of one `kind` only the first."""
    if (kind or text) not in _told:
        _told.add(kind or text)
        _log.warning("%s", text)


def forget() -> None:
    """Whatever is told next is told again."""
    _told.clear()
