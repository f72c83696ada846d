"""The posture: each thing that may be off is off in one test and on in another, and the answer says what to do."""

from dataclasses import replace

import msgspec
import pytest

from flyball.audit import sealing, verifying
from flyball.audit.records import Checkpoint, Head, SignedCheckpoint, SinkState, Standing, Verified
from flyball.identity import providers
from flyball.identity.provider_records import ProviderWish
from flyball.identity.sessions import actor_of
from flyball.kit.clock import FixedClock
from flyball.kit.secrets import hash_password
from flyball.projects import keys, members, tenants
from flyball.secrets.records import MasterKeyState
from flyball.security import service
from flyball.security.records import Facts, Keys, People, Walls
from flyball.settings import Settings

DAY = 86_400 * 10**9
FINE = Facts(
    settings=Settings(),
    now_ns=100 * DAY,
    people=People(members=2, owners=1, with_password=2, with_factor=2, owners_without_factor=0, open_links=0, sessions=1, providers=1, enforced=0),
    keys=Keys(usable=2, without_expiry=0, long_unused=0, all_powerful=0, from_anywhere=0),
    walls=Walls(unguarded=(), bypassing=False, local=True, encrypted=False),
    audit=Standing(head=Head(seq=3, hash=""), begins_at=1, key="", checkpoints=0, latest=None, retention_days=0, sinks=(SinkState(name="webhook", seq=3, behind=0, sent_ns=5),), unsigned_since_ns=100 * DAY - 10**9),
    master=MasterKeyState(origin="environment", master_key="m", data_keys=1, earlier=0, foreign=()),
    master_trouble="",
    references=("secret:openai",),
    open_folders=(),
)  # fmt: skip


def changed(record, **changes):
    return msgspec.structs.replace(record, **changes)


def signed(*, at_ns, seq=2, unsigned_since_ns=None):
    """How a record of three events stands whose last checkpoint is of this time and covers so many of them."""
    checkpoint = Checkpoint(project="default", number=1, kind="checkpoint", first=1, seq=seq, hash="", root="", event_ns=at_ns, at_ns=at_ns, previous="", key="")  # fmt: skip
    latest = SignedCheckpoint(checkpoint=checkpoint, signature="")
    return changed(FINE.audit, latest=latest, unsigned_since_ns=unsigned_since_ns)


CHANGES = {
    "address and TLS": ({"settings": Settings(host="192.0.2.1", tls="none-i-know")}, "bad"),
    "address and TLS, a proxy": ({"settings": Settings(host="192.0.2.1", tls="proxy")}, "good"),
    "address and TLS, a certificate": ({"settings": Settings(host="192.0.2.1", tls_certificate="c.pem", tls_key="k.pem")}, "good"),
    "proxies": ({"settings": Settings(trusted_proxies="0.0.0.0/0")}, "bad"),
    "proxies, unlisted": ({"settings": Settings(host="192.0.2.1", tls="proxy")}, "note"),
    "outgoing calls": ({"settings": Settings(allowed_networks="::/0")}, "bad"),
    "outgoing calls, one network": ({"settings": Settings(allowed_networks="10.1.0.0/16")}, "note"),
    "passwords": ({"people": changed(FINE.people, with_password=0, providers=0)}, "warn"),
    "second factor": ({"people": changed(FINE.people, with_factor=0, owners_without_factor=1)}, "warn"),
    "second factor, not for all": ({"people": changed(FINE.people, with_factor=1)}, "note"),
    "sign-in providers": ({"people": changed(FINE.people, providers=0)}, "note"),
    "one-time links": ({"people": changed(FINE.people, open_links=2)}, "note"),
    "sessions": ({"settings": Settings(session_hours=9999)}, "warn"),
    "expiry": ({"keys": changed(FINE.keys, without_expiry=1)}, "warn"),
    "use": ({"keys": changed(FINE.keys, long_unused=1)}, "warn"),
    "rights": ({"keys": changed(FINE.keys, all_powerful=1)}, "warn"),
    "addresses": ({"keys": changed(FINE.keys, from_anywhere=1)}, "note"),
    "checkpoints, none": ({"audit": changed(FINE.audit, unsigned_since_ns=99 * DAY)}, "bad"),
    "checkpoints, none and the first event is gone": ({"audit": changed(FINE.audit, unsigned_since_ns=None)}, "bad"),
    "checkpoints, long after the last": ({"audit": signed(at_ns=DAY, unsigned_since_ns=100 * DAY - 10**9)}, "good"),
    "checkpoints, events that have waited": ({"audit": signed(at_ns=99 * DAY, unsigned_since_ns=99 * DAY)}, "bad"),
    "checkpoints, which may wait for so long": ({"audit": signed(at_ns=99 * DAY, unsigned_since_ns=99 * DAY), "settings": Settings(audit_checkpoint_seconds=90_000)}, "good"),
    "checkpoints, all covered": ({"audit": signed(at_ns=DAY, seq=3)}, "good"),
    "chain": ({}, "note"),
    "chain, whole": ({"audit": changed(FINE.audit, verified=Verified(at_ns=90 * DAY))}, "good"),
    "chain, broken": ({"audit": changed(FINE.audit, verified=Verified(at_ns=90 * DAY, finding="event 2 is missing"))}, "bad"),
    "elsewhere": ({"audit": changed(FINE.audit, sinks=())}, "warn"),
    "elsewhere, failing": ({"audit": changed(FINE.audit, sinks=(SinkState(name="w", seq=1, behind=2, sent_ns=5, failed_ns=6, failure="503"),))}, "bad"),
    "master key": ({"master": changed(FINE.master, origin="data directory")}, "warn"),
    "master key, foreign": ({"master": changed(FINE.master, foreign=("m2",))}, "bad"),
    "master key, none to be had": ({"master": None, "master_trouble": "the command failed"}, "bad"),
    "references": ({"references": ("env:OPENAI_API_KEY",)}, "note"),
    "row-level security": ({"walls": changed(FINE.walls, unguarded=("keys",))}, "bad"),
    "row-level security, passed by": ({"walls": changed(FINE.walls, bypassing=True)}, "bad"),
    "way to PostgreSQL": ({"walls": changed(FINE.walls, local=False)}, "bad"),
    "way to PostgreSQL, encrypted": ({"walls": changed(FINE.walls, local=False, encrypted=True)}, "good"),
    "files": ({"open_folders": ("/data/blobs",)}, "bad"),
}  # fmt: skip


