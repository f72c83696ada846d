"""All SQL of second factors and recovery codes. Bytes go in and out sealed. No clock, no authorisation."""

from collections.abc import Iterable
from typing import NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_one


class Factor(NamedTuple):
    """A second factor as it is kept."""

    member: str
    data_key: str
    sealed: bytes
    created_ns: int
    confirmed_ns: int | None
    last_step: int


async def get_factor(connection: Connection, member_id: str) -> Factor | None:
    """A member's second factor, confirmed or not."""
    row = await fetch_one(
        connection,
        "select member, data_key, sealed, created_ns, confirmed_ns, last_step from second_factors where member = %s",
        member_id,
    )
    return Factor(**row | {"sealed": bytes(row["sealed"])}) if row else None


async def put_factor(connection: Connection, factor: Factor) -> bool:
    """Write a new one over one that was never confirmed; False where one was."""
    touched = await execute(
        connection,
        "insert into second_factors (member, data_key, sealed, created_ns, last_step) values (%s, %s, %s, %s, %s) "
        "on conflict (member) do update set data_key = excluded.data_key, sealed = excluded.sealed, "
        "created_ns = excluded.created_ns, last_step = excluded.last_step where second_factors.confirmed_ns is null",
        factor.member,
        factor.data_key,
        factor.sealed,
        factor.created_ns,
        factor.last_step,
    )
    return touched == 1


async def take_step(connection: Connection, member_id: str, step: int) -> bool:
    """Use a time step up; False where it, or a later one, was used."""
    return bool(
        await execute(
            connection,
            "update second_factors set last_step = %s where member = %s and last_step < %s",
            step,
            member_id,
            step,
        )
    )


async def confirm(connection: Connection, member_id: str, now_ns: int) -> None:
    """From now on it is asked for."""
    await execute(
        connection,
        "update second_factors set confirmed_ns = %s where member = %s and confirmed_ns is null",
        now_ns,
        member_id,
    )


async def delete_factor(connection: Connection, member_id: str) -> bool:
    """Forget a member's second factor and its recovery codes; False where there was none."""
    await execute(connection, "delete from recovery_codes where member = %s", member_id)
    return bool(await execute(connection, "delete from second_factors where member = %s", member_id))


async def put_recovery_codes(connection: Connection, member_id: str, hashes: Iterable[bytes]) -> None:
    """Write new recovery codes; those from before are worth nothing any more."""
    await execute(connection, "delete from recovery_codes where member = %s", member_id)
    for hash_ in hashes:
        await execute(connection, "insert into recovery_codes (member, hash) values (%s, %s)", member_id, hash_)


async def use_recovery_code(connection: Connection, member_id: str, hash_: bytes, now_ns: int) -> bool:
    """Use a recovery code up, once; False for one that does not work (any more)."""
    return bool(
        await execute(
            connection,
            "update recovery_codes set used_ns = %s where member = %s and hash = %s and used_ns is null",
            now_ns,
            member_id,
            hash_,
        )
    )


async def count_recovery_codes(connection: Connection, member_id: str) -> int:
    """How many recovery codes still work."""
    row = await fetch_one(
        connection, "select count(*) as left from recovery_codes where member = %s and used_ns is null", member_id
    )
    return int(row["left"]) if row else 0
