"""What a check found. Knows no check."""

from typing import Literal

import msgspec

State = Literal["ok", "warning", "failed", "not checked"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the doctor's table. `next_step` is empty where there is nothing to do."""

    check: str
    state: State
    found: str
    next_step: str = ""


def ok(check: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(check=check, state="ok", found=found)


def warning(check: str, found: str, next_step: str) -> Finding:
    """It works, and may not for long."""
    return Finding(check=check, state="warning", found=found, next_step=next_step)


def failed(check: str, found: str, next_step: str) -> Finding:
    """It keeps flyball from working."""
    return Finding(check=check, state="failed", found=found, next_step=next_step)


def not_checked(check: str, found: str, next_step: str = "") -> Finding:
    """It could not be looked at, or there is nothing to look at yet."""
    return Finding(check=check, state="not checked", found=found, next_step=next_step)
