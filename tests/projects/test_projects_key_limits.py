"""What a key may be given: scopes, a time, models, functions, addresses; and never more than its maker has."""

from dataclasses import replace

import pytest

from flyball.infra.context import Actor
from flyball.kit.clock import NANOSECONDS, FixedClock
from flyball.kit.errors import InvalidInputError
from flyball.kit.secrets import Secret
from flyball.projects import KeyNotFoundError, NameTakenError, keys, own_roles
from flyball.projects.errors import ExceedsOwnRightsError, InvalidNameError, UnknownPermissionError
from flyball.projects.key_records import KeyFilter, KeyLimits
from flyball.projects.keys import KeyGrant

DAY = 86_400 * NANOSECONDS


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def ctx(ctx, clock):
    return replace(ctx, clock=clock)


def acting_by(ctx, made):
    """The context of whoever presents this key."""
    actor = Actor(id=made.key.id, kind="key", name=made.key.name, permissions=frozenset(made.key.permissions))
    return ctx.acting_as(actor)


# -- scopes


async def test_scopes_are_chosen_one_by_one(ctx):
    made = await keys.create_key(ctx, "exporter", grant=KeyGrant(scopes=("traces.read", "scores.*", "traces.read")))

    actor, _ = await keys.authenticate_key(ctx, made.secret)

    assert made.key.role == ""
    assert made.key.permissions == ("scores.*", "traces.read")
    assert actor.may("scores.write")
    assert not actor.may("traces.write")


async def test_a_scope_beyond_the_makers_own_rights_is_refused_by_name(ctx):
    maker = ctx.acting_as(
        Actor(id="m", kind="member", name="maria", permissions=frozenset({"keys.write", "traces.read"}))
    )

    with pytest.raises(ExceedsOwnRightsError, match=r"audit\.read, which maria lacks"):
        await keys.create_key(maker, "spy", grant=KeyGrant(scopes=("traces.read", "audit.read")))
    for wide in ("*", "traces.*"):
        with pytest.raises(ExceedsOwnRightsError):
            await keys.create_key(maker, "spy", grant=KeyGrant(scopes=(wide,)))
    assert (await keys.list_keys(ctx)).items == ()


@pytest.mark.parametrize("scope", ["traces", "traces.red", "Traces.read", "", "gateway.call ", "**", ".*"])
async def test_a_scope_that_is_none_is_refused(ctx, scope):
    with pytest.raises(UnknownPermissionError):
        await keys.create_key(ctx, "x", grant=KeyGrant(scopes=(scope,)))


async def test_a_key_has_a_role_or_scopes_but_not_both(ctx):
    with pytest.raises(InvalidInputError, match="not both"):
        await keys.create_key(ctx, "x", grant=KeyGrant(role="viewer", scopes=("traces.read",)))


async def test_a_role_of_the_projects_own_is_cut_to_what_the_maker_has(ctx):
    await own_roles.set_role(ctx, "reader", ("traces.read", "audit.read"))
    maker = ctx.acting_as(Actor(id="m", kind="member", name="m", permissions=frozenset({"traces.read"})))

    made = await keys.create_key(maker, "x", "reader")

    assert made.key.permissions == ("traces.read",)


# -- time


async def test_an_expired_key_is_refused_from_its_moment_on_and_works_again_where_the_clock_was_wrong(ctx, clock):
    _, secret = await keys.create_key(ctx, "short", grant=KeyGrant(expires="90d"))

    clock.advance(90 * 86_400 - 1)
    assert await keys.authenticate_key(ctx, secret)
    clock.advance(1)
    assert await keys.authenticate_key(ctx, secret) is None
    clock.advance(30 * 86_400)
    assert await keys.authenticate_key(ctx, secret) is None
    clock.advance(-35 * 86_400)

    assert await keys.authenticate_key(ctx, secret)


