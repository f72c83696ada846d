"""What a supervised process says to its supervisor: nothing but "I am ready", and waits for nothing but "begin".

Without a supervisor both return at once, so the same program runs by hand. Light: every process imports it.
"""

import os

BEGIN = "FLYBALL_BEGIN_FD"
READY = "FLYBALL_READY_FD"


def wait_to_begin() -> None:
    """Block until what this process needs (the migrated database) is there; call it after the imports, which take the time."""
    descriptor = _take(BEGIN)
    if descriptor is None:
        return
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        told = pipe.read(1)
    if not told:
        raise SystemExit(1)  # the supervisor gave up or is gone


def say_ready() -> None:
    """Tell the supervisor that this process now does its work."""
    descriptor = _take(READY)
    if descriptor is None:
        return
    with os.fdopen(descriptor, "wb", buffering=0) as pipe:
        try:
            pipe.write(b"ready\n")
        except BrokenPipeError:
            return  # it has stopped listening


def _take(variable: str) -> int | None:
    number = os.environ.pop(variable, "")
    return int(number) if number else None
