"""Workers, leases and faults in every order that ten thousand seeds find: never overspent, never refused for nothing, nothing leaks.

A failing seed prints its number and its history; `explore([seed])` repeats it, event by event.
"""

import random
from collections import Counter

import msgspec
import pytest
from simulated import MS, BrokenError, Worker, World, now_of

from flyball.ledger.bank import LEASE_NS, SECOND
from flyball.ledger.records import Quota
from flyball.ledger.windows import is_rolling

MONTH_ENDS = 1_780_272_000 * SECOND  # 2026-06-01 00:00 UTC, a Monday: minute, hour, day, week and month turn together
LASTS = 25 * SECOND


def plan_of(seed):
    """What may happen in a seed: every fourth is calm, and held to more."""
    rng = random.Random(f"plan {seed}")
    calm = seed % 4 == 0
    return {
        "calm": calm,
        "starts_ns": MONTH_ENDS - rng.randrange(LASTS),
        "workers": rng.randint(1, 5),
        "latency_ns": rng.choice((2 * MS, 8 * MS)),
        "long_calls": rng.choice((0, 0.05)),
        "notify": rng.random() < 0.5,
        "lose": 0 if calm else rng.choice((0, 0.02)),
        "excess": 0 if calm else rng.choice((0, 0.1)),
        "faults": 0 if calm else rng.randint(0, 6),
        "changes": 0 if calm else rng.randint(0, 4),
        "quotas": quotas_of(rng),
        "calls": rng.randint(40, 160),
    }


def quotas_of(rng):
    plain = {"organisation": "org", "project": "pro", "scope_kind": "project"}
    away = rng.choice(("open", "closed"))
    every = [
        {
            "unit": "nano_usd",
            "window": rng.choice(("day", "month", "total", "week")),
            "amount": rng.randint(500, 20_000),
        },
        {"unit": "requests", "window": rng.choice(("minute", "hour")), "amount": rng.randint(3, 120)},
        {"unit": "tokens", "window": "rolling:60", "amount": rng.randint(500, 10_000)},
        {"unit": "parallel", "window": "total", "amount": rng.randint(1, 12)},
        {"unit": "requests", "window": "minute", "amount": rng.randint(3, 60), "scope_kind": "key", "scope": "k1"},
        {"unit": "nano_usd", "window": "day", "amount": 300, "stop": "soft"},
        {"unit": "nano_usd", "window": "hour", "amount": rng.randint(0, 9_000), "scope_kind": "model", "scope": "fast"},
    ]
    some = rng.sample(every, rng.randint(1, 5))
    return [Quota(**plain | {"id": f"q{n}", "when_away": away} | one) for n, one in enumerate(some)]


def explore(seeds):
    happened = Counter()
    for seed in seeds:
        world = World(seed, plan_of(seed))
        ends = world.now + LASTS
        let_calls_come(world, ends)
        let_faults_happen(world, ends)
        world.run(ends + 75 * SECOND)
        world.rest()
        world.close()
        happened += world.happened
    return happened


def let_calls_come(world, ends):
    rng, plan = world.rng, world.plan
    bursts = [rng.randrange(world.now, ends) for _ in range(3)]
    for _ in range(plan["calls"]):
        when = rng.randrange(world.now, ends) if rng.random() < 0.6 else rng.choice(bursts) + rng.randrange(SECOND)
        which = {
            "organisation": "org",
            "project": "pro",
            "key_id": rng.choice(("k1", "k2")),
            "model": rng.choice(("fast", "big")),
        }
        estimate = {"nano_usd": rng.choice((0, 1, 90, 400)), "tokens": rng.randint(1, 300)}
        world.at(when, lambda which=which, estimate=estimate: world.call(rng.choice(world.workers), which, estimate))


def let_faults_happen(world, ends):
    rng = world.rng
    for kinds, count in ((FAULTS, world.plan["faults"]), (CHANGES, world.plan["changes"])):
        for _ in range(count):
            deed = rng.choice(kinds)
            world.at(rng.randrange(world.now, ends), lambda deed=deed: happen(world, deed))


def happen(world, deed):
    world.note("FAULT", deed.__name__)
    world.happened[deed.__name__] += 1
    deed(world)


