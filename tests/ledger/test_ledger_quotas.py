"""Budgets and limits as people declare them: set, change, list, show, remove; every odd amount, window and scope."""

from dataclasses import replace

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.infra.context import Actor
from flyball.infra.db.database import fetch_one
from flyball.infra.events import SNAPSHOT
from flyball.infra.events.listen import RECONNECTED, listen
from flyball.kit.clock import FixedClock
from flyball.ledger import quota_store, quotas
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.capped_keys import Caps, create_capped_key
from flyball.ledger.declared import QuotaChange, QuotaWish
from flyball.ledger.errors import (
    QuotaFixedError,
    QuotaInvalidError,
    QuotaNotAllowedError,
    QuotaNotFoundError,
    TooManyQuotasError,
)
from flyball.ledger.records import Entry, Lease, Take
from flyball.ledger.wording import scope_words, usd_amount, window_text
from flyball.projects import key_store, keys, members, owners, tenants
from flyball.projects.errors import ExceedsOwnRightsError, KeyNotFoundError, MemberNotFoundError, NameTakenError
from flyball.projects.keys import KeyGrant

USD = 10**9


def budget(amount=5 * USD, **differently):
    return QuotaWish(**{"unit": "nano_usd", "amount": amount, "window": "month"} | differently)


def limit(amount=10, unit="requests", **differently):
    return QuotaWish(**{"unit": unit, "amount": amount, "window": "minute"} | differently)


def entry(ctx, number, **differently):
    plain = {"id": f"{number:016x}", "organisation": "default", "project": ctx.project, "at_ns": ctx.clock.now_ns()}
    return Entry(**{**plain, "nano_usd": USD} | differently)


async def events(ctx):
    return [(event.action, event.object_name) for event in (await audit.list_events(ctx)).items]


@pytest.fixture
async def backend(ctx):
    return (await keys.create_key(ctx, "backend")).key


async def test_a_budget_is_set_changed_listed_shown_and_removed_and_the_record_says_so(ctx, backend):
    made = await quotas.set_quota(ctx, budget(scope="key backend", alerts=(80, 50, 80)))
    again = await quotas.set_quota(ctx, budget(7 * USD, scope="key:backend"))
    changed = await quotas.change_quota(ctx, "budget", made.id, QuotaChange(amount=9 * USD, stop="soft"))
    listed = await quotas.list_quotas(ctx, "budget", scope="key backend")
    removed = await quotas.remove_quota(ctx, "budget", made.id)

    assert (made.scope, made.scope_id, made.amount, made.alerts, made.version) == (
        "key backend",
        backend.line,
        5 * USD,
        (50, 80),
        1,
    )
    assert (again.id, again.amount, again.version) == (made.id, 7 * USD, 2)
    assert "it was $5.00 before" in again.notes
    assert (changed.amount, changed.stop, changed.version) == (9 * USD, "soft", 3)
    assert [one.id for one in listed.items] == [made.id] == [removed.id]
    assert (await quotas.list_quotas(ctx, "budget")).items == ()
    with pytest.raises(QuotaNotFoundError, match="budgets list"):
        await quotas.get_quota(ctx, "budget", made.id)
    name = "budget of key backend per month"
    assert await events(ctx) == [("budgets.remove", name), *[("budgets.set", name)] * 3, ("keys.create", "backend")]


async def test_setting_what_is_set_already_changes_nothing(ctx):
    made = await quotas.set_quota(ctx, limit())
    again = await quotas.set_quota(ctx, limit())

    assert again.version == made.version
    assert await events(ctx) == [("limits.set", "requests of project per minute")]


async def test_setting_a_budget_again_says_everything_that_it_changed(ctx):
    await quotas.set_quota(ctx, budget(stop="soft", when_away="closed", open_bound=2 * USD, alerts=(80,)))

    again = await quotas.set_quota(ctx, budget())

    assert (again.stop, again.when_away, again.alerts) == ("hard", "open", ())
    assert again.notes == (
        "it was soft before, and is hard now",
        "while PostgreSQL is away it was closed before, and is open now",
        "while PostgreSQL is away a worker might spend $2.00 before",
        "its thresholds were 80 % before",
    )


async def test_a_limit_counts_at_once_though_the_clock_of_whoever_sets_it_is_ahead(ctx):
    ahead = replace(ctx, clock=FixedClock(ctx.clock.now_ns() + 3_600 * 10**9))
    made = await quotas.set_quota(ahead, limit())

    bank = PostgresBank(ctx.db)
    await bank.settle([entry(ctx, 1)])

    assert (await bank.standings([made.id]))[made.id].settled == 1


