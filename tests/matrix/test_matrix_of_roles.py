"""Every route x every caller, generated from the route table: each cell is what the route declares.

A route that is added tomorrow is in it. What a route does beyond its guard is its room's to test.
"""

import re

import pytest

from flyball.identity import session_store
from flyball.kit.secrets import token_hash
from flyball.projects import members
from flyball.surface.http import PUBLIC

from .callers import NAMES, ORIGIN, Member, caller, refused_for_lack_of_rights
from .spellings import HEADERS, SPELLINGS
from .table import address, named, table

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

REFUSALS = {303, 307, 400, 401, 403, 404, 405, 413, 415, 421, 422}
FORGED = {
    "nothing": {},
    "a key": {"authorization": "Bearer flyball_forged"},
    "a session": {"cookie": "flyball_session=forged"},
    "half a sign-in": {"cookie": "flyball_step=half; flyball_session=half"},
}


def let_in(answered) -> bool:
    """Whether a stranger got anything but a refusal, or the way to the sign-in."""
    if answered.status == 303:
        return not answered.header("location").startswith("/sign-in")
    return answered.status not in REFUSALS


@pytest.mark.parametrize("name", NAMES)
async def test_every_caller_passes_just_the_guards_of_what_they_may(application, ctx, name):
    who = await caller(name, ctx, application)
    wrong = []

    for route in table(application):
        if named(route) == "DELETE /api/sessions/current" and not isinstance(who, Member):
            continue  # ends the session that a browser holds, and knows no other caller
        answered = await who.send(route.method, address(route))
        if refused_for_lack_of_rights(answered) is who.may(route) or answered.status in (401, 500):
            wrong.append(f"{named(route)} ({route.permission}) -> {answered.status}")
        if route.method != "GET":
            await who.anew()

    assert wrong == []


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
async def test_nobody_without_a_credential_passes_a_guard(application, public, ctx, headers):
    maria = await members.add_member(ctx, "maria", "owner")
    async with ctx.db.transaction() as connection:
        await session_store.insert_step(
            connection, token_hash("half"), ctx.project, maria.id, method="password", expires_ns=2**62
        )
    wrong = []

    for route in table(application):
        told = {"accept": "application/json", "origin": ORIGIN, **headers}
        answered = await public.send(route.method, address(route), headers=told)
        if route.permission != PUBLIC and answered.status not in (401, 403):
            wrong.append(f"{named(route)} -> {answered.status}")

    assert wrong == []


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
async def test_no_spelling_of_an_address_leads_a_stranger_past_a_guard(application, public, spelling):
    passed = []

    for route in table(application):
        answered = await public.send(route.method, spelling(address(route)), headers={"accept": "application/json"})
        if route.permission != PUBLIC and let_in(answered):
            passed.append(f"{named(route)} -> {answered.status}")

    assert passed == []


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
async def test_no_header_leads_a_stranger_past_a_guard(application, public, headers):
    passed = []

    for route in table(application):
        answered = await public.send(route.method, address(route), headers={"accept": "application/json", **headers})
        if route.permission != PUBLIC and let_in(answered):
            passed.append(f"{named(route)} -> {answered.status}")

    assert passed == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(" owner")])  # who lack nothing
async def test_no_spelling_and_no_header_gives_a_caller_what_they_lack(application, ctx, name):
    who = await caller(name, ctx, application)
    lacking = [route for route in table(application) if not who.may(route)]
    passed = []

    for route in lacking:
        for what, spelling in SPELLINGS.items():
            answered = await who.send(route.method, spelling(address(route)), json={})
            if let_in(answered):
                passed.append(f"{named(route)}, {what} -> {answered.status}")
        for what, headers in HEADERS.items():
            answered = await who.send(route.method, address(route), json={}, headers=headers)
            if answered.status not in (403, 421):
                passed.append(f"{named(route)}, {what} -> {answered.status}")

    assert passed == []
    assert lacking


async def test_no_verb_but_the_declared_ones_is_answered(application, admin):
    verbs = {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"}
    declared: dict[str, set[str]] = {}
    for route in table(application):
        declared.setdefault(address(route), set()).add(route.method)
    answered_otherwise = []

    for path, known in declared.items():
        for verb in sorted(verbs - known - {"HEAD"}):
            answered = await admin.send(verb, path, headers={"accept": "application/json"})
            if answered.status not in (404, 405):
                others = [one for one in declared if re.fullmatch(one.replace("nothing", "[^/]+"), path)]
                if not any(verb in declared[one] for one in others):
                    answered_otherwise.append(f"{verb} {path} -> {answered.status}")

    assert answered_otherwise == []
