"""All SQL of the ledger's sums by the hour: adding to them, and deriving them again from the entries. No clock, no authorisation."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all

from .records import Entry

HOUR_NS = 3_600_000_000_000
_HOUR = f"at_ns - at_ns %% {HOUR_NS}"


class _Table(NamedTuple):
    """A table of sums: its key and its sums, each with what it is of the entries."""

    name: str
    key: Mapping[str, str]
    sums: Mapping[str, str]
    every: str = ""  # what each entry is joined with

    @property
    def columns(self) -> str:
        return ", ".join((*self.key, *self.sums))

    def of(self, entries: str) -> str:
        """The rows that some entries make."""
        places = ", ".join(str(number) for number in range(1, len(self.key) + 1))
        values = ", ".join((*self.key.values(), *self.sums.values()))
        return f"select {values} from ({entries}) as entries{self.every} group by {places} order by {places}"

    def add(self, entries: str) -> str:
        """A statement that adds some entries."""
        more = ", ".join(f"{name} = {self.name}.{name} + excluded.{name}" for name in self.sums)
        return f"insert into {self.name} ({self.columns}) {self.of(entries)} on conflict ({', '.join(self.key)}) do update set {more}"

    def differing(self) -> str:
        """A question for the hours of a project whose rows are not what its entries make."""
        kept = f"(select {self.columns} from {self.name} where project = %s)"
        made = f"({self.of(_OF_PROJECT)})"
        return (
            f"select hour_ns from ({kept} except all {made}) as kept ({self.columns}) "
            f"union select hour_ns from ({made} except all {kept}) as made ({self.columns})"
        )

    def clear(self) -> str:
        """A statement that removes a project's rows of some hours."""
        return f"delete from {self.name} where project = %s and hour_ns = any(%s)"


_OF_PROJECT = "select * from ledger where project = %s"
_OF_HOURS = f"{_OF_PROJECT} and {_HOUR} = any(%s)"
_TOKENS = [
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "output_tokens",
    "reasoning_tokens", "audio_output_tokens", "web_searches",
]  # fmt: skip
_MONEY = {"nano_usd": "coalesce(sum(nano_usd), 0)", "unpriced": "count(*) filter (where nano_usd is null)"}
_COUNTS = {"entries": "count(*)", "requests": "sum(requests)"}
_HOURS = _Table(
    "ledger_hours",
    {
        "project": "project",
        "hour_ns": _HOUR,
        **{name: f"coalesce({name}, '')" for name in ("key_id", "member", "function", "model", "provider")},
        "state": "state",
    },
    {
        **_COUNTS,
        **{name: f"sum({name})" for name in _TOKENS},
        "estimated": "count(*) filter (where estimated)",
        **_MONEY,
    },
)
_TAG_HOURS = _Table(
    "ledger_tag_hours",
    {"project": "project", "hour_ns": _HOUR, "tag": "tag", "model": "coalesce(model, '')", "state": "state"},
    {**_COUNTS, "tokens": "sum(tokens)", **_MONEY},
    ", lateral (select distinct unnest(tags) as tag) as each",
)
_TABLES = (_HOURS, _TAG_HOURS)
_DIFFERING = " union ".join(table.differing() for table in _TABLES) + " order by 1"
_PLACES = _DIFFERING.count("%s")
_AGAIN = [(table.clear(), table.add(_OF_HOURS)) for table in _TABLES]

_FRESH = "select * from ledger where (project, id) = any (select * from unnest(%s::text[], %s::text[]))"
_ADD = _HOURS.add(_FRESH)
_ADD_BY_TAG = _TAG_HOURS.add(_FRESH)


async def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries that were appended in this transaction."""
    await execute(connection, _ADD, *_keys(entries))
    if tagged := [entry for entry in entries if entry.tags]:
        await execute(connection, _ADD_BY_TAG, *_keys(tagged))


def _keys(entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    return [entry.project for entry in entries], [entry.id for entry in entries]


async def differing_hours(connection: Connection, project: str) -> list[int]:
    """The hours of a project in which a sum is not that of the entries."""
    return [row["hour_ns"] for row in await fetch_all(connection, _DIFFERING, *[project] * _PLACES)]


async def sum_again(connection: Connection, project: str, hours: Sequence[int]) -> None:
    """Derive the sums of some hours again. Hold settling."""
    for clear, add in _AGAIN:
        await execute(connection, clear, project, list(hours))
        await execute(connection, add, project, list(hours))
