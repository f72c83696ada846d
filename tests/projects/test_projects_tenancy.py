"""Organisations, projects, members and roles: who may do what where, and who may give it to whom."""

import pytest

from flyball.identity import SignInRefusedError, sessions, sign_in
from flyball.infra.context import Actor
from flyball.infra.db.database import Database, execute, fetch_all, fetch_one
from flyball.kit.secrets import Secret
from flyball.projects import keys, members, own_roles, tenants
from flyball.projects.errors import (
    ExceedsOwnRightsError,
    InvalidNameError,
    LastOwnerError,
    MemberNotFoundError,
    NameTakenError,
    ProjectNotFoundError,
    RoleInUseError,
    UnknownPermissionError,
    UnknownRoleError,
)

PASSWORD = Secret("four unrelated words")


async def signed_in(ctx, name: str):
    """A session of a member, by a link; the context in which they act, and the session's token."""
    link = await sign_in.create_sign_in_link(ctx, name)
    found = await sign_in.use_sign_in_link(ctx, link.token)
    return ctx.within(found.member.project, sessions.actor_of(found.member)), found.token


async def fail_inside_of_a_transaction(ctx):
    async with ctx.db.transaction() as connection:
        await fetch_all(connection, "select 1 from keys")
        raise ZeroDivisionError


async def test_a_member_does_what_their_role_in_the_project_permits(ctx):
    await members.add_member(ctx, "Maria", "reviewer", "maria@example.org")

    maria, _ = await signed_in(ctx, "maria")

    assert maria.actor.may("releases.approve")
    assert not maria.actor.may("models.write")


async def test_a_person_has_another_role_in_another_project(ctx):
    second = await tenants.create_project(ctx, "second")
    await members.add_member(ctx, "maria", "viewer")
    await members.add_member(ctx.within(second.id, ctx.actor), "maria", "maintainer")
    _, token = await signed_in(ctx, "maria")

    anew, _, session = await sessions.switch_project(ctx, token, "second")
    member, *_ = await sessions.authenticate(ctx, anew)

    assert await sessions.authenticate(ctx, token) is None
    assert (session.project, member.project, member.role) == (second.id, second.id, "maintainer")


async def test_nobody_switches_into_a_project_in_which_they_have_no_role(ctx):
    await tenants.create_project(ctx, "second")
    await members.add_member(ctx, "maria", "viewer")
    _, token = await signed_in(ctx, "maria")

    with pytest.raises(ProjectNotFoundError, match="no role"):
        await sessions.switch_project(ctx, token, "second")


async def test_an_owner_of_the_organisation_is_one_in_every_project_of_it(ctx):
    _, token = await signed_in(ctx, "administrator")
    second = await tenants.create_project(ctx, "second")

    anew, *_ = await sessions.switch_project(ctx, token, "second")
    member, *_ = await sessions.authenticate(ctx, anew)

    assert (member.project, member.role) == (second.id, "owner")


async def test_a_removed_member_is_out_at_once(ctx):
    await members.add_member(ctx, "maria", "viewer")
    _, token = await signed_in(ctx, "maria")

    await members.remove_member(ctx, "maria")

    assert await sessions.authenticate(ctx, token) is None
    assert await members.list_members(ctx) == ()
    with pytest.raises(MemberNotFoundError):
        await sign_in.create_sign_in_link(ctx, "maria")


async def test_another_role_counts_from_the_next_request_on(ctx):
    await members.add_member(ctx, "maria", "viewer")
    _, token = await signed_in(ctx, "maria")

    await members.set_role(ctx, "maria", "maintainer")

    member, *_ = await sessions.authenticate(ctx, token)
    assert sessions.actor_of(member).may("models.write")


async def test_the_last_owner_of_a_project_stays(ctx):
    organisation, project, owner = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)

    for change in (members.remove_member(inside, "olga"), members.set_role(inside, "olga", "viewer")):
        with pytest.raises(LastOwnerError):
            await change
    assert (owner.organisation, owner.role) == (organisation.id, "owner")


