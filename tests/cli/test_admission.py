"""Who may be reached from other machines: a flyball at which somebody can prove who they are."""

import pytest

from flyball.cli.admission import check_somebody_can_prove_who_they_are
from flyball.infra.processes.errors import AddressRefusedError
from flyball.projects import keys


async def test_without_a_key_and_a_password_only_loopback_is_served(database):
    with pytest.raises(AddressRefusedError, match=r"192\.0\.2\.1 can be reached from other machines") as refusal:
        await check_somebody_can_prove_who_they_are(database, "192.0.2.1")

    assert "flyball keys create" in refusal.value.next_step


async def test_a_key_is_enough(ctx):
    await keys.create_key(ctx, "demo")

    await check_somebody_can_prove_who_they_are(ctx.db, "192.0.2.1")


async def test_a_revoked_key_is_not(ctx):
    await keys.create_key(ctx, "demo")
    await keys.revoke_key(ctx, "demo")

    with pytest.raises(AddressRefusedError):
        await check_somebody_can_prove_who_they_are(ctx.db, "192.0.2.1")
