"""Names that look alike are one name: of projects, organisations and own roles, as of people and keys."""

from pathlib import Path

import pytest

from flyball.infra.db.database import Database, execute, fetch_all
from flyball.infra.db.migrate import MIGRATIONS, migrate
from flyball.kit.names import name_key
from flyball.projects import own_roles, tenants
from flyball.projects.errors import NameTakenError


@pytest.mark.parametrize("name", ["Owner", "0wner", "VIEWER", "maintalner", "Appl1cation", "reviewer"])
async def test_no_role_looks_like_a_built_in_one(ctx, name):
    with pytest.raises(NameTakenError, match="looks like one"):
        await own_roles.set_role(ctx, name, ("datasets.read",))


async def test_no_role_looks_like_another_of_the_project(ctx):
    second = await tenants.create_project(ctx, "second")
    await own_roles.set_role(ctx, "clerk", ("datasets.read",))

    for name in ("Clerk", "c1erk"):
        with pytest.raises(NameTakenError, match="looks like it"):
            await own_roles.set_role(ctx, name, ("*",))
    changed = await own_roles.set_role(ctx, "clerk", ("scores.read",))
    await own_roles.set_role(ctx.within(second.id, ctx.actor), "Clerk", ("datasets.read",))

    assert changed.permissions == ("scores.read",)


@pytest.mark.parametrize("name", ["Default", "defau1t", "DEFAULT", "default"])
async def test_no_project_and_no_organisation_looks_like_another(ctx, name):
    with pytest.raises(NameTakenError):
        await tenants.create_project(ctx, name)
    with pytest.raises(NameTakenError):
        await tenants.create_organisation(ctx, name, "olga")

    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    assert (project.name, (await tenants.create_project(ctx, "second")).name) == ("default", "second")


async def test_names_that_were_given_before_keep_theirs_and_no_third_joins_them(empty_database_url, tmp_path):
    for path in sorted(MIGRATIONS.glob("*.sql")):
        if path.name < "0021":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    database = Database(empty_database_url, most=2)
    await database.open()
    await migrate(database, Path(tmp_path))
    async with database.across_projects().transaction() as connection:
        for number, name in enumerate(("Support", "supp0rt", "M\u00fcller\u00df", "learning")):
            await execute(
                connection,
                "insert into projects (id, organisation, name, created_ns) values (%s, 'default', %s, 1)",
                f"p{number}",
                name,
            )
            await execute(
                connection,
                "insert into roles (project, name, description, permissions, created_by, created_ns, updated_ns) "
                "values ('default', %s, '', '{}', '', 1, 1)",
                name,
            )

    await migrate(database)

    async with database.across_projects().connection() as connection:
        projects = {row["name"]: row["name_key"] for row in await fetch_all(connection, "select * from projects")}
        roles = {row["name"]: row["name_key"] for row in await fetch_all(connection, "select * from roles")}
    await database.close()
    assert projects["learning"] == name_key("learning")
    assert (projects["Support"], roles["Support"]) == (name_key("supp0rt"), name_key("supp0rt"))
    assert (projects["supp0rt"], roles["supp0rt"]) == (f"{name_key('support')} p1", f"{name_key('support')} supp0rt")
