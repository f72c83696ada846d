"""The ledger as pages: its entries, narrowed and paged, and one of them. Budgets and limits are `quota_pages`."""

from typing import Annotated, get_args
from urllib.parse import urlencode

import msgspec
from fastapi import Depends

from flyball.audit.service import time_of
from flyball.kit.errors import InvalidInputError, NotFoundError
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import entries, foreseeing
from .declared import Charged, EntryFilter, LedgerRow
from .records import State
from .wording import amount_text

pages = Pages(tag="ledger", section="/ledger")


class LedgerFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, as it was written in the form."""

    key: str = ""
    member: str = ""
    function: str = ""
    model: str = ""
    tag: str = ""
    state: str = ""
    trace: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> str:
        """The part of an address that asks for the same; empty where nothing is asked."""
        return urlencode({name: value for name, value in msgspec.structs.asdict(self).items() if value})

    @property
    def wanted(self) -> EntryFilter:
        """The same for the verb, other than keys and members, which it takes by name."""
        return EntryFilter(
            function=self.function,
            model=self.model,
            tag=self.tag,
            state=self.state,
            trace_id=self.trace,
            since_ns=time_of(self.since),
            until_ns=time_of(self.until, whole_day=True),
        )


class LedgerList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/entries.html shows. `wrong` says what cannot be asked for; `states` and `known` are what can.

    `count` is of all entries, None where some are asked for.
    """

    count: int | None
    entries: tuple[LedgerRow, ...]
    next: str | None
    first: bool
    filter: LedgerFilter
    states: tuple[str, ...]
    known: dict[str, tuple[str, ...]]
    wrong: str = ""


class UsedOf(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry used of a quota, in words. `href` and `name` are empty where the quota is no more."""

    name: str
    href: str
    quota_id: str
    used: str


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/entry.html shows. `tokens` are its counts by kind, those that are not 0."""

    entry: LedgerRow
    tokens: tuple[tuple[str, int], ...]
    charges: tuple[UsedOf, ...]


_KINDS = (
    ("input", "input_tokens"),
    ("read from the provider's cache", "cache_read_tokens"),
    ("written to its cache", "cache_write_tokens"),
    ("written to its cache for an hour", "cache_write_1h_tokens"),
    ("audio in", "audio_input_tokens"),
    ("output", "output_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("audio out", "audio_output_tokens"),
)


async def _asked(
    *,
    function: str = "",
    model: str = "",
    tag: str = "",
    state: str = "",
    trace: str = "",
    since: str = "",
    until: str = "",
) -> LedgerFilter:
    return LedgerFilter(
        function=function.strip(),
        model=model.strip(),
        tag=tag.strip(),
        state=state,
        trace=trace.strip(),
        since=since.strip(),
        until=until.strip(),
    )


@pages.get("/ledger", permission="ledger.read", template="ledger/entries.html")
async def list_entries(
    ctx: ContextDep,
    asked: Annotated[LedgerFilter, Depends(_asked)],
    *,
    key: str = "",
    member: str = "",
    cursor: str = "",
) -> LedgerList:
    """The project's entries, newest first, narrowed where asked."""
    asked = msgspec.structs.replace(asked, key=key.strip(), member=member.strip())
    shown = LedgerList(
        count=None if asked.query else await entries.count_entries(ctx),
        entries=(),
        next=None,
        first=not cursor,
        filter=asked,
        states=get_args(State),
        known=await foreseeing.known_names(ctx),
    )
    try:
        found = await entries.list_entries(ctx, asked.wanted, cursor, key=asked.key, member=asked.member)
    except (InvalidInputError, NotFoundError) as error:
        if not asked.query:
            raise
        return msgspec.structs.replace(shown, wrong=str(error))
    return msgspec.structs.replace(shown, entries=found.items, next=found.next)


@pages.get("/ledger/{entry_id}", permission="ledger.read", template="ledger/entry.html")
async def show_entry(ctx: ContextDep, entry_id: str) -> EntryPage:
    """One entry: what it used of each kind, and of which budgets and limits."""
    found = await entries.get_entry(ctx, entry_id)
    return EntryPage(
        entry=found.entry,
        tokens=tuple((name, number) for name, field in _KINDS if (number := getattr(found.entry, field))),
        charges=tuple(map(_used_of, found.charges)),
    )


def _used_of(charged: Charged) -> UsedOf:
    if not charged.unit:
        return UsedOf(name="", href="", quota_id=charged.quota_id, used=f"{charged.amount:,}")
    noun = "budgets" if charged.unit == "nano_usd" else "limits"
    return UsedOf(
        name=charged.name,
        href=f"/{noun}/{charged.quota_id}",
        quota_id=charged.quota_id,
        used=amount_text(charged.unit, charged.amount),
    )
