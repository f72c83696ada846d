"""The verb of whoever has something to tell: a notice becomes one notification for each receiver, in the caller's transaction."""

from flyball.infra.db.database import Connection
from flyball.kit.ids import new_id

from . import store
from .records import Message, Notice, Receiver


async def tell(
    connection: Connection, notice: Notice, *, organisation: str, project: str | None, now_ns: int
) -> tuple[str, ...]:
    """Tell every receiver of a project, or (None) of the organisation; whom, by id. Who knows of it already is not told again.

    It is true exactly if the transaction is, and is sent after it by whichever control process comes first.
    """
    receivers = await store.told(connection, organisation, project)
    return tuple([one.id for one in receivers if await tell_one(connection, one, notice, now_ns=now_ns)])


async def tell_one(connection: Connection, receiver: Receiver, notice: Notice, *, now_ns: int) -> bool:
    """Tell one receiver; False: it knows."""
    message = Message(
        id=new_id("ntf", now_ns),
        kind=notice.kind,
        at_ns=now_ns,
        organisation=receiver.organisation,
        project=receiver.project,
        subject=notice.subject,
        text=notice.text,
        data=notice.data,
    )
    return await store.enqueue(connection, receiver, notice.about, message)
