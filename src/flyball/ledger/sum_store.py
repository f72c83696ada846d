"""All SQL of the ledger's sums, by the hour and by the day: adding to them, and deriving them again from the entries.

A row has a stripe beside its key, which the connection that writes chooses, so that workers that settle at once do not wait for
each other; a sum is that of its stripes. `fold` brings those of days that are over together. No clock, no authorisation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all

from .records import Entry
from .store import as_json

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
_LONG = {"hour_ns": HOUR_NS, "day_ns": DAY_NS}


class _Table(NamedTuple):
    """A table of sums: its key and its sums, each with what it is of the entries."""

    name: str
    period: Literal["hour_ns", "day_ns"]
    key: Mapping[str, str]
    told: Mapping[str, str]  # what the key stands for
    sums: Mapping[str, str]
    every: str = ""  # what each entry is joined with

    @property
    def group(self) -> Mapping[str, str]:
        """What is one sum."""
        start = f"at_ns - at_ns %% {_LONG[self.period]}"
        return {"project": "project", self.period: start, **self.key, **self.told}

    @property
    def columns(self) -> str:
        """All but the stripe."""
        return ", ".join((*self.group, *self.sums))

    def of(self, entries: str) -> str:
        """The sums that some entries make."""
        return self.summed(f"select * from ({entries}) as entries{self.every}")

    def summed(self, joined: str) -> str:
        """The sums that some entries make which are joined already."""
        places = _places(len(self.group))
        values = ", ".join((*self.group.values(), *self.sums.values()))
        return f"select {values} from ({joined}) as joined group by {places} order by {places}"

    def add(self, rows: str) -> str:
        """A statement that adds some sums to the stripe of this connection."""
        unique = ", ".join(("project", self.period, *self.key, "stripe"))
        more = ", ".join(f"{name} = {self.name}.{name} + excluded.{name}" for name in self.sums)
        return (
            f"insert into {self.name} ({self.columns}, stripe) select made.*, {_STRIPE} from ({rows}) as made "
            f"on conflict ({unique}) do update set {more}"
        )

    def kept(self) -> str:
        """The sums of a project, whatever their stripes."""
        sums = ", ".join(f"sum({name})" for name in self.sums)
        columns = ", ".join(self.group)
        return f"select {columns}, {sums} from {self.name} where project = %s group by {_places(len(self.group))}"

    def differing(self) -> str:
        """A question for the periods of a project whose sums are not what its entries make."""
        kept, made = f"({self.kept()})", f"({self.of(_OF_PROJECT)})"
        return (
            f"select {self.period} as at_ns from ({kept} except all {made}) as kept ({self.columns}) "
            f"union select {self.period} from ({made} except all {kept}) as made ({self.columns})"
        )

    def again(self) -> tuple[str, str]:
        """Two statements that derive a project's sums of some periods again."""
        of_periods = f"{_OF_PROJECT} and at_ns - at_ns %% {_LONG[self.period]} = any(%s)"
        return f"delete from {self.name} where project = %s and {self.period} = any(%s)", self.add(self.of(of_periods))

    def fold(self) -> str:
        """A statement that brings the stripes of a project's sums of a time together, in stripe 0."""
        group = ", ".join(self.group)
        unique = ", ".join(("project", self.period, *self.key, "stripe"))
        sums = ", ".join(f"sum({name})" for name in self.sums)
        more = ", ".join(f"{name} = {self.name}.{name} + excluded.{name}" for name in self.sums)
        return (
            f"with gone as (delete from {self.name} where project = %s "
            f"and {self.period} >= %s and {self.period} < %s and stripe <> 0 returning *) "
            f"insert into {self.name} ({self.columns}, stripe) select {group}, {sums}, 0 from gone group by {_places(len(self.group))} "
            f"on conflict ({unique}) do update set {more}"
        )


def _places(count: int) -> str:
    return ", ".join(str(number) for number in range(1, count + 1))


