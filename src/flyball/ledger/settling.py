"""Settling: entries of the ledger, their sums, counters and leases move in one transaction, once for each id.

An entry is a record of a spool on its way here (`SpooledEntries`, `deliver_entries`), so that what a killed worker used is
settled by the next one. Knows entries and which quotas cover them; the SQL is the stores'. Light: the gateway imports it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from flyball.infra.db.database import Connection
from flyball.infra.spool.spool import Spool

from . import quota_store, store, sum_store
from .records import UNLEASED, Charge, Entry, Quota, covers, measured
from .windows import FAR_NS, bucket_ns, counts_from_ns, ends_ns, is_rolling, window_of

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)
_looked_at = attrgetter("organisation", "project", "key_id", "member", "function", "model", "tags")


class SpooledEntries:
    """Takes entries and keeps them in a spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file = spool.own
        self._room_until = -1  # of the file's positions: up to there is room whatever becomes of what waits

    @property
    def has_room(self) -> bool:
        """Whether the entries of every call that may be in flight are sure to find a place: a quarter is kept free for them."""
        end = self._file.end
        if end > self._room_until:  # seldom: how much was delivered meanwhile is looked at
            self._room_until = end + self._spool.capacity * 3 // 4 - self._spool.waiting_bytes
        return end <= self._room_until

    def append(self, entry: Entry) -> bool:
        """Keep an entry; when this returns True, only the loss of the machine's power can lose it."""
        return self._file.append(encode_entry(entry))


def encode_entry(entry: Entry) -> bytes:
    """An entry as a record. Half a surrogate pair, which only code can make, becomes "?": money is never lost for a letter."""
    try:
        return _encoder.encode(entry)
    except UnicodeEncodeError:
        fields = {name: getattr(entry, name) for name in Entry.__struct_fields__}
        return _encoder.encode(fields | {name: _legible(value) for name, value in fields.items()})


def _legible(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Charge):
        return _legible(msgspec.structs.astuple(value))
    return tuple(_legible(each) for each in value) if isinstance(value, tuple) else value


async def deliver_entries(connection: Connection, records: Sequence[bytes], now_ns: int) -> None:
    """Settle the entries of a spool."""
    await settle(connection, [_decoder.decode(record) for record in records], now_ns)


async def settle(connection: Connection, entries: Sequence[Entry], now_ns: int | None) -> None:
    """Settle entries in the transaction that is given; those that are in the ledger already change nothing."""
    await quota_store.let_settle(connection)
    entries = [_as_kept(entry) for entry in entries]
    quotas = Counting(await quota_store.near(connection, {entry.organisation for entry in entries}, _scopes(entries)))
    fresh = await store.append(connection, store.first_of_each(entries), now_ns)
    if not fresh:
        return
    leases, counters = _used(fresh, quotas)
    # Rows that everybody's entries meet in come last, where nothing is asked any more: others wait for them until the commit.
    await sum_store.add(connection, fresh)
    await store.move(connection, leases, counters)


def _as_kept(entry: Entry) -> Entry:
    """With tags as PostgreSQL keeps them, so that what is counted is what the ledger says."""
    if not any("\x00" in tag for tag in entry.tags):
        return entry
    return msgspec.structs.replace(entry, tags=tuple(tag.replace("\x00", "\ufffd") for tag in entry.tags))


def _scopes(entries: Iterable[Entry]) -> set[str]:
    """What quotas that count them may be of; the empty name: the whole of a project or organisation."""
    names = {name for one in entries for name in (one.key_id, one.member, one.function, one.model, *one.tags) if name}
    return {"", *(name for name in names if "\x00" not in name)}  # which PostgreSQL knows in no name


def _used(entries: Iterable[Entry], quotas: "Counting") -> tuple[dict[str, int], dict[tuple[str, int], int]]:
    """How much of which lease, and of which quota in which window."""
    leases: Counter[str] = Counter()
    counters: Counter[tuple[str, int]] = Counter()
    rows = _Rows()
    for entry in entries:
        for charge in entry.charges:
            leases[charge.lease] += charge.amount
        for quota in quotas.covering(entry):
            if amount := measured(quota.unit, entry):
                window_ns = rows.of(quota.window, entry.at_ns)
                if window_ns >= quotas.counts_from_ns[quota.id]:
                    counters[quota.id, window_ns] += amount
    del leases[UNLEASED]
    return {lease: amount for lease, amount in leases.items() if amount > 0}, dict(counters)


class _Rows:
    """Which row of a counter moments fall in, remembered for the next: entries that settle together are of one time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def of(self, window: str, at_ns: int) -> int:
        start_ns, end_ns = self._known.get(window, (0, 0))
        if not start_ns <= at_ns < end_ns:
            start_ns = window_of(window, at_ns)
            end_ns = start_ns + bucket_ns(window) if is_rolling(window) else ends_ns(window, at_ns) or FAR_NS
            self._known[window] = start_ns, end_ns
        return start_ns


class Counting:
    """Finds the quotas that count an entry without looking at all of them."""

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self._by_scope: dict[tuple[str, str | None], list[Quota]] = defaultdict(list)
        self._covering: dict[tuple[object, ...], list[Quota]] = {}  # by all of an entry that quotas look at
        self.counts_from_ns: dict[str, int] = {}  # by quota: the first row that it ever counts
        for quota in quotas:
            if quota.unit != "parallel":
                self.counts_from_ns[quota.id] = counts_from_ns(quota.window, quota.created_ns)
                self._by_scope[quota.scope_kind, quota.scope].append(quota)

    def covering(self, entry: Entry) -> list[Quota]:
        """Those that cover it."""
        looked_at = _looked_at(entry)
        if (known := self._covering.get(looked_at)) is None:
            known = self._covering[looked_at] = self._found(entry)
        return known

    def _found(self, entry: Entry) -> list[Quota]:
        scopes = [
            ("organisation", ""),
            ("project", ""),
            ("key", entry.key_id),
            ("member", entry.member),
            ("function", entry.function),
            ("model", entry.model),
            *(("tag", tag) for tag in set(entry.tags)),
        ]
        near = [quota for scope in scopes if scope in self._by_scope for quota in self._by_scope[scope]]
        return [quota for quota in near if covers(quota, entry)]
