"""Every route x two tenants, generated from the route table: whoever may do everything in one project sees and changes nothing of another.

An answer about a thing of the other tenant has to be, word for word, the answer about a thing that is nowhere.
"""

import re
from functools import partial
from itertools import product
from urllib.parse import quote

import pytest

from flyball.identity import invitation_store
from flyball.infra.db.database import Database, execute

from .bodies import FORM, body_of, fields_that_pages_read
from .callers import caller
from .table import address, named, parameters, table
from .tenant import MARK, rows_of, settled

# The noun that an address is about, by its first word where that is another.
ABOUT = {
    "why": "traces",
    "account": "keys",
    "sign-in": "",
    "data-key": "secrets",
    "scores": "traces",
    "comparisons": "reports",
}
OTHERS = {
    "version": "1",
    "side": "input",
    "seq": "1",
    "digest": "x",
}  # what parameters are that name nothing of a tenant
QUESTIONS = {"/api/indexes/{name}/passages": "?query=sleeps"}
UNSEEN = {  # by a key, in a place without a network
    "/account/keys/{key_id}": 403,  # a member's own
    "/api/account/keys/{id_or_name}": 403,
    "/api/providers/{name}/check": 503,  # asks the provider itself
    "/providers/{name}/check": 303,
    "/sign-in/with/{name}": 303,
    "/sign-in/with/{name}/return": 303,
    "/signed-out/{name}": 303,
    "/invitations/{token}": 303,  # whose tokens nobody can list
    "/static/{digest}/{name}": 404,  # belongs to nobody
    "/api/traces/aside/{number}": 400,  # has a number for a name: tests/traces/test_setting_aside.py has it seen by its project alone
    "/project/{project}/traces/{trace_id}": 303,  # only leads to the trace's page
    # What Langfuse's clients make: tests/web/compat/test_langfuse_bounds.py has it seen by its own tenant and by no other.
    "/api/public/dataset-items/{item_id:path}": 404,
    "/api/public/datasets/{name:path}/runs": 404,
    "/api/public/datasets/{name:path}/runs/{run:path}": 404,
    "/api/public/media/content/{ticket}": 403,
    "/api/public/media/{media_id}": 404,
    "/api/public/observations/{observation_id}": 404,
    "/api/public/score-configs/{config_id}": 404,
    "/api/public/sessions/{session_id:path}": 404,
    "/api/public/traces/{trace_id}": 404,
    "/api/public/v2/datasets/{name:path}": 404,
    "/api/public/v2/prompts/{name:path}": 404,
    "/api/public/v2/scores/{score_id}": 404,
}
BY_PASSWORD = {"POST /api/sessions"}
_PASSING = re.compile(r'name="csrf_token" value="[0-9a-f]*"|<time[^>]*>[^<]*</time>')


ALONE, SAME = "the queries alone", "same organisation"
SUITE = [(ALONE, SAME, "member as owner"), (ALONE, "own organisation", "key of owner")]
SETTINGS = [
    pytest.param(each, id=", ".join(each), marks=() if each in SUITE else pytest.mark.long)
    for each in product((ALONE, "both walls"), (SAME, "own organisation"), ("key of owner", "member as owner"))
]
everywhere = pytest.mark.parametrize("setting", SETTINGS, indirect=True)
once = pytest.mark.parametrize("setting", [pytest.param(SUITE[1], id="once")], indirect=True)


@pytest.fixture
def setting(request, monkeypatch):
    """With and without the database's own guard: each query has to name its project, whatever stands behind it."""
    monkeypatch.setattr("flyball.traces.service._PATIENCE_SECONDS", 0)
    if request.param[0] == ALONE:
        monkeypatch.setattr(Database, "bound_to", lambda self, _project: self.across_projects())
    return request.param


@pytest.fixture
async def other(setting, ctx):
    """The tenant that nobody else is to see: a neighbour of the same organisation, or of another."""
    return await settled(ctx, organisation="" if setting[1] == SAME else f"{MARK}-works")


@pytest.fixture
async def who(setting, other, ctx, application):
    """Who attacks: an owner of the project `default`."""
    return await caller(setting[2], ctx, application)


def noun_of(route) -> str:
    """What the address is about: its first word, or that behind `account`."""
    words = [word for word in route.path.split("/") if word and word != "api" and "{" not in word]
    about = words[1] if words[:1] == ["account"] and len(words) > 1 else (words or [""])[0]
    return ABOUT.get(about, about)