async def test_nobody_gives_more_than_they_have(ctx):
    await members.add_member(ctx, "olga", "owner")
    await own_roles.set_role(ctx, "clerk", ("members.read", "members.write", "roles.write", "datasets.read"))
    await members.add_member(ctx, "carl", "clerk")
    carl, _ = await signed_in(ctx, "carl")

    for more in (
        members.add_member(carl, "friend", "owner"),
        members.add_member(carl, "friend", "viewer"),
        members.set_role(carl, "carl", "maintainer"),
        members.set_role(carl, "olga", "clerk"),
        members.remove_member(carl, "olga"),
        own_roles.set_role(carl, "clerk", ("members.write", "audit.read")),
        own_roles.set_role(carl, "mine", ("*",)),
        sign_in.create_sign_in_link(carl, "olga"),
    ):
        with pytest.raises(ExceedsOwnRightsError):
            await more
    assert (await members.add_member(carl, "friend", "clerk")).role == "clerk"


async def test_a_role_of_the_projects_own_gives_just_what_it_names(ctx):
    await own_roles.set_role(ctx, "labeller", ("datasets.*", "scores.write"), "labels answers")
    await members.add_member(ctx, "maria", "labeller")
    maria, token = await signed_in(ctx, "maria")

    before = maria.actor.may("datasets.write")
    await own_roles.set_role(ctx, "labeller", ("scores.write",))
    member, *_ = await sessions.authenticate(ctx, token)

    assert before
    assert not sessions.actor_of(member).may("datasets.write")


async def test_a_role_that_somebody_has_is_not_removed(ctx):
    await own_roles.set_role(ctx, "labeller", ("scores.write",))
    await members.add_member(ctx, "maria", "labeller")

    with pytest.raises(RoleInUseError, match="1 members"):
        await own_roles.remove_role(ctx, "labeller")

    await members.set_role(ctx, "maria", "viewer")
    await own_roles.remove_role(ctx, "labeller")
    with pytest.raises(UnknownRoleError, match="labeller"):
        await members.set_role(ctx, "maria", "labeller")


@pytest.mark.parametrize(
    ("name", "permissions", "error"),
    [
        ("owner", ("datasets.read",), NameTakenError),
        ("clerk", ("datasets.delete",), UnknownPermissionError),
        ("clerk", ("nothing.*",), UnknownPermissionError),
        (" clerk", ("datasets.read",), InvalidNameError),
    ],
)
async def test_a_role_that_makes_no_sense_is_refused(ctx, name, permissions, error):
    with pytest.raises(error):
        await own_roles.set_role(ctx, name, permissions)


async def test_a_built_in_role_counts_who_has_it(ctx):
    await members.add_member(ctx, "maria", "viewer")
    await keys.create_key(ctx, "app")

    found = {role.name: (role.members, role.keys) for role in await own_roles.list_roles(ctx)}

    assert found["viewer"] == (1, 0)
    assert found["application"] == (0, 1)


async def test_the_role_of_keys_is_for_no_member(ctx):
    with pytest.raises(UnknownRoleError, match="for keys"):
        await members.add_member(ctx, "maria", "application")


@pytest.mark.parametrize(
    "name", ["", " maria", "ma\u200bria", "m\u0430ria", "\uff4daria", "maria\n", "maria\u202e", "x" * 101, "a/b", "<b>"]
)
async def test_what_cannot_be_a_name_is_refused(ctx, name):
    with pytest.raises(InvalidNameError):
        await members.add_member(ctx, name, "viewer")


@pytest.mark.parametrize(
    "twin", ["MARIA", "mar1a", "marla", "\u043c\u0430\u0433\u0456\u0430", "administrator", "adrninistrator"]
)
async def test_a_name_that_looks_like_anothers_is_taken(ctx, twin):
    await sign_in.create_sign_in_link(ctx)
    await members.add_member(ctx, "maria", "viewer")

    if twin == "\u043c\u0430\u0433\u0456\u0430":
        assert (await members.add_member(ctx, twin, "viewer")).name == twin  # another letter in the middle
        return
    with pytest.raises(NameTakenError):
        await members.add_member(ctx, twin, "viewer")


async def test_an_organisation_knows_nothing_of_anothers_members(ctx):
    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)
    await members.add_member(ctx, "maria", "viewer")

    with pytest.raises(NameTakenError):
        await members.add_member(inside, "maria", "viewer")
    with pytest.raises(MemberNotFoundError):
        await members.set_role(inside, "maria", "owner")
    assert [one.name for one in await members.list_members(inside)] == ["olga"]


async def test_nobody_adds_a_person_of_another_organisation_even_without_the_second_wall(ctx, monkeypatch):
    monkeypatch.setattr(Database, "bound_to", lambda self, _project: self.across_projects())
    await tenants.create_organisation(ctx, "acme", "olga")

    with pytest.raises(NameTakenError):
        await members.add_member(ctx, "olga", "viewer")


