"""Which quotas count a call, and that remembering them mixes nobody up."""

from types import SimpleNamespace

from flyball.gateway.choose import ModelRoute
from flyball.gateway.reserve import cover_of
from flyball.gateway.snapshot import KnownModel, KnownProject
from flyball.ledger.covering import by_scope
from flyball.ledger.records import Quota


def limit(name: str, kind: str, scope: str = "") -> Quota:
    return Quota(
        id=name,
        organisation="o",
        project="default",
        unit="requests",
        scope_kind=kind,
        scope=scope,
        amount=5,
        window="day",
    )


def project(*quotas: Quota) -> KnownProject:
    return KnownProject(organisation="o", quotas=by_scope(quotas, "default", "o"))


def counting(known: KnownProject, key: str, model: str, *tags: str, member: str = "", id_: str = "") -> list[str]:
    route = ModelRoute(KnownModel(name=model, version=1, hash="h", endpoints=()), ())
    notes = SimpleNamespace(caller=SimpleNamespace(id=id_ or key, counted_as=key, member=member))
    return [quota.id for quota in cover_of(known, route, notes, tags).quotas]


def test_each_key_model_and_member_has_its_own_quotas_however_often_others_called_before() -> None:
    known = project(
        limit("all", "project"),
        limit("of a", "key", "a"),
        limit("of fast", "model", "fast"),
        limit("of m", "member", "m"),
    )
    for _ in range(3):
        assert counting(known, "a", "fast") == ["all", "of a", "of fast"]
        assert counting(known, "b", "fast") == ["all", "of fast"]
        assert counting(known, "a", "slow") == ["all", "of a"]
        assert counting(known, "a", "slow", member="m") == ["all", "of a", "of m"]
        assert counting(known, "a", "fast", id_="a, rotated") == ["all", "of a", "of fast"]


def test_tags_are_looked_at_anew_in_every_call() -> None:
    known = project(limit("all", "project"), limit("of night", "tag", "night"))

    assert counting(known, "a", "fast") == ["all"]
    assert counting(known, "a", "fast", "night", "night") == ["all", "of night"]
    assert counting(known, "a", "fast") == ["all"]
    assert counting(known, "a", "fast", "day") == ["all"]


def test_what_is_remembered_is_bounded() -> None:
    known = project(limit("all", "project"))
    for number in range(25_000):
        counting(known, f"key {number}", "fast")

    assert len(known.covers) <= 10_000
