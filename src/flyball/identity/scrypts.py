"""Comparing and hashing passwords, a few at a time: each takes 32 MiB and some 60 ms of a core. Knows no name and no member.

Who comes beyond waits in a short line, and beyond that is told to come back: so nobody's wrong passwords keep another's
right one out for longer than the line takes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from flyball.kit.secrets import Secret, hash_password, verify_password

from .errors import SignInBusyError

T = TypeVar("T")
_AT_ONCE = 4
_MOST_WAITING = 60  # two seconds on two cores


class Line:
    """Work that waits for one of a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scrypt")
        self._under_way = 0

    async def do(self, work: Callable[..., T], *arguments: str) -> T:
        """Do it when it is its turn. Raises SignInBusyError where too many wait."""
        if self._under_way >= _AT_ONCE + _MOST_WAITING:
            raise SignInBusyError("too many people sign in at this moment", next_step="try again in a few seconds")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._under_way -= 1


_LINE = Line()


async def verify(password: Secret, verifier: str) -> bool:
    """Whether it is the password of this verifier. Raises SignInBusyError."""
    return await _LINE.do(verify_password, password.reveal(), verifier)


async def verifier_of(password: Secret) -> str:
    """What a password is kept as. Raises SignInBusyError."""
    return await _LINE.do(hash_password, password.reveal())
