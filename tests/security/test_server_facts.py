"""What is the server's is told to its operator alone: settings, folders, addresses, other tenants' keys. And rights to who has some."""

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from flyball.audit import standing
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.projects import keys, own_roles, tenants
from flyball.secrets import pages, rotation
from flyball.secrets import service as secrets
from flyball.secrets.errors import MasterKeyRefusedError
from flyball.security import service


@pytest.fixture
async def acme(ctx):
    """A context in another organisation, of the key of its maintainer."""
    _, project, _ = await tenants.create_organisation(ctx, "acme", "olga")
    inside = ctx.within(project.id, ctx.actor)
    _, secret = await keys.create_key(inside, "ci", "owner")
    actor, _ = await keys.authenticate_key(ctx, secret)
    return ctx.within(project.id, actor)


def sending(ctx):
    """The context of a server that sends the record of what was done elsewhere."""
    settings = msgspec.structs.replace(
        ctx.settings, audit_webhook="https://siem.example.org/in/token", audit_syslog="tcp://10.9.8.7:514"
    )
    return replace(ctx, settings=settings)


async def test_a_tenant_is_told_of_no_key_of_the_servers(ctx, acme):
    await secrets.set_secret(ctx, "one", Secret("a value that is long"), ("example.org",))
    await secrets.set_secret(acme, "two", Secret("a value that is long"), ("example.org",))

    with pytest.raises(MasterKeyRefusedError, match="its operator alone"):
        await rotation.master_key_state(acme)
    page = await pages.list_secrets(acme)

    assert (page.master, page.trouble, [one.name for one in page.secrets]) == (None, "", ["two"])
    assert (await rotation.master_key_state(ctx)).data_keys == 2
    assert (await rotation.master_key_state(ctx.within(acme.project, ctx.actor))).data_keys == 2  # at the server itself


async def test_a_tenant_is_told_how_its_project_stands_and_not_how_the_server_does(ctx, acme):
    mine, theirs = await service.examine(sending(ctx)), await service.examine(sending(acme))

    topics = {finding.topic for finding in theirs.findings}
    assert {finding.topic for finding in mine.findings} == topics | {"Listening", "Data"}
    said = str(theirs)
    for fact in ("siem.example.org", "10.9.8.7", str(ctx.layout.root), "master key", "127.0.0.1", "PostgreSQL"):
        assert fact not in said
    assert "siem.example.org" in str(mine)


async def test_a_tenant_is_told_that_its_record_is_sent_and_not_where_to(ctx, acme):
    theirs, mine = await standing.standing(sending(acme)), await standing.standing(sending(ctx))

    assert [sink.name for sink in theirs.sinks] == ["webhook", "syslog"]
    assert all("example.org" in sink.name or "10.9.8.7" in sink.name for sink in mine.sinks)


async def test_looking_starts_no_command_but_the_first(ctx, tmp_path):
    counted, command = tmp_path / "counted", tmp_path / "print-key"
    command.write_text(f"#!/bin/sh\necho x >> {counted}\necho {os.urandom(32).hex()}\n")
    Path(command).chmod(0o700)
    settings = msgspec.structs.replace(ctx.settings, master_key_command=str(command))
    there = replace(ctx, settings=settings, keyring=Keyring(settings, ctx.layout, SystemClock()))

    for _ in range(3):
        assert (await rotation.master_key_state(there)).origin == "command"
        await pages.list_secrets(there)
        await service.examine(there)

    assert counted.read_text() == "x\n"


async def test_who_may_not_read_roles_sees_their_own_rights_and_no_role(ctx, public):
    await own_roles.set_role(ctx, "takeover-team", ("datasets.read", "scores.write"))
    _, small = await keys.create_key(ctx, "small", "takeover-team")
    _, large = await keys.create_key(ctx, "large", "owner")

    theirs = await public.get("/api/permissions", headers={"authorization": f"Bearer {small.reveal()}"})
    all_ = await public.get("/api/permissions", headers={"authorization": f"Bearer {large.reveal()}"})

    needed = {row["permission"] for row in theirs.json()["items"]}
    assert needed == {"public", "authenticated", "datasets.read", "scores.write"}
    assert {tuple(row["roles"]) for row in theirs.json()["items"]} == {()}
    assert "takeover-team" in all_.text