_STRIPE = "pg_backend_pid() %% 16"
_OF_PROJECT = "select * from ledger where project = %s"
_NAMES = ("key_id", "member", "function", "variant", "release", "model", "provider", "price_version")
_TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "output_tokens",
    "reasoning_tokens", "audio_output_tokens", "web_searches",
)  # fmt: skip
_KEY = {**{name: f"coalesce({name}, '')" for name in _NAMES}, "state": "state"}
_SUMS = {
    "entries": "count(*)",
    "requests": "sum(requests)",
    **{name: f"sum({name})" for name in _TOKENS},
    "estimated": "count(*) filter (where estimated)",
    "nano_usd": "coalesce(sum(nano_usd), 0)",
    "unpriced": "count(*) filter (where nano_usd is null)",
}
_SPENT = {name: _SUMS[name] for name in ("entries", "requests", "estimated", "nano_usd", "unpriced")} | {
    "tokens": "sum(tokens)"
}
_BY_MODEL = {name: value for name, value in _KEY.items() if name not in {"key_id", "member", "release"}}
_BY_KEY = {name: _KEY[name] for name in ("key_id", "member", "function", "release", "model")}
_TAGS_HASH = {"tags_hash": "md5(to_jsonb(tag_set)::text)"}  # a set of tags may be longer than a key
_BY_TAGS = {**_KEY, **_TAGS_HASH}
_BY_TAGS_ALONE = {"function": _KEY["function"], "model": _KEY["model"], **_TAGS_HASH}
_TAG_SET = """
    join lateral (select array_agg(distinct tag collate "C" order by tag collate "C") as tag_set from unnest(tags) as tag) as each
        on tag_set is not null
"""
_TABLES = (
    _Table("ledger_hours", "hour_ns", _KEY, {}, _SUMS),
    _Table("ledger_days", "day_ns", _KEY, {}, _SUMS),
    _Table("ledger_day_models", "day_ns", _BY_MODEL, {}, _SUMS),
    _Table("ledger_day_keys", "day_ns", _BY_KEY, {}, _SPENT),
    _Table("ledger_tag_hours", "hour_ns", _BY_TAGS, {"tags": "tag_set"}, _SUMS, _TAG_SET),
    _Table("ledger_tag_days", "day_ns", _BY_TAGS, {"tags": "tag_set"}, _SUMS, _TAG_SET),
    _Table("ledger_day_tags", "day_ns", _BY_TAGS_ALONE, {"tags": "tag_set"}, _SPENT, _TAG_SET),
)
_AGAIN = [(table.period, *table.again()) for table in _TABLES]
_FOLD = [table.fold() for table in _TABLES]

# Entries that settle together are of few kinds: they come summed by all that any table tells apart, and are summed once more for each.
_GIVEN = {
    "project": "text",
    "at_ns": "bigint",
    **dict.fromkeys(_NAMES, "text"),
    "state": "text",
    "tags": "jsonb",
    **dict.fromkeys((*_SUMS, "tokens"), "bigint"),
}
_AGAIN_SUMMED = [table._replace(sums={name: f"sum({name})" for name in table.sums}) for table in _TABLES]
_VALUES = ", ".join(
    "array(select jsonb_array_elements_text(tags)) as tags" if name == "tags" else name for name in _GIVEN
)
# One statement. PostgreSQL runs its last part first: tables are written in the order of `fold`.
_ADDED = ", ".join(
    f"{table.name}_added as ({table.add(table.summed('select * from tagged' if table.every else 'select * from given'))})"
    for table in reversed(_AGAIN_SUMMED)
)
_ADD = f"""
    with given as materialized (
        select {_VALUES} from json_to_recordset(%s::json) as given ({", ".join(f"{name} {kind}" for name, kind in _GIVEN.items())})
    ), tagged as materialized (select * from given {_TAG_SET}), {_ADDED} select 1
"""
_told_apart = attrgetter("project", *_NAMES, "state", "tags")


class Periods(NamedTuple):
    """Hours and days by when they begin."""

    hours_ns: tuple[int, ...]
    days_ns: tuple[int, ...]


async def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add entries that were appended in this transaction."""
    await execute(connection, _ADD, as_json(_kinds(entries)))


async def differing(connection: Connection, project: str) -> Periods:
    """The hours and the days of a project in which a sum is not that of the entries."""
    found: dict[str, set[int]] = {"hour_ns": set(), "day_ns": set()}
    for table in _TABLES:
        rows = await fetch_all(connection, table.differing(), *[project] * 4)
        found[table.period].update(row["at_ns"] for row in rows)
    return Periods(tuple(sorted(found["hour_ns"])), tuple(sorted(found["day_ns"])))


async def sum_again(connection: Connection, project: str, periods: Periods) -> None:
    """Derive the sums of some hours and days again. Hold settling."""
    of_period = {"hour_ns": list(periods.hours_ns), "day_ns": list(periods.days_ns)}
    for period, clear, add_again in _AGAIN:
        await execute(connection, clear, project, of_period[period])
        await execute(connection, add_again, project, of_period[period])


async def fold(connection: Connection, project: str, since_ns: int, until_ns: int) -> None:
    """Bring the stripes of a project's sums that began from one time to before another together: fewer rows, the same sums."""
    for statement in _FOLD:
        await execute(connection, statement, project, since_ns, until_ns)


def _kinds(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The sums of those that no table tells apart."""
    alike: dict[tuple[int, tuple[Any, ...]], list[Entry]] = defaultdict(list)
    for entry in entries:
        alike[entry.at_ns // HOUR_NS, _told_apart(entry)].append(entry)
    return [
        {
            "at_ns": hour * HOUR_NS,
            **dict(zip(("project", *_NAMES, "state", "tags"), names, strict=True)),
            **_sums_of(some),
        }
        for (hour, names), some in alike.items()
    ]


def _sums_of(entries: Sequence[Entry]) -> dict[str, int]:
    nano_usd = [entry.nano_usd for entry in entries]
    return {
        **{name: sum(map(attrgetter(name), entries)) for name in ("requests", *_TOKENS, "estimated", "tokens")},
        "entries": len(entries),
        "nano_usd": sum(filter(None, nano_usd)),
        "unpriced": nano_usd.count(None),
    }