@pytest.mark.parametrize(("text", "seconds"), [("1m", 60), ("12h", 43_200), ("90d", 7_776_000), ("26w", 26 * 604_800)])
async def test_an_expiry_is_a_time_from_now(ctx, clock, text, seconds):
    key, _ = await keys.create_key(ctx, "k", grant=KeyGrant(expires=text))

    assert key.expires_ns == clock.now_ns() + seconds * NANOSECONDS


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2027-01-31", 1_801_353_600),
        ("2027-01-31T12:00", 1_801_396_800),
        ("2027-01-31T12:00+01:00", 1_801_393_200),
        ("2027-01-31T12:00:00Z", 1_801_396_800),
    ],
)
async def test_an_expiry_is_a_date_in_utc_unless_it_says_otherwise(ctx, text, at):
    key, _ = await keys.create_key(ctx, "k", grant=KeyGrant(expires=text))

    assert key.expires_ns == at * NANOSECONDS


@pytest.mark.parametrize(
    "text",
    ["0m", "0d", "2020-01-01", "2023-11-14T22:13:30Z", "1s", "soon", "-1d", "90 d", "9999999d", "999999w", "9999-12-31",
     "0001-01-01", "\u0661\u0662d", "1e3d", "90d; drop table keys"],
)  # fmt: skip
async def test_an_expiry_that_is_over_or_none_is_refused(ctx, text):
    with pytest.raises(InvalidInputError):
        await keys.create_key(ctx, "k", grant=KeyGrant(expires=text))


# -- limits


async def test_limits_are_kept_in_one_spelling(ctx):
    limits = KeyLimits(models=("b", "a", "b"), functions=("*",), addresses=("::ffff:10.0.0.0/104", "203.0.113.7"))

    key, _ = await keys.create_key(ctx, "k", grant=KeyGrant(limits=limits))

    assert (key.models, key.functions) == (("a", "b"), ("*",))
    assert key.addresses == ("10.0.0.0/8", "203.0.113.7/32")
    assert (await keys.get_key(ctx, "k"))[0] == key


@pytest.mark.parametrize(
    "limits",
    [
        KeyLimits(addresses=("10.0.0.5/8",)),
        KeyLimits(addresses=("example.org",)),
        KeyLimits(addresses=("",)),
        KeyLimits(models=("",)),
        KeyLimits(models=(" fast",)),
        KeyLimits(functions=("a\x00b",)),
        KeyLimits(models=("x" * 201,)),
        KeyLimits(models=tuple(f"m{n}" for n in range(201))),
        KeyLimits(addresses=tuple(f"10.0.0.{n}" for n in range(201))),
    ],
)
async def test_limits_that_cannot_be_understood_are_refused(ctx, limits):
    with pytest.raises(InvalidInputError):
        await keys.create_key(ctx, "k", grant=KeyGrant(limits=limits))


async def test_a_key_is_refused_from_elsewhere_than_its_addresses(ctx):
    limits = KeyLimits(addresses=("203.0.113.0/24", "2001:db8::/32"))
    _, secret = await keys.create_key(ctx, "k", grant=KeyGrant(limits=limits))

    for address in ("203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"):
        assert await keys.authenticate_key(ctx, secret, address)
    for address in ("203.0.114.7", "", "unknown", "::1", "203.0.113.7, 10.0.0.1", "203.0.113.7\n"):
        assert await keys.authenticate_key(ctx, secret, address) is None


# -- a key that makes keys