def addresses(route, other, *, widely):
    """The route's address with each thing of the other tenant, those of its noun or all; and what of it stands there, if anything."""
    names = parameters(route)
    if not names:
        return [(address(route), "")]
    values = other.everything if widely else other.has.get(noun_of(route), [MARK])
    found = []
    for value in values:
        more = {name: OTHERS[name] for name in names if name in OTHERS}
        more |= {"span_id": other.one("spans"), "row_id": f"{MARK}-row"} if len(names) > 1 else {}
        path = address(route, lambda name, value=value, more=more: more.get(name, value))
        found.append((path + QUESTIONS.get(route.path, ""), value if value in path else ""))
    return found


def nowhere(value: str) -> str:
    """A name or id of the same shape that nothing has."""
    if MARK in value:
        return value.replace(MARK, "bommat")
    return value[:-1] + ("0" if value[-1] != "0" else "1")


def without(value: str, text: str) -> str:
    """The text as it would be about nothing; in links the name is written as addresses are."""
    for written in (str, partial(quote, safe="")):
        text = text.replace(written(value), written(nowhere(value)))
    return text


async def answer(who, path: str) -> tuple[int, str]:
    """Status and text, but for what is another each time: the token of its forms, and how long ago something was."""
    answered = await who.send("GET", path)
    return answered.status, _PASSING.sub("", answered.text)


async def what_is_shown(application, who, other, *, widely=False) -> list[str]:
    """Answers from which something of the other tenant's can be seen."""
    shown = []
    for route in table(application):
        if route.method != "GET":
            continue
        for path, value in addresses(route, other, widely=widely):
            status, said = await answer(who, path)
            if not value:
                told = MARK in said or any(one in said for one in other.everything)
            else:
                told = (status, without(value, said)) != await answer(who, without(value, path))
            if told or status >= 500:
                shown.append(f"{path} -> {status}: {said[:300]}")
    return shown


async def what_is_changed(application, who, other, *, widely=False) -> list[str]:
    """Requests after which rows of the other tenant are others, and those whose body was not even read."""
    found = []
    before = await rows_of(other.ctx, other.ctx.project)
    for route in table(application):
        if route.method == "GET":
            continue
        sent = []
        for path, _ in addresses(route, other, widely=widely):
            answered = await who.send(route.method, path, **body_of(route, other, noun_of(route)))
            sent.append(f"{route.method} {path} -> {answered.status}: {answered.body[:200]!r}")
            unread = answered.status in (415, 422) or b"the body is not as expected" in answered.body
            if answered.status >= 500 or unread or (answered.status == 401 and named(route) not in BY_PASSWORD):
                found.append(sent[-1])
            await who.anew()
        after = await rows_of(other.ctx, other.ctx.project)
        if after != before:
            changed = [name for name in after if after[name] != before.get(name)]
            found.append(f"{named(route)} changed {changed}: {sent}")
        before = after
    return found


@everywhere
@pytest.mark.timeout(300)
async def test_no_route_shows_one_tenant_anything_of_another(application, who, other):
    assert await what_is_shown(application, who, other) == []


@everywhere
@pytest.mark.timeout(300)
async def test_no_route_changes_anything_of_another_tenants(application, who, other):
    assert await what_is_changed(application, who, other) == []


@everywhere
@pytest.mark.long
@pytest.mark.timeout(900)
async def test_no_route_does_so_whatever_stands_in_its_address(application, who, other):
    assert await what_is_shown(application, who, other, widely=True) == []
    assert await what_is_changed(application, who, other, widely=True) == []


@once
async def test_the_other_tenant_itself_sees_each_thing_that_is_asked_for(application, other):
    """So the addresses that are tried lead somewhere."""
    itself = await caller("key of owner", other.ctx, application)
    unseen = {}
    for route in table(application):
        if route.method == "GET" and parameters(route):
            [(path, _), *_] = addresses(route, other, widely=False)
            status, _ = await answer(itself, path)
            if status != 200:
                unseen[route.path] = status

    assert unseen == UNSEEN


@once
async def test_a_write_into_another_tenant_would_be_seen(application, ctx, who, other, monkeypatch):
    async def revoke(_connection, _project, invitation_id, now_ns):  # as it would be if it forgot the project
        async with ctx.db.across_projects().connection() as connection:
            return bool(
                await execute(connection, "update invitations set revoked_ns = %s where id = %s", now_ns, invitation_id)
            )

    monkeypatch.setattr(invitation_store, "revoke", revoke)

    found = await what_is_changed(application, who, other)

    assert [one.partition(":")[0] for one in found] == [
        "DELETE /api/invitations/{invitation_id} changed ['invitations']",
        "POST /invitations/{invitation_id}/revocation changed ['invitations']",
    ]


def test_one_form_has_the_fields_of_all():
    assert fields_that_pages_read() - FORM.keys() == set()