async def test_the_gateways_hear_of_a_budget_when_it_is_there(ctx):
    heard = listen(ctx.db.url, SNAPSHOT)
    assert (await anext(heard))[0] == RECONNECTED

    await quotas.set_quota(ctx, budget())

    assert (await anext(heard))[0] == SNAPSHOT
    await heard.aclose()


async def test_a_budget_counts_what_was_spent_before_it_was_made(ctx, backend):
    await PostgresBank(ctx.db).settle([entry(ctx, 1, key_id=backend.line), entry(ctx, 2)])

    of_key = await quotas.set_quota(ctx, budget(scope="key backend"))
    of_all = await quotas.set_quota(ctx, budget())

    assert (of_key.settled, of_key.free) == (USD, 4 * USD)
    assert (of_all.settled, of_all.free) == (2 * USD, 3 * USD)


async def test_the_leases_of_a_budget_are_shown_with_their_owners(ctx):
    made = await quotas.set_quota(ctx, budget())
    lease = (await PostgresBank(ctx.db).take("worker-7", [Take(made.id, 1, USD, USD)]))[made.id]
    assert isinstance(lease, Lease)

    shown = await quotas.get_quota(ctx, "budget", made.id)

    assert [(holder.worker, holder.amount) for holder in shown.leases] == [("worker-7", USD)]
    assert (shown.quota.leased, shown.quota.free) == (USD, 4 * USD)
    await quotas.remove_quota(ctx, "budget", made.id)
    async with ctx.db.connection() as connection:
        assert await fetch_one(connection, "select from leases") is None


async def test_a_limit_may_be_lowered_below_what_is_used_and_says_so(ctx):
    made = await quotas.set_quota(ctx, budget())
    await PostgresBank(ctx.db).settle([entry(ctx, number) for number in range(3)])

    lowered = await quotas.change_quota(ctx, "budget", made.id, QuotaChange(amount=2 * USD))

    assert (lowered.settled, lowered.free, lowered.frees_ns is not None) == (3 * USD, 0, True)
    assert "$3.00 are used already: nothing comes in before" in lowered.notes[0]
    soft = await quotas.change_quota(ctx, "budget", made.id, QuotaChange(stop="soft"))
    assert "it stops nothing" in soft.notes[0]


async def test_several_windows_of_one_scope_all_count_and_say_so(ctx):
    await quotas.set_quota(ctx, budget(window="month"))
    daily = await quotas.set_quota(ctx, budget(USD, window="day"))
    rolling = await quotas.set_quota(ctx, budget(USD, window="rolling:12h"))

    assert [one.window for one in (await quotas.list_quotas(ctx, "budget")).items] == ["rolling:43200", "day", "month"]
    assert "$5.00 per month" in daily.notes[-1]
    assert "$5.00 per month, $1.00 per day" in rolling.notes[-1]
    assert [one.id for one in (await quotas.list_quotas(ctx, "budget", window="day")).items] == [daily.id]


@pytest.mark.parametrize(
    "change", [{"scope": "model fast"}, {"window": "day"}, {"unit": "tokens"}, {"scope": "organisation"}], ids=str
)
async def test_scope_unit_and_window_never_change(ctx, change):
    made = await quotas.set_quota(ctx, limit())

    with pytest.raises((QuotaFixedError, QuotaInvalidError)) as refused:
        await quotas.change_quota(ctx, "limit", made.id, QuotaChange(**change))

    assert refused.value.next_step
    same = QuotaChange(scope="project", window="minute", unit="requests", amount=11)
    assert (await quotas.change_quota(ctx, "limit", made.id, same)).amount == 11


async def test_a_budget_is_no_limit(ctx):
    made = await quotas.set_quota(ctx, budget())

    for verb in (quotas.get_quota, quotas.remove_quota):
        with pytest.raises(QuotaNotFoundError):
            await verb(ctx, "limit", made.id)


