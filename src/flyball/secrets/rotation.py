"""Exchanging keys: a project's data key, or the master key under all data keys. Each in one transaction: all or nothing."""

from dataclasses import replace

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.operators import knows_server
from flyball.infra.events import SNAPSHOT, notify
from flyball.infra.secrets import master
from flyball.infra.secrets.safe import Wrap, seal

from . import store
from .errors import MasterKeyRefusedError
from .keys import new_data_key
from .records import DataKeyRotation, MasterKeyRotation, MasterKeyState


async def rotate_data_key(ctx: Context) -> DataKeyRotation:
    """Make a new data key for the project and encrypt every value anew; the old key is forgotten.

    Raises MasterKeyError or SealBrokenError, and changes nothing then.
    """
    async with ctx.db.transaction() as connection:
        await store.lock(connection, ctx.project)
        rows = await store.sealed_of_project(connection, ctx.project)
        opened = [(row, await ctx.keyring.safe.open(row)) for row in rows]
        key, wrap = await new_data_key(connection, ctx)
        for row, value in opened:
            anew = row._replace(wrap=wrap)
            await store.reseal(connection, anew._replace(sealed=seal(value, key, anew)))
        await store.delete_other_wraps(connection, ctx.project, wrap.id)
        rotation = DataKeyRotation(data_key=wrap.id, secrets=len(rows))
        await notify(connection, SNAPSHOT)
        await audit.record(
            connection,
            ctx,
            action="secrets.rotate_data_key",
            object_kind="data_key",
            object_id=wrap.id,
            after=rotation,
        )
    return rotation


async def rotate_master(ctx: Context) -> MasterKeyRotation:
    """Wrap every project's data key anew under the current master key; the earlier one is needed no more afterwards.

    The current one is the first that the source gives, the earlier one stands behind it or in FLYBALL_MASTER_KEY_OLD. The file in the
    data directory gets a new key here, and loses the earlier one when nothing is wrapped by it any more.

    Raises:
        MasterKeyRefusedError: the caller is not the owner of the data directory.
        MasterKeyError: an earlier key is missing; nothing was changed.
    """
    _refuse_others(ctx)
    masters = await ctx.keyring.safe.masters(anew=True)
    own = masters.origin == "data directory"
    if own and len(masters.keys) == 1:
        await master.add_own(ctx.layout)
        masters = await ctx.keyring.safe.masters(anew=True)
    current = masters.current
    rewrapped = 0
    async with ctx.db.across_projects().transaction() as connection:
        await store.lock_master(connection, exchanging=True)
        for wrap in await store.wraps_for_update(connection):
            if wrap.master_key == current.id:
                continue
            key = await ctx.keyring.safe.data_key(wrap)
            anew = Wrap(wrap.id, wrap.project, current.id, key.wrap(wrap.project, current))
            await store.rewrap(connection, anew)
            rewrapped += 1
            await audit.record(
                connection,
                replace(ctx, project=wrap.project),
                action="secrets.rotate_master",
                object_kind="data_key",
                object_id=wrap.id,
                before={"master_key": wrap.master_key},
                after={"master_key": current.id},
            )
        await notify(connection, SNAPSHOT)
    if own:
        await _forget_earlier(ctx, current.id)
    return MasterKeyRotation(master_key=current.id, data_keys=rewrapped)


async def _forget_earlier(ctx: Context, current: str) -> None:
    """Take the earlier keys out of the file in the data directory. Killed before it, the next exchange does it."""
    async with ctx.db.across_projects().connection() as connection, connection.transaction():
        await store.lock_master(connection, exchanging=True)
        if set(await store.wraps_by_master(connection)) <= {current}:
            await master.keep_own(ctx.layout, current)
    await ctx.keyring.safe.masters(anew=True)


async def master_key_state(ctx: Context) -> MasterKeyState:
    """Where the master key comes from, and whether it opens everything: the whole server's, so its operator's to know.

    Raises:
        MasterKeyRefusedError: the project is another organisation's.
        MasterKeyError: the key cannot be read.
    """
    async with ctx.db.across_projects().connection() as connection:
        if not await knows_server(connection, ctx.project, kind=ctx.actor.kind):
            raise MasterKeyRefusedError(
                "the master key is that of the whole server, and shown to its operator alone",
                next_step="`flyball secrets list` shows what is encrypted under it for you",
            )
    masters = await ctx.keyring.safe.masters()
    async with ctx.db.across_projects().connection() as connection:
        wraps = await store.wraps_by_master(connection)
    here = [key.id for key in masters.keys]
    current = here[0] if here else ""
    return MasterKeyState(
        origin=masters.origin,
        master_key=current,
        data_keys=sum(wraps.values()),
        earlier=sum(count for id_, count in wraps.items() if id_ in here[1:]),
        foreign=tuple(sorted(wraps.keys() - set(here))),
    )


def _refuse_others(ctx: Context) -> None:
    if ctx.actor.kind != "local":
        raise MasterKeyRefusedError(
            f"{ctx.actor.name} may not exchange the master key of the whole server",
            next_step="run `flyball secrets rotate-master` on the machine itself, as the owner of the data directory",
        )