def one_crashes(world):
    worker = world.rng.choice(world.workers)
    if not worker.alive:
        return
    worker.alive = False
    place = world.workers.index(worker)
    name = f"{worker.name}'"

    def start_again():
        world.workers[place] = Worker(
            world, name, worker.spool
        )  # its spool is delivered by the next, under another name
        world.workers[place].wake("drain")

    world.at(world.now + world.rng.choice((SECOND // 10, SECOND, 2 * LEASE_NS)), start_again)


def one_is_cut_off(world):
    worker = world.rng.choice(world.workers)
    worker.cut_until = world.now + world.rng.randint(SECOND // 10, 2 * LEASE_NS)
    worker.trouble_ns = max(worker.trouble_ns, worker.cut_until)


def one_is_frozen(world):
    worker = world.rng.choice(world.workers)
    worker.paused_until = world.now + world.rng.randint(SECOND // 10, 2 * LEASE_NS)
    worker.trouble_ns = max(worker.trouble_ns, worker.paused_until)


def the_bank_stalls(world):
    world.stalled_until = world.now + world.rng.randint(40 * MS, 3 * LEASE_NS // 2)
    for worker in world.workers:
        worker.trouble_ns = max(worker.trouble_ns, world.stalled_until)


def a_clock_jumps(world):
    world.rng.choice(world.workers).wall_jump_ns = world.rng.choice((-1, 1)) * world.rng.randrange(
        400 * 86_400 * SECOND
    )


def the_banks_clock_steps(world):
    """Forward it ends leases early, in which their holders believe until they renew; backward it gives them time."""
    step_ns = world.rng.choice((-1, 1)) * world.rng.randint(SECOND // 10, 60 * SECOND)
    world.bank_step_ns += step_ns
    world.undated_until = world.now + LEASE_NS
    # A rolling window lies elsewhere from now on, and may hold more than its limit, which was of another time: no verb may add to it.
    world.exceeded |= {quota.id for quota in world.bank.quotas.values() if is_rolling(quota.window)}
    if step_ns > 0:
        world.ahead_until = world.now + LEASE_NS
    for worker in world.workers:  # what leases hold is known to both only when each has ended
        worker.trouble_ns = max(worker.trouble_ns, world.now + 2 * LEASE_NS)


def a_limit_changes(world):
    quota = world.rng.choice(list(world.bank.quotas.values()))
    amount = world.rng.choice((0, quota.amount // 3, quota.amount // 2, quota.amount * 2))
    declare(world, msgspec.structs.replace(quota, amount=amount, version=quota.version + 1))


def a_quota_comes(world):
    declare(world, msgspec.structs.replace(quotas_of(world.rng)[0], id=f"q{world.now}"))


def a_quota_goes(world):
    if len(world.bank.quotas) > 1:
        now_of(world.bank.remove(world.rng.choice(list(world.bank.quotas))))
        tell_of_quotas(world)


def declare(world, quota):
    now_of(world.bank.declare(quota))
    world.exceeded.add(quota.id)
    tell_of_quotas(world)


def tell_of_quotas(world):
    for worker in world.workers:
        world.at(world.now + world.rng.randrange(SECOND), lambda worker=worker: know(world, worker))


def know(world, worker):
    worker.quotas = list(world.bank.quotas.values())


FAULTS = (one_crashes, one_is_cut_off, one_is_frozen, the_bank_stalls, a_clock_jumps, the_banks_clock_steps)
CHANGES = (a_limit_changes, a_quota_comes, a_quota_goes)


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_no_order_of_events_overspends_refuses_for_nothing_or_leaks(first):
    happened = explore(range(first, first + 20))

    # What is to be survived did happen.
    assert min(happened[what] for what in ("admitted", "refused", "recalls", "reaped", "excused", "lose", "excess")) > 0
    assert min(sum(happened[deed.__name__] for deed in deeds) for deeds in (FAULTS, CHANGES)) > 0


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("first", range(0, 10_000, 500))
def test_no_order_of_events_in_ten_thousand_does(first):
    explore(range(first, first + 500))


def run_against(quota, workers, seed, notify):
    """Twice the calls that a limit lets through, on so many workers, inside one window; how much of it was used."""
    plan = plan_of(0) | {"workers": workers, "quotas": [quota], "latency_ns": 2 * MS, "long_calls": 0, "notify": notify}
    world = World(seed, plan | {"starts_ns": MONTH_ENDS + SECOND, "spends_all": True})
    sizes = {"requests": 1, "tokens": 100, "nano_usd": 100, "parallel": 1}
    for _ in range(2 * quota.amount // sizes[quota.unit]):
        when = world.now + world.rng.randrange(20 * SECOND)
        which = {"organisation": "org", "project": "pro", "key_id": "k1"}
        world.at(when, lambda which=which: world.call(world.rng.choice(world.workers), which, sizes))
    world.run(world.now + 30 * SECOND)
    world.close()
    return world


@pytest.mark.parametrize("window", ["minute", "rolling:60"])
@pytest.mark.parametrize("unit", ["requests", "tokens"])
@pytest.mark.parametrize(("workers", "lets_through"), [(1, 1.0), (4, 0.99)])
def test_a_limit_is_exact_on_one_worker_and_within_a_hundredth_over_four(unit, window, workers, lets_through):
    amount = 1_000 if unit == "requests" else 50_000
    plain = {"id": "q", "organisation": "org", "project": "pro", "scope_kind": "project"}
    quota = Quota(**plain, unit=unit, amount=amount, window=window)

    world = run_against(quota, workers, seed=7, notify=True)

    used = sum(world.bank.settled["q"].values())
    assert lets_through * amount <= used <= amount
    assert world.happened["refused"] > 0


def test_a_history_comes_again_with_its_seed():
    first, second = explore([3]), explore([3])

    assert first == second


def test_a_broken_promise_is_told_with_its_seed_and_its_history():
    world = World(5, plan_of(5))
    world.run(world.now + 5 * SECOND)

    with pytest.raises(BrokenError, match=r"(?s)seed 5: on purpose.*its history"):
        world.broken("on purpose")