@pytest.mark.parametrize(
    "wish",
    [
        limit(-1),
        limit(10**18 + 1),
        limit(2**70),
        limit(True),
        limit(unit="hours"),
        limit(window=""),
        limit(window="year"),
        limit(window="rolling:59"),
        limit(window="rolling:32000000"),
        limit(window="rolling:soon"),
        limit(unit="parallel", window="minute"),
        limit(unit="parallel", window="total", stop="soft"),
        limit(open_bound=-1),
        limit(alerts=(0,)),
        limit(alerts=(1001,)),
        limit(alerts=tuple(range(1, 12))),
        limit(scope=""),
        limit(scope="kay backend"),
        limit(scope="key"),
        limit(scope="project default"),
        limit(scope="function " + "x" * 201),
        limit(scope="tag a\nb"),
        limit(scope="project", organisation_wide=True),
        limit(scope="key backend", organisation_wide=True),
    ],
    ids=lambda wish: str(msgspec.to_builtins(wish))[:90],
)
async def test_what_no_quota_can_be_is_refused_and_nothing_is_made(ctx, backend, wish):
    with pytest.raises(QuotaInvalidError) as refused:
        await quotas.set_quota(ctx, wish)

    assert refused.value.next_step
    assert (await quotas.list_quotas(ctx, "limit")).items == ()


async def test_zero_lets_nothing_through_and_parallel_calls_have_no_window(ctx):
    assert "0 lets nothing through" in (await quotas.set_quota(ctx, budget(0))).notes
    assert (await quotas.set_quota(ctx, limit(8, "parallel", window="total"))).window == "total"


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("25", 25 * USD),
        ("$0.50", USD // 2),
        ("0", 0),
        ("0.000000001", 1),
        ("1000000000", 10**18),
        ("1.5000000000000", 3 * USD // 2),
    ],
)
def test_money_is_written_as_people_write_it(text, nano):
    assert usd_amount(text) == nano


@pytest.mark.parametrize(
    "text", ["", "-1", "1e9", "NaN", "Infinity", "1,000", "1_000", "٣", "0.0000000001", "1000000000.000000001", "9" * 50, "five"]
)  # fmt: skip
def test_what_is_no_amount_of_money_is_refused(text):
    with pytest.raises(QuotaInvalidError) as refused:
        usd_amount(text)

    assert refused.value.next_step


def test_windows_and_scopes_are_understood_as_people_say_them():
    assert window_text("rolling:30d", "tokens") == "rolling:2592000"
    assert window_text("", "parallel") == "total"
    assert scope_words("tag team: a b") == ("tag", "team: a b")
    assert scope_words("model:gpt-4o:free") == ("model", "gpt-4o:free")
    with pytest.raises(QuotaInvalidError, match="did you mean 'function'"):
        scope_words("funktion triage")


async def test_a_name_that_is_nobodys_is_refused_with_those_spelled_alike(ctx, backend):
    await members.add_member(ctx, "maria", "viewer")

    with pytest.raises(KeyNotFoundError, match="did you mean 'backend'"):
        await quotas.set_quota(ctx, budget(scope="key bakend"))
    with pytest.raises(MemberNotFoundError, match="did you mean 'maria'"):
        await quotas.set_quota(ctx, budget(scope="member mario"))
    await keys.revoke_key(ctx, "backend")
    with pytest.raises(KeyNotFoundError, match="revoked"):
        await quotas.set_quota(ctx, budget(scope="key backend"))


async def test_a_function_or_model_may_have_a_budget_before_it_is_there_and_the_answer_says_so(ctx):
    await PostgresBank(ctx.db).settle([entry(ctx, 1, function="triage")])

    early = await quotas.set_quota(ctx, budget(scope="function triaje"))
    known = await quotas.set_quota(ctx, budget(scope="function triage"))

    assert "no call has named the function 'triaje' yet" in early.notes[0]
    assert "'triage'" in early.notes[0]
    assert (known.notes, known.settled) == ((), USD)


async def test_a_rotated_key_keeps_its_budget_and_what_was_spent(ctx, backend):
    made = await quotas.set_quota(ctx, budget(scope="key backend"))
    await PostgresBank(ctx.db).settle([entry(ctx, 1, key_id=backend.line)])

    rotated = await keys.rotate_key(ctx, "backend")
    async with ctx.db.connection() as connection:
        active = {key.id: key.counted_as for key in await key_store.active_keys(connection)}

    assert active == {backend.id: backend.id, rotated.key.id: backend.id}
    shown = await quotas.set_quota(ctx, budget(6 * USD, scope="key backend"))
    assert (shown.id, shown.scope, shown.settled) == (made.id, "key backend", USD)


async def test_a_member_of_the_project_may_have_a_budget_and_keeps_its_name(ctx):
    maria = await members.add_member(ctx, "maria", "viewer")

    made = await quotas.set_quota(ctx, budget(scope="member Maria"))

    assert (made.scope, made.scope_id) == ("member maria", maria.id)


