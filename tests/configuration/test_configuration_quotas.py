"""Budgets and limits in flyball.yaml: diff, apply, export, and what cannot be, each told at its line."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.configuration import caps, service
from flyball.configuration.errors import ConfigurationError
from flyball.configuration.exporting import dump
from flyball.configuration.loading import load
from flyball.configuration.records import Bundle, Configuration
from flyball.infra.context import Actor
from flyball.ledger import quotas
from flyball.ledger.declared import KnownQuota, QuotaWish
from flyball.ledger.records import MOST, Quota
from flyball.projects import keys
from flyball.surface.http.errors import PermissionMissingError

FILE = """\
project: default
budgets:
  - {usd: 500}
  - {scope: key desk, usd: "25.50", per: day, alerts: [80, 50], stop: soft}
  - {scope: "key:desk", usd: 0.1, per: "rolling:24h", when_away: closed, open_usd: 0.000000001}
limits:
  - {scope: model fast, unit: tokens, amount: 200000}
  - {scope: function triage, unit: parallel, amount: 8}
"""


@pytest.fixture
async def key(ctx):
    return (await keys.create_key(ctx, "desk")).key


def bundled(text):
    return Bundle(text=text)


def only(text):
    return bundled(f"project: default\n{text}")


async def test_applying_makes_them_and_applying_again_changes_nothing(ctx, key):
    before = await service.diff(ctx, bundled(FILE))
    await service.apply(ctx, bundled(FILE))
    after = await service.diff(ctx, bundled(FILE))

    assert [(one.action, one.kind, one.name) for one in before.items] == [
        ("create", "budget", "key desk in any 1 d"),
        ("create", "budget", "key desk per day"),
        ("create", "budget", "project per month"),
        ("create", "limit", "parallel of function triage"),
        ("create", "limit", "tokens of model fast per minute"),
    ]
    assert {one.action for one in after.items} == {"unchanged"}
    found = {(one.scope, one.window): one for one in (await quotas.list_quotas(ctx, "budget")).items}
    assert found["key desk", "day"].amount == 25_500_000_000
    assert (found["key desk", "day"].alerts, found["key desk", "day"].stop) == ((50, 80), "soft")
    assert (found["key desk", "rolling:86400"].amount, found["key desk", "rolling:86400"].open_bound) == (10**8, 1)
    assert [one.version for one in found.values()] == [1, 1, 1]


async def test_a_change_is_shown_as_text_and_made_as_a_new_version(ctx, key):
    await service.apply(ctx, bundled(FILE))
    changed = bundled(FILE.replace('usd: "25.50"', "usd: 30"))
    (change,) = [one for one in (await service.diff(ctx, changed)).items if one.action == "update"]
    await service.apply(ctx, changed)

    assert ("-usd: '25.5'" in change.detail, "+usd: 30" in change.detail) == (True, True)
    (day,) = (await quotas.list_quotas(ctx, "budget", scope="key desk", window="day")).items
    assert (day.amount, day.version) == (30 * 10**9, 2)


async def test_what_the_file_does_not_name_is_kept(ctx, key):
    await service.apply(ctx, bundled(FILE))
    changes = await service.apply(ctx, only("limits: [{unit: requests, amount: 1}]"))

    assert sorted(one.action for one in changes.items) == ["create"] + ["kept"] * 5
    assert len((await quotas.list_quotas(ctx, "budget")).items) == 3


async def test_an_export_says_the_same_and_applies_to_nothing(ctx, key):
    await service.apply(ctx, bundled(FILE))
    text = (await service.export(ctx)).text

    assert {one.action for one in (await service.diff(ctx, bundled(text))).items} == {"unchanged"}
    assert "usd: '25.5'" in text
    assert "scope: key desk" in text


async def test_quotas_of_the_organisation_and_of_keys_that_are_no_more_are_not_exported(ctx, key):
    await service.apply(ctx, bundled(FILE))
    await quotas.set_quota(ctx, QuotaWish(scope="organisation", unit="nano_usd", amount=1, window="day"))
    await keys.revoke_key(ctx, key.id)
    gone = (await service.export(ctx)).text
    await keys.create_key(ctx, "desk")
    another = (await service.export(ctx)).text

    for text in (gone, another):
        assert "desk" not in text
        assert "organisation" not in text
        assert "model fast" in text


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("budgets:\n  - {usd: -1}", ("budgets[0].usd", 3), "no amount in USD"),
        ("budgets:\n  - {usd: 1}\n  - {usd: .inf}", ("budgets[1].usd", 4), ""),
        ("budgets:\n  - {usd: x}", ("budgets[0].usd", 3), "no amount in USD"),
        ("budgets:\n  - {usd: true}", ("budgets[0].usd", 3), "expected"),
        ("budgets:\n  - {usd: 0.0000000001}", ("budgets[0].usd", 3), "finer than a nano-dollar"),
        ("budgets:\n  - {usd: 9999999999}", ("budgets[0].usd", 3), "more than a budget can be"),
        ("budgets:\n  - usd: 1\n    per: fortnight", ("budgets[0].per", 4), "no window"),
        ("budgets:\n  - usd: 1\n    scope: kye desk", ("budgets[0].scope", 4), "did you mean 'key'"),
        ("budgets:\n  - usd: 1\n    scope: key bakend", ("budgets[0].scope", 4), "no key"),
        ("budgets:\n  - usd: 1\n    scope: member nobody", ("budgets[0].scope", 4), "no member"),
        ("budgets:\n  - usd: 1\n    scope: organisation", ("budgets[0].scope", 4), "whole organisation"),
        ("budgets:\n  - {per: day}", ("budgets[0]", 3), "needs 'usd'"),
        ("budgets:\n  - {usd: 1, organisation_wide: true}", ("budgets[0].organisation_wide", 3), "not known"),
        ("budgets:\n  - {usd: 1, alerts: [0]}", ("budgets[0]", 3), "no threshold"),
        ("budgets:\n  - {usd: 1}\n  - {usd: 2}", ("budgets[1]", 4), "declared twice"),
        ("budgets: {usd: 1}", ("budgets", 2), "expected a list"),
        ("limits:\n  - {unit: nano_usd, amount: 1}", ("limits[0].unit", 3), "not one of"),
        ("limits:\n  - {unit: tokens, amount: 1.5}", ("limits[0].amount", 3), "whole number"),
        ("limits:\n  - {unit: tokens, amount: '10000000000000000000'}", ("limits[0].amount", 3), "no amount"),
        ("limits:\n  - {unit: parallel, amount: 1, per: day}", ("limits[0].per", 3), "has no window"),
        ("limits:\n  - {unit: parallel, amount: 1, stop: soft}", ("limits[0]", 3), "soft"),
        ("limits:\n  - {unit: parallel, amount: 1, alerts: [80]}", ("limits[0]", 3), "no threshold"),
    ],
)
async def test_what_cannot_be_is_told_at_its_line(ctx, text, place, why):
    with pytest.raises(ConfigurationError) as refused:
        await service.apply(ctx, only(text))

    problem = refused.value.problems[0]
    assert why in problem.message
    assert (problem.place, problem.line) == place
    assert (await quotas.list_quotas(ctx, "budget")).items == ()


async def test_all_that_is_wrong_is_told_at_once(ctx):
    with pytest.raises(ConfigurationError) as refused:
        await service.apply(ctx, only("budgets:\n  - {usd: x}\n  - {usd: 1, per: y}\nprompts:\n  p: {file: gone.md}"))

    assert [one.line for one in refused.value.problems] == [3, 4, 6]


async def test_a_file_whose_later_section_fails_makes_none_of_them(ctx, monkeypatch):
    await service.apply(ctx, only("budgets: [{usd: 1}]"))

    async def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(service.evaluations, "declare", fail)
    monkeypatch.setattr(service, "put_quota", fail)
    with pytest.raises(RuntimeError):
        await service.apply(ctx, only("budgets: [{usd: 2}]\nprompts: {}"))

    (budget,) = (await quotas.list_quotas(ctx, "budget")).items
    assert budget.amount == 10**9


async def test_each_kind_needs_its_own_permission(ctx):
    most = frozenset({"configuration.read", "configuration.write", "budgets.read", "limits.read", "limits.write"})
    somebody = ctx.acting_as(Actor(id="mem_1", kind="member", name="mo", permissions=most))
    with pytest.raises(PermissionMissingError):
        await service.apply(somebody, only("budgets: [{usd: 1}]"))
    await service.apply(somebody, only("limits: [{unit: requests, amount: 1}]"))

    blind = replace(somebody, actor=replace(somebody.actor, permissions=most - {"limits.read"}))
    assert "limits" in (await service.export(blind)).text.splitlines()[1]
    with pytest.raises(PermissionMissingError):
        await service.diff(blind, only("limits: [{unit: requests, amount: 2}]"))


SCOPES = st.sampled_from(
    [("project", ""), ("function", "f: x"), ("model", "a/b"), ("tag", "'\"- [1]"), ("tag", "ö # é")]
)
QUOTAS = st.builds(
    lambda scope, money, unit, amount, bound, window, stop, away, alerts: KnownQuota(
        quota=Quota(
            id="q", organisation="o", project="p", unit="nano_usd" if money else unit, scope_kind=scope[0], scope=scope[1],
            amount=amount, window="total" if unit == "parallel" and not money else window,
            stop="hard" if unit == "parallel" else stop, when_away=away, open_bound=bound,
            alerts=() if unit == "parallel" else tuple(sorted(alerts)),
        ),
        name=scope[1],
    ),
    SCOPES, st.booleans(), st.sampled_from(["requests", "tokens", "parallel"]), st.integers(0, MOST), st.integers(0, MOST),
    st.sampled_from(["minute", "hour", "day", "week", "month", "total", "rolling:3600"]), st.sampled_from(["hard", "soft"]),
    st.sampled_from(["open", "closed"]), st.sets(st.integers(1, 1000), max_size=10),
)  # fmt: skip


@given(st.lists(QUOTAS, max_size=4))
def test_any_quota_survives_being_written_and_read(made):
    configuration = Configuration(
        budgets=tuple(caps.budget_section(one) for one in made if one.quota.unit == "nano_usd"),
        limits=tuple(caps.limit_section(one) for one in made if one.quota.unit != "nano_usd"),
    )
    read = load(bundled(dump(configuration))).configuration
    wishes = [caps.wish_of(section) for _, section in caps.sections(read)]

    ordered = [one for one in made if one.quota.unit == "nano_usd"] + [
        one for one in made if one.quota.unit != "nano_usd"
    ]
    assert [(w.unit, w.amount, w.window, w.stop, w.when_away, w.open_bound, w.alerts) for w in wishes] == [
        (q.unit, q.amount, q.window, q.stop, q.when_away, q.open_bound, q.alerts)
        for q in (one.quota for one in ordered)
    ]
