"""The verb that tells of thresholds: what counters say is looked at every few seconds, apart from any settlement.

Not where calls settle: there it would cost every one of them, and would miss what no call does, a limit that is lowered or a counter
that is repaired. A threshold is a row by its quota, window and amount, written together with what is sent of it: once, however many
workers settle and control processes look, and again where the amount is changed.
"""

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import to_datetime
from flyball.notifications.records import Notice
from flyball.notifications.service import receivers_of, told_of
from flyball.notifications.telling import tell

from . import alert_store
from .alert_store import Passed
from .declared import PassedThreshold, Told
from .records import Quota
from .wording import amount_text, scope_text, window_words

_MOST_SHOWN = 20
SECOND = 1_000_000_000
LATELY_NS = 15 * 60 * SECOND  # how long after its end a window may still pass a threshold by what settles late


async def tell_passed(ctx: Context, *, back_ns: int = LATELY_NS, now_ns: int | None = None) -> int:
    """Write and tell every threshold that was passed and not told, of every project; how many."""
    async with ctx.db.across_projects().transaction() as connection:
        found = await alert_store.write_passed(connection, back_ns=back_ns, now_ns=now_ns)
        for passed in found:
            await tell(
                connection,
                notice_of(passed),
                organisation=passed.organisation,
                project=passed.project,
                now_ns=ctx.clock.now_ns(),
            )
    return len(found)


async def passed_thresholds(ctx: Context, quota_id: str) -> tuple[PassedThreshold, ...]:
    """The newest thresholds of a quota that were passed, whom they were told and whether that arrived."""
    async with ctx.db.connection() as connection:
        found = await alert_store.fired(connection, quota_id, _MOST_SHOWN)
        told = await _told(connection, ctx, [alert_store.about(quota_id, one) for one in found])
    return tuple(
        PassedThreshold(
            threshold=one.threshold,
            amount=one.amount,
            used=one.settled,
            window_ns=one.window_ns,
            at_ns=one.fired_ns,
            told=tuple(told.get(alert_store.about(quota_id, one), ())),
        )
        for one in found
    )


async def _told(connection: Connection, ctx: Context, abouts: list[str]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for about, one in await told_of(connection, ctx, abouts):
        told = Told(address=one.address, state=one.state, tries=one.tries, at_ns=one.ended_ns, error=one.error)
        found.setdefault(about, []).append(told)
    return found


async def untold_notes(ctx: Context, quota: Quota) -> tuple[str, ...]:
    """What whoever gives a quota thresholds should know: that nobody would be told of them, or nobody by e-mail."""
    if not quota.alerts:
        return ()
    told = await receivers_of(ctx, quota.organisation, quota.project)
    if not told:
        of = " --organisation-wide" if quota.project is None else ""
        return (f"nobody is told of its thresholds: `flyball notifications add ADDRESS{of}` says whom",)
    return tuple(dict.fromkeys(note for one in told for note in one.notes))


def notice_of(passed: Passed) -> Notice:
    """What people and programs are told of it."""
    family = "budget" if passed.unit == "nano_usd" else "limit"
    of = scope_text(passed.scope_kind, passed.name)
    words = window_words(passed.unit, passed.window)
    used, amount = amount_text(passed.unit, passed.settled), amount_text(passed.unit, passed.amount)
    began = "" if passed.window == "total" or passed.window.startswith("rolling:") else _since(passed.window_ns)
    ends = "Calls that it counts are refused when nothing is left." if passed.stop == "hard" else "It stops nothing."
    return Notice(
        kind="quota.threshold",
        about=alert_store.about(passed.quota, passed),
        subject=f"{passed.threshold} % of the {family} of {of} is used",
        text=f"{used} of {amount} {words} is used{began}: {_percent(passed)} %.\n{ends}\n\nflyball {family}s show {passed.quota}",
        data={
            "quota": {
                "id": passed.quota,
                "family": family,
                "scope": of,
                "unit": passed.unit,
                "window": passed.window,
                "window_began": None if not began else f"{to_datetime(passed.window_ns):%Y-%m-%dT%H:%M:%SZ}",
                "stop": passed.stop,
            },
            "threshold_percent": passed.threshold,
            "used": passed.settled,
            "amount": passed.amount,
            "used_text": used,
            "amount_text": amount,
        },
    )


def _since(window_ns: int) -> str:
    return f", since {to_datetime(window_ns):%Y-%m-%d %H:%M} UTC"


def _percent(passed: Passed) -> int:
    return 100 * passed.settled // passed.amount if passed.amount else 100
