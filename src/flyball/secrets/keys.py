"""The project's data key in use, made with its first secret; and with the first of all, where none was given, a master key."""

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.secrets import master
from flyball.infra.secrets.envelope import Cipher, DataKey
from flyball.infra.secrets.errors import MasterKeyError
from flyball.infra.secrets.files import master_file
from flyball.infra.secrets.safe import Wrap
from flyball.kit.ids import new_id

from . import store


async def data_key_in_use(connection: Connection, ctx: Context, purpose: str = "secrets") -> tuple[DataKey, Wrap]:
    """The data key under which the project's values are sealed now. Raises MasterKeyError, SealBrokenError.

    A room that seals values of its own says for what purpose: those keys outlive an exchange of the project's data key, and are
    wrapped anew with the master key as all are.
    """
    wrap = await store.newest_wrap(connection, ctx.project, purpose)
    if wrap is not None:
        return await ctx.keyring.safe.data_key(wrap), wrap
    return await new_data_key(connection, ctx, purpose)


async def data_key(connection: Connection, ctx: Context, id_: str) -> DataKey | None:
    """The data key of that id, to open what it sealed. Raises MasterKeyError, SealBrokenError."""
    wrap = await store.get_wrap(connection, ctx.project, id_)
    return await ctx.keyring.safe.data_key(wrap) if wrap else None


async def new_data_key(connection: Connection, ctx: Context, purpose: str = "secrets") -> tuple[DataKey, Wrap]:
    """Make a data key for the project. Raises MasterKeyError."""
    await store.lock_master(connection, exchanging=False)
    current = await _current_master(connection, ctx)
    now_ns = ctx.clock.now_ns()
    key = DataKey.new(new_id("dky", now_ns))
    wrap = Wrap(key.id, ctx.project, current.id, key.wrap(ctx.project, current))
    await store.insert_wrap(connection, wrap, now_ns, ctx.actor.id, purpose)
    return key, wrap


async def _current_master(connection: Connection, ctx: Context) -> Cipher:
    masters = await ctx.keyring.safe.masters()
    if not masters.keys:
        if needed := await store.wraps_by_master(connection):
            raise MasterKeyError(
                f"the secrets are encrypted under the master key {', '.join(sorted(needed))}, and this process has none",
                next_step="set FLYBALL_MASTER_KEY, FLYBALL_MASTER_KEY_FILE or FLYBALL_MASTER_KEY_COMMAND, or restore "
                f"{master_file(ctx.layout)}",
            )
        master.make_own(ctx.layout)
        masters = await ctx.keyring.safe.masters(anew=True)
    return masters.current