async def test_only_an_owner_of_the_organisation_makes_projects(ctx):
    await members.add_member(ctx, "maria", "owner")
    maria, _ = await signed_in(ctx, "maria")
    administrator, _ = await signed_in(ctx, "administrator")
    key = ctx.acting_as(Actor(id="key_1", kind="key", name="ci"))

    for stranger in (maria, key):
        with pytest.raises(ExceedsOwnRightsError):
            await tenants.create_project(stranger, "second")
    assert (await tenants.create_project(administrator, "second")).name == "second"


async def test_only_the_operator_makes_organisations(ctx):
    administrator, _ = await signed_in(ctx, "administrator")

    with pytest.raises(ExceedsOwnRightsError, match="operator"):
        await tenants.create_organisation(administrator, "acme", "olga")


async def test_an_archived_project_refuses_its_keys_and_sessions(ctx):
    second = await tenants.create_project(ctx, "second")
    inside = ctx.within(second.id, ctx.actor)
    await members.add_member(inside, "maria", "viewer")
    _, secret = await keys.create_key(inside, "app")
    _, token = await signed_in(inside, "maria")

    await tenants.archive_project(ctx, "second")

    assert await sessions.authenticate(ctx, token) is None
    assert await keys.authenticate_key(ctx, secret) is None
    async with ctx.db.across_projects().connection() as connection:
        assert await keys.active_keys(connection) == ()


async def test_who_has_no_project_any_more_cannot_sign_in(ctx):
    await members.add_member(ctx, "maria", "viewer")
    _, token = await signed_in(ctx, "maria")
    await sign_in.set_password(ctx, token, PASSWORD)
    await members.remove_member(ctx, "maria")

    with pytest.raises(SignInRefusedError):
        await sign_in.sign_in(ctx, "maria", PASSWORD)


async def test_a_query_that_forgets_the_project_sees_its_own_alone(ctx):
    second = await tenants.create_project(ctx, "second")
    inside = ctx.within(second.id, ctx.actor)
    await keys.create_key(ctx, "first's")
    await keys.create_key(inside, "second's")

    seen = {}
    for name, database in (("first", ctx.db), ("second", inside.db), ("all", ctx.db.across_projects())):
        async with database.connection() as connection:
            seen[name] = {row["name"] for row in await fetch_all(connection, "select name from keys")}

    assert seen == {"first": {"first's"}, "second": {"second's"}, "all": {"first's", "second's"}}


async def test_a_connection_writes_no_row_of_another_project(ctx):
    second = await tenants.create_project(ctx, "second")
    key, _ = await keys.create_key(ctx.within(second.id, ctx.actor), "theirs")

    async with ctx.db.connection() as connection:
        touched = await execute(connection, "update keys set revoked_ns = 1 where id = %s", key.id)
    with pytest.raises(Exception, match="row-level security"):
        async with ctx.db.connection() as connection:
            await execute(
                connection,
                "insert into roles (project, name, name_key, description, permissions, created_by, created_ns, updated_ns) "
                "values (%s, 'r', 'r', '', '{}', '', 0, 0)",
                second.id,
            )

    assert touched == 0


async def test_every_table_with_a_project_is_guarded(ctx):
    async with ctx.db.across_projects().connection() as connection:
        rows = await fetch_all(
            connection,
            """
            select c.table_name, p.relrowsecurity and p.relforcerowsecurity as guarded,
                exists (select from pg_policies o where o.tablename = c.table_name) as has_policy
            from information_schema.columns c
            join pg_class p on p.oid = format('public.%%I', c.table_name)::regclass
            where c.table_schema = 'public' and c.column_name = 'project' and p.relkind = 'r'
            """,
        )
        me = await fetch_one(
            connection, "select rolsuper or rolbypassrls as passes from pg_roles where rolname = current_user"
        )

    assert len(rows) > 15
    assert [row["table_name"] for row in rows if not (row["guarded"] and row["has_policy"])] == []
    assert me == {"passes": False}


async def test_the_bound_project_survives_whoever_used_the_connection_before(ctx):
    second = await tenants.create_project(ctx, "second")
    inside = ctx.within(second.id, ctx.actor)
    await keys.create_key(inside, "second's")

    for _ in range(20):  # more than the pool has connections
        with pytest.raises(ZeroDivisionError):
            await fail_inside_of_a_transaction(inside)
        async with ctx.db.connection() as connection:
            assert await fetch_all(connection, "select name from keys") == []
