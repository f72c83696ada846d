"""What calls have cost, settled as the gateway settles it."""

from dataclasses import replace

from flyball.kit.clock import FixedClock
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import Entry

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC, a Monday
USD = 10**9


class Numbers:
    """Ids that nobody had before."""

    given = 0


def entry(**differently):
    Numbers.given += 1
    plain = {
        "id": f"{Numbers.given:016x}", "organisation": "default", "project": "default", "at_ns": NOON, "nano_usd": 10,
        "model": "fast", "provider": "openai", "input_tokens": 100, "trace_id": f"{Numbers.given:032x}",
    }  # fmt: skip
    return Entry(**plain | differently)


async def settle(ctx, *entries):
    await PostgresBank(ctx.db.across_projects()).settle(entries, NOON)
    return entries


def at(ctx, now_ns=NOON + HOUR // 2):
    return replace(ctx, clock=FixedClock(now_ns))
