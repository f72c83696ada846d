"""What a personal key may do: what it was granted and what its member's role gives now, whichever is less."""

from collections.abc import Iterable
from functools import lru_cache

from .roles import ROLES, cut


def permissions_now(granted: Iterable[str], role: str | None, own: Iterable[str] | None) -> frozenset[str]:
    """The rights that count.

    Args:
        granted: what the key was given when it was made.
        role: its member's role in the key's project; None where they have none any more.
        own: what the role permits where it is one of the project's own; None where it is built in.
    """
    return _permissions_now(tuple(granted), role, None if own is None else tuple(own))


@lru_cache(maxsize=1024)
def _permissions_now(granted: tuple[str, ...], role: str | None, own: tuple[str, ...] | None) -> frozenset[str]:
    if role is None:
        return frozenset()
    return cut(granted, ROLES.get(role, frozenset(own or ())))