WIDER = {
    "one that never expires": KeyGrant(limits=KeyLimits(models=("fast",), addresses=("10.0.0.0/8",))),
    "one that outlives it": KeyGrant(
        expires="31d", limits=KeyLimits(models=("fast",), addresses=("10.0.0.0/8",))
    ),
    "one from anywhere": KeyGrant(expires="30d", limits=KeyLimits(models=("fast",))),
    "one from a wider network": KeyGrant(
        expires="30d", limits=KeyLimits(models=("fast",), addresses=("10.0.0.0/7",))
    ),
    "one for everything": KeyGrant(expires="30d", limits=KeyLimits(addresses=("10.0.0.0/8",))),
    "one for another model": KeyGrant(
        expires="30d", limits=KeyLimits(models=("fast", "smart"), addresses=("10.0.0.0/8",))
    ),
    "one for a function": KeyGrant(
        expires="30d", limits=KeyLimits(models=("fast",), functions=("triage",), addresses=("10.0.0.0/8",))
    ),
    "one for every model": KeyGrant(expires="30d", limits=KeyLimits(models=("*",), addresses=("10.0.0.0/8",))),
}  # fmt: skip


@pytest.mark.parametrize("wider", WIDER)
async def test_a_key_makes_no_key_with_fewer_limits_than_its_own(ctx, wider):
    limits = KeyLimits(models=("fast",), addresses=("10.0.0.0/8",))
    maker = await keys.create_key(ctx, "maker", grant=KeyGrant(role="maintainer", expires="30d", limits=limits))

    with pytest.raises(ExceedsOwnRightsError, match="may not make a key with"):
        await keys.create_key(acting_by(ctx, maker), "made", grant=WIDER[wider])

    narrower = KeyLimits(models=("fast",), addresses=("10.1.0.0/16",))
    assert await keys.create_key(acting_by(ctx, maker), "made", grant=KeyGrant(expires="29d", limits=narrower))


# -- names and lists


@pytest.mark.parametrize(
    "name", ["bílling\u200b", "b\u0456lling", "ﬁlter", "billing\u202e", "\uff42illing", " x", "x" * 101]
)
async def test_a_name_that_a_reader_would_take_for_another_is_refused(ctx, name):
    with pytest.raises(InvalidNameError):
        await keys.create_key(ctx, name)


@pytest.mark.parametrize("alike", ["Billing", "bi11ing", "BILLING"])
async def test_a_name_that_looks_like_another_keys_is_taken(ctx, alike):
    await keys.create_key(ctx, "billing")

    with pytest.raises(NameTakenError, match="looks like it"):
        await keys.create_key(ctx, alike)


@pytest.mark.parametrize("name", ["ci/deploy", "prod: web (eu)", "a#1", "zählwerk", "ключ", "鍵"])
async def test_people_name_keys_as_they_like(ctx, name):
    assert (await keys.create_key(ctx, name)).key.name == name


async def test_keys_are_found_by_name_state_and_kind(ctx, clock):
    await keys.create_key(ctx, "reader", grant=KeyGrant(expires="1d"))
    await keys.create_key(ctx, "writer")
    await keys.create_key(ctx, "gone writer")
    await keys.revoke_key(ctx, "gone writer")
    clock.advance(2 * 86_400)

    async def found(**which):
        return [key.name for key in (await keys.list_keys(ctx, which=KeyFilter(**which))).items]

    assert await found(state="usable") == ["writer"]
    assert set(await found(state="ended")) == {"reader", "gone writer"}
    assert set(await found(text="WRITER")) == {"writer", "gone writer"}
    assert await found(text="%") == []
    assert await found(kind="personal") == []


async def test_a_key_of_another_project_is_neither_shown_rotated_nor_found_by_its_id(ctx, database):
    async with ctx.db.across_projects().transaction() as connection:
        await connection.execute(
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)"
        )
    theirs, secret = await keys.create_key(ctx.within("p", ctx.actor), "theirs")

    for deed in (keys.get_key, keys.rotate_key, keys.revoke_key):
        for name in (theirs.id, "theirs"):
            with pytest.raises(KeyNotFoundError):
                await deed(ctx, name)
    assert (await keys.authenticate_key(ctx, secret))[1] == "p"


async def test_what_is_far_too_long_is_no_key_and_is_not_even_hashed(ctx):
    assert await keys.authenticate_key(ctx, Secret("flyball_" + "x" * 1_000_000)) is None
