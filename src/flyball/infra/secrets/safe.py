"""Stored secrets as they lie in the database, sealed and opened. Keeps what it opened; knows no SQL.

A value is bound to its project, name, version and hosts: a row that somebody moved, renamed, aged or bound elsewhere does not open.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import Settings

from . import master
from .envelope import Cipher, DataKey
from .errors import MasterKeyError
from .master import MasterKeys
from .references import Found, Missing

_MOST_KEPT = 10_000
_AGAIN_NS = 10 * NANOSECONDS


class Wrap(NamedTuple):
    """A data key as it is kept: under which master key, and the wrapped bytes."""

    id: str
    project: str
    master_key: str
    wrapped: bytes


class Sealed(NamedTuple):
    """A stored secret as it is kept."""

    project: str
    name: str
    version: int
    hosts: tuple[str, ...]
    sealed: bytes
    wrap: Wrap


class Safe:
    """Opens what is sealed. One per process; reads the master key with the first."""

    def __init__(self, settings: Settings, layout: Layout, clock: Clock) -> None:
        self._settings = settings
        self._layout = layout
        self._clock = clock
        self._read_ns: int | None = None
        self._looked_ns: dict[str, int] = {}  # for master keys that were not here, by id
        self._failure: MasterKeyError | None = None
        self._masters: MasterKeys | None = None
        self._data_keys: OrderedDict[str, DataKey] = OrderedDict()
        self._opened: OrderedDict[tuple[str, str], tuple[Sealed, Secret]] = OrderedDict()

    async def open_all(self, rows: Iterable[Sealed]) -> dict[tuple[str, str], Found | Missing]:
        """What each row holds, by project and name; where it cannot be opened, why."""
        found: dict[tuple[str, str], Found | Missing] = {}
        for row in rows:
            try:
                secret = await self.open(row)
            except FlyballError as error:
                found[row.project, row.name] = Missing(f"the secret {row.name} cannot be used: {error.message}")
            else:
                found[row.project, row.name] = Found(secret, row.hosts)
        return found

    async def open(self, row: Sealed) -> Secret:
        """The value. Raises MasterKeyError, SealBrokenError."""
        kept = self._opened.get((row.project, row.name))
        if kept is not None and kept[0] == row:
            return kept[1]
        key = await self.data_key(row.wrap)
        secret = Secret(key.cipher.open(row.sealed, _place(row)).decode())
        _keep(self._opened, (row.project, row.name), (row, secret))
        return secret

    async def data_key(self, wrap: Wrap) -> DataKey:
        """A project's data key. Raises MasterKeyError, SealBrokenError."""
        if (kept := self._data_keys.get(wrap.id)) is not None:
            return kept  # the key of an id never changes, whatever wraps it
        cipher = await self._master(wrap.master_key)
        key = DataKey.unwrap(wrap.id, wrap.project, wrap.wrapped, cipher)
        _keep(self._data_keys, wrap.id, key)
        return key

    async def _master(self, id_: str) -> Cipher:
        """The master key of that id; read anew where it is not here, since it may have been exchanged."""
        masters = await self.masters()
        if all(key.id != id_ for key in masters.keys) and not self._lately(self._looked_ns.get(id_)):
            self._looked_ns[id_] = self._clock.monotonic_ns()
            masters = await self.masters(anew=True)
        return masters.named(id_)

    async def masters(self, *, anew: bool = False) -> MasterKeys:
        """The master keys of this process. A failure to read them is told for a while without trying again. Raises MasterKeyError."""
        if self._masters is not None and self._masters.keys and not anew:
            return self._masters
        if self._failure is not None and not anew and self._lately(self._read_ns):
            raise self._failure
        self._read_ns = self._clock.monotonic_ns()
        try:
            self._masters, self._failure = await master.load(self._settings, self._layout), None
        except MasterKeyError as error:
            self._failure = error
            raise
        return self._masters

    def _lately(self, at_ns: int | None) -> bool:
        """A command that prints the key takes its time: it is not run for each secret that does not open."""
        return at_ns is not None and self._clock.monotonic_ns() - at_ns < _AGAIN_NS


def seal(value: Secret, key: DataKey, row: Sealed) -> bytes:
    """The value for that row, whose own `sealed` does not count."""
    return key.cipher.seal(value.reveal().encode(), _place(row))


def _place(row: Sealed) -> tuple[Any, ...]:
    return ("secret", row.name, row.project, row.version, list(row.hosts))


def _keep(kept: OrderedDict[Any, Any], key: object, value: object) -> None:
    kept[key] = value
    if len(kept) > _MOST_KEPT:
        kept.popitem(last=False)