async def test_only_an_owner_of_the_organisation_sets_what_counts_all_its_projects(ctx):
    maria = await members.add_member(ctx, "maria", "owner")
    acting = ctx.acting_as(Actor(id=maria.id, kind="member", name="maria"))
    wishes = [budget(scope="organisation"), budget(scope="model fast", organisation_wide=True)]
    for wish in wishes:
        with pytest.raises(ExceedsOwnRightsError, match="only an owner of the organisation"):
            await quotas.set_quota(acting, wish)

    await owners.add_owner(ctx, "maria")
    made = [await quotas.set_quota(acting, wish) for wish in wishes]
    await owners.add_owner(ctx, (await members.add_member(ctx, "otto", "viewer")).name)
    await owners.remove_owner(ctx, "maria")

    assert [one.organisation_wide for one in made] == [True, True]
    for attempt in (
        quotas.change_quota(acting, "budget", made[0].id, QuotaChange(amount=1)),
        quotas.remove_quota(acting, "budget", made[1].id),
    ):
        with pytest.raises(ExceedsOwnRightsError):
            await attempt


async def test_a_budget_of_the_organisation_is_seen_from_its_projects_and_from_no_other(ctx):
    made = await quotas.set_quota(ctx, budget(scope="organisation"))
    beside = ctx.within((await tenants.create_project(ctx, "beside")).id, ctx.actor)
    _, elsewhere, _ = await tenants.create_organisation(ctx, "elsewhere", "otto")
    stranger = ctx.within(elsewhere.id, ctx.actor)
    await PostgresBank(ctx.db).settle([entry(ctx, 1), entry(beside, 2)])

    assert [(one.id, one.settled) for one in (await quotas.list_quotas(beside, "budget")).items] == [(made.id, 2 * USD)]
    assert (await quotas.list_quotas(stranger, "budget")).items == ()
    with pytest.raises(QuotaNotFoundError):
        await quotas.get_quota(stranger, "budget", made.id)


async def test_the_list_comes_in_pages(ctx):
    made = [(await quotas.set_quota(ctx, limit(scope=f"tag t{number}"))).id for number in range(5)]
    found, cursor = [], ""
    while True:
        page = await quotas.list_quotas(ctx, "limit", cursor, 2)
        found += [one.id for one in page.items]
        if not (cursor := page.next or ""):
            break

    assert sorted(found) == sorted(made)
    assert len(set(found)) == 5


async def test_there_is_an_end_to_how_many_there_may_be(ctx, monkeypatch):
    monkeypatch.setattr(quotas, "MOST_QUOTAS", 1)
    await quotas.set_quota(ctx, limit())

    with pytest.raises(TooManyQuotasError):
        await quotas.set_quota(ctx, budget())


async def test_a_key_is_made_with_its_budget_and_limits_or_not_at_all(ctx, monkeypatch):
    caps = Caps(budget="20", requests_per_minute=60, tokens_per_minute=9_000, parallel=4)
    made = await create_capped_key(ctx, "app", KeyGrant(), caps)

    for family in ("budget", "limit"):
        for one in (await quotas.list_quotas(ctx, family)).items:
            assert (one.scope, one.scope_id) == ("key app", made.key.id)
    amounts = {one.unit: (one.amount, one.window) for one in (await quotas.list_quotas(ctx, "limit")).items}
    assert amounts == {"requests": (60, "minute"), "tokens": (9_000, "minute"), "parallel": (4, "total")}

    with pytest.raises(NameTakenError):
        await create_capped_key(ctx, "app", KeyGrant(), caps)
    with pytest.raises(QuotaInvalidError):
        await create_capped_key(ctx, "other", KeyGrant(), Caps(budget="20", parallel=-1))

    async def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(quota_store, "insert", fail)
    with pytest.raises(RuntimeError):
        await create_capped_key(ctx, "third", KeyGrant(), caps)
    assert [key.name for key in (await keys.list_keys(ctx)).items] == ["app"]
    assert len((await quotas.list_quotas(ctx, "limit")).items) == 3


async def test_who_may_make_keys_and_set_no_limits_makes_none_with_limits(ctx):
    acting = ctx.acting_as(
        Actor(id="m", kind="member", name="m", permissions=frozenset({"keys.write", "budgets.write"}))
    )

    with pytest.raises(QuotaNotAllowedError, match="sets no limits"):
        await create_capped_key(acting, "app", KeyGrant(), Caps(budget="1", parallel=1))
