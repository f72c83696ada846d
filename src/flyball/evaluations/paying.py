"""What a run asks of models is paid for like any call: admitted by every budget and limit that counts it, an entry for each attempt.

A limit that frees soon is waited for; a budget that is used up stops the run. Knows the ledger and functions; knows no items and no
scores. What no model is asked for (rules) is neither counted nor paid.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from flyball.functions import Answer, PinnedVariant
from flyball.functions.billing import entries_of_run, model_asked
from flyball.functions.errors import VariantError
from flyball.functions.execution import run_variant
from flyball.functions.expecting import before_any
from flyball.functions.records import CallIds
from flyball.functions.tools import Tools
from flyball.gateway.quota_errors import QuotaExceededError
from flyball.infra.context import Context
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError
from flyball.kit.ids import new_trace_id
from flyball.ledger import quota_store
from flyball.ledger.covering import ByScope, by_scope, covering
from flyball.ledger.errors import LedgerFullError, QuotaAwayError, QuotaReachedError
from flyball.ledger.lender import Lender
from flyball.ledger.opening import open_till
from flyball.ledger.records import Demand, Entry, Reservation
from flyball.ledger.scopes import home_of
from flyball.projects import key_store
from flyball.traces.records import Span

from .errors import RunStoppedError
from .plans import Plan

TAG = "evaluation"
SPOOL = "ledger-jobs"
LONGEST_WAIT_SECONDS = 15 * 60.0  # for a limit to free, of one question
_LONGEST_PAUSE_SECONDS = 5.0


class Payer(NamedTuple):
    """On whose account a run asks."""

    organisation: str
    key_id: str | None
    member: str | None
    quotas: ByScope


async def payer_of(ctx: Context, started_by: str) -> Payer:
    """The account of whoever started a run: their key with its line, their own account, or the project alone."""
    async with ctx.db.across_projects().connection() as connection:
        home = await home_of(connection, ctx)
        quotas = by_scope(await quota_store.every(connection), ctx.project, home.id)
        key = await key_store.get_key(connection, ctx.project, started_by) if started_by.startswith("key_") else None
    member = started_by if started_by.startswith("mem_") else key.member if key else None
    return Payer(home.id, key.line if key else None, member, quotas)


class Counter:
    """Has questions admitted, asks them, and settles what they cost."""

    def __init__(self, ctx: Context, till: Lender, payer: Payer, *, run_id: str, plan: Plan) -> None:
        self._ctx = ctx
        self._till = till
        self._payer = payer
        self._tags = (TAG, f"{TAG}:{plan.evaluation}", run_id)
        self._next_step = f"raise it or wait, then `flyball eval run {plan.evaluation} --continue {run_id}`"
        self._open = 0  # questions that were let in and not settled yet
        self._ended = asyncio.Event()
        self._took: dict[str, tuple[int, int]] = {}  # by hash of the variant: the most tokens and nano-dollars so far

    async def ask(self, tools: Tools, variant: PinnedVariant, input_: dict[str, Any]) -> Answer:
        """A variant's answer.

        Raises:
            RunStoppedError: a budget or limit that counts it has not enough left, and does not free soon.
            FlyballError: as `run_variant`.
        """
        if variant.kind != "prompt":
            return await run_variant(variant, input_, tools=tools)
        reservation = await self._admitted(variant, input_)
        self._open += 1
        ids = CallIds(project=self._ctx.project, trace_id=new_trace_id(), parent_id="")
        spans: Sequence[Span] = ()

        def cancelled(done: tuple[Span, ...]) -> None:
            nonlocal spans
            spans = done

        try:
            answer = await run_variant(variant, input_, tools=tools, ids=ids, when_cancelled=cancelled)
            spans = answer.spans
        except VariantError as error:
            spans = error.spans
            raise
        finally:
            self._open -= 1
            self._settle(reservation, variant, ids, spans)
            self._ended.set()
        return answer

    def _demands(self, variant: PinnedVariant, input_: dict[str, Any]) -> list[Demand]:
        tokens, nano_usd = self._worth(variant, input_)
        needed = {"nano_usd": nano_usd, "tokens": tokens}
        named = [
            ("key", self._payer.key_id),
            ("member", self._payer.member),
            ("function", variant.function),
            ("model", model_asked(variant)),
            *(("tag", tag) for tag in self._tags),
        ]
        return [Demand(quota, needed.get(quota.unit, 1)) for quota in covering(self._payer.quotas, named)]

    def _worth(self, variant: PinnedVariant, input_: dict[str, Any]) -> tuple[int, int]:
        """What a question is expected to take: what others took at most, else its length and the longest answer that it allows."""
        took = self._took.get(variant.hash)
        return before_any(variant, input_) if took is None else took

    async def _admitted(self, variant: PinnedVariant, input_: dict[str, Any]) -> Reservation:
        clock = self._ctx.clock
        until_ns = clock.monotonic_ns() + int(LONGEST_WAIT_SECONDS * NANOSECONDS)
        while True:
            try:
                return await self._till.admit(self._demands(variant, input_))
            except (QuotaReachedError, QuotaAwayError, LedgerFullError) as error:
                pause = _pause(error, until_ns - clock.monotonic_ns())
                if pause is None and not self._open:
                    raise RunStoppedError(_words(error), next_step=self._next_step) from error
            if pause is None:
                await self._one_ends()  # what the run's own questions hold too much of is free then
            else:
                await asyncio.sleep(pause)

    async def _one_ends(self) -> None:
        """Wait until one of the questions that were let in has been settled."""
        self._ended.clear()
        await self._ended.wait()

    def _settle(self, reservation: Reservation, variant: PinnedVariant, ids: CallIds, spans: Sequence[Span]) -> None:
        if not spans:
            self._till.settle(reservation, ())
            return
        asked = Entry(
            id=spans[0].span_id,
            project=self._ctx.project,
            organisation=self._payer.organisation,
            at_ns=reservation.at_ns or self._ctx.clock.now_ns(),
            trace_id=ids.trace_id,
            key_id=self._payer.key_id,
            member=self._payer.member,
            function=variant.function,
            variant=variant.name,
            tags=self._tags,
            nano_usd=0,
        )
        _, *tries = entries_of_run(asked, spans)
        # Nobody called the function: the first attempt at its model is the request.
        entries = [msgspec.structs.replace(one, requests=int(not number)) for number, one in enumerate(tries)]
        self._till.settle(reservation, entries)
        tokens, nano_usd = self._took.get(variant.hash, (0, 0))
        took = sum(one.tokens for one in entries), sum(one.nano_usd or 0 for one in entries)
        if any(took):
            self._took[variant.hash] = max(tokens, took[0]), max(nano_usd, took[1])


def _pause(error: FlyballError, left_ns: int) -> float | None:
    """Seconds until it is worth trying again; None: it is not."""
    longest = min(left_ns / NANOSECONDS, _LONGEST_PAUSE_SECONDS)
    if longest <= 0:
        return None
    if not isinstance(error, QuotaReachedError):
        return longest
    standing = error.standing
    if error.quota.unit == "nano_usd" or error.needed > standing.limit:
        return None
    if error.quota.unit == "parallel":
        return min(longest, 0.2)
    if standing.frees_ns is None or standing.frees_ns - error.at_ns > left_ns:
        return None
    return max(0.05, min((standing.frees_ns - error.at_ns) / NANOSECONDS, longest))


def _words(error: FlyballError) -> str:
    """What stands in the way, as callers of the gateway are told."""
    return QuotaExceededError(error, "").message if isinstance(error, QuotaReachedError) else error.message


@asynccontextmanager
async def opened(ctx: Context, run_id: str, plan: Plan) -> AsyncIterator[Counter]:
    """For the questions of some items of a run; at its end what they cost is settled."""
    payer = await payer_of(ctx, plan.started_by)
    async with open_till(ctx.layout, ctx.settings, ctx.clock, kind=SPOOL) as till:
        yield Counter(ctx, till, payer, run_id=run_id, plan=plan)