def test_where_all_is_well_nothing_asks_for_anything():
    assert [finding for check in service.CHECKS if (finding := check(FINE)).state in ("warn", "bad")] == []


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_off_is_found_and_says_what_to_do(what):
    changes, state = CHANGES[what]
    facts = FINE._replace(**changes)

    [found] = [finding for check in service.CHECKS if (finding := check(facts)).name == what.partition(",")[0]]
    assert found.state == state
    assert found.next_step or state in ("good", "note")


def test_every_check_has_a_name_of_its_own():
    named = [(finding.topic, finding.name) for finding in (check(FINE) for check in service.CHECKS)]

    assert len(named) == len(set(named)) >= 20


async def test_a_server_as_it_is_installed(ctx):
    posture = await service.examine(ctx)
    states = {finding.name: finding.state for finding in posture.findings}

    assert (
        states["address and TLS"]
        == states["row-level security"]
        == states["way to PostgreSQL"]
        == states["files"]
        == "good"
    )
    assert states["passwords"] == "warn"
    assert posture.open >= 2


async def test_keys_and_people_are_counted(ctx):
    await keys.create_key(ctx, "for-ever", "owner")
    await members.add_member(ctx, "ada", "owner")
    async with ctx.db.across_projects().transaction() as connection:
        await connection.execute(
            "update members set password_verifier = %s, owner = true", (hash_password("correct horse battery"),)
        )

    found = {finding.name: finding for finding in (await service.examine(ctx)).findings}

    assert found["expiry"].state == found["rights"].state == found["second factor"].state == "warn"
    assert "1 owner has none" in found["second factor"].found


async def test_a_quiet_project_that_wakes_is_as_it_should_be(ctx):
    clocked = replace(ctx, clock=FixedClock())
    await keys.create_key(clocked, "first", "viewer")
    await sealing.seal(clocked)
    clocked.clock.advance(30 * 86_400)
    await keys.create_key(clocked, "second", "viewer")

    at_once = {finding.name: finding for finding in (await service.examine(clocked)).findings}
    clocked.clock.advance(2 * 3_600)
    in_two_hours = {finding.name: finding for finding in (await service.examine(clocked)).findings}

    assert at_once["checkpoints"].state == "good"
    assert "300 seconds" in at_once["checkpoints"].found
    assert in_two_hours["checkpoints"].state == "bad"


async def test_whether_the_chain_was_found_whole_is_told(ctx):
    await keys.create_key(ctx, "first", "viewer")
    before = {finding.name: finding for finding in (await service.examine(ctx)).findings}
    await verifying.verify(ctx)
    after = {finding.name: finding for finding in (await service.examine(ctx)).findings}
    elsewhere = ctx.within("another", ctx.actor)

    assert (before["chain"].state, after["chain"].state) == ("note", "good")
    assert verifying.last_verified(elsewhere) is None


async def test_every_project_counts_its_organisations_providers_and_no_others(ctx):
    wish = {"client_id": "flyball", "client_auth": "none"}
    await providers.set_provider(ctx, "ours", ProviderWish(issuer="https://idp.example.org", **wish))
    _, theirs, olga = await tenants.create_organisation(ctx, "acme", "olga")
    owner = ctx.within(theirs.id, actor_of(olga))
    for name in ("a", "b"):
        await providers.set_provider(owner, name, ProviderWish(issuer="https://idp.example.com", **wish))
    second = await tenants.create_project(ctx, "second")

    found = {
        where: next(each.found for each in (await service.examine(there)).findings if each.name == "sign-in providers")
        for where, there in {"first": ctx, "second": ctx.within(second.id, ctx.actor), "acme": owner}.items()
    }

    assert found == {
        "first": "1 sign-in provider, 0 enforced",
        "second": "1 sign-in provider, 0 enforced",
        "acme": "2 sign-in providers, 0 enforced",
    }


async def test_it_is_told_by_the_api_and_on_a_page_to_those_who_may(admin, public, key_of):
    told = await admin.get("/api/security")
    page = await admin.get("/security", headers={"accept": "text/html"})

    assert len(told.json()["findings"]) == len(service.CHECKS)
    assert page.status == 200
    assert "What to do" in page.text
    assert (await public.get("/api/security")).status == 401
    assert (await (await key_of("viewer")).get("/api/security")).status == 403
    assert (await (await key_of("maintainer")).get("/api/security")).status == 200
