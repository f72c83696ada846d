"""All SQL of receivers and of notifications on their way. No clock, no ids, no authorisation.

A receiver is a project's, or its organisation's: each query that is asked for somebody names both.
"""

from collections.abc import Iterable, Sequence

import msgspec

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .addresses import kind_of, shown
from .records import Claimed, Message, Receiver, ShownNotification, ShownReceiver

AT_ONCE = 4  # notifications of one receiver in one portion, so that a slow one holds up no other
_NAMES = Receiver.__struct_fields__
_FIELDS = ", ".join(f"r.{name}" for name in _NAMES)
_INSERT = (
    "insert into receivers ("
    + ", ".join(_NAMES)
    + ") values ("
    + ", ".join(["%s"] * len(_NAMES))
    + ") on conflict do nothing"
)
_MINE = "(r.project = %s or r.project is null and r.organisation = %s)"
_LISTED = f"""
    select {_FIELDS}, count(n.id) filter (where n.state = 'delivered') as delivered,
        count(n.id) filter (where n.state = 'waiting') as waiting, count(n.id) filter (where n.state = 'given_up') as given_up,
        coalesce((array_agg(n.error order by n.created_ns desc) filter (where n.state <> 'delivered'))[1], '') as error
    from receivers r left join notifications n on n.receiver = r.id where {_MINE} and r.removed_ns is null and r.id = coalesce(%s, r.id)
    group by {_FIELDS} order by r.created_ns, r.id
"""
_ONE = f"select {_FIELDS} from receivers r where r.id = %s and {_MINE} and r.removed_ns is null for update"
_TOLD = f"select {_FIELDS} from receivers r where r.removed_ns is null and r.organisation = %s and r.project is not distinct from %s order by r.id"
_TELL = """
    insert into notifications (id, organisation, project, receiver, about, message, state, created_ns, next_ns)
    values (%s, %s, %s, %s, %s, %s, 'waiting', %s, %s) on conflict (receiver, about) do nothing
"""
# A row that another process claims meanwhile is looked at again when that has committed, and is due no more.
_CLAIM = f"""
    update notifications n set tries = n.tries + 1, next_ns = %s from receivers r
    where r.id = n.receiver and n.state = 'waiting' and n.next_ns <= %s and n.id in (
        select due.id from (
            select w.id, w.next_ns, row_number() over (partition by w.receiver order by w.next_ns, w.id) as place
            from notifications w where w.state = 'waiting' and w.next_ns <= %s
        ) due where due.place <= {AT_ONCE} order by due.next_ns, due.id limit %s
    ) returning {_FIELDS}, n.message, n.tries
"""
_SHOWN = f"""
    select n.id, n.receiver, r.address, n.message->>'subject' as subject, n.state, n.created_ns, n.tries,
        case when n.state = 'waiting' then n.next_ns end as next_ns, n.ended_ns, n.error, n.about
    from notifications n join receivers r on r.id = n.receiver where {_MINE}
"""
_PAGE = f"{_SHOWN} and (n.created_ns, n.id) < (%s, %s) order by n.created_ns desc, n.id desc limit %s"
_ABOUT = f"{_SHOWN} and n.about = any(%s) order by n.created_ns, n.id"


async def insert(connection: Connection, receiver: Receiver) -> bool:
    """Write a receiver. False: the address is told already."""
    return bool(await execute(connection, _INSERT, *[getattr(receiver, name) for name in _NAMES]))


async def listed(
    connection: Connection, project: str, organisation: str, receiver_id: str | None = None
) -> list[ShownReceiver]:
    """The receivers of a project and of its organisation, or the one with this id; and what became of what they were told."""
    rows = await fetch_all(connection, _LISTED, project, organisation, receiver_id)
    return [_shown_receiver(row) for row in rows]


async def one(connection: Connection, receiver_id: str, *, project: str, organisation: str) -> Receiver | None:
    """The receiver with this id, locked."""
    row = await fetch_one(
        connection,
        _ONE,
        receiver_id,
        project,
        organisation,
    )
    return Receiver(**row) if row else None


async def told(connection: Connection, organisation: str, project: str | None) -> list[Receiver]:
    """Whom to tell of what belongs to a project, or (None) to the organisation."""
    return [Receiver(**row) for row in await fetch_all(connection, _TOLD, organisation, project)]


async def remove(connection: Connection, receiver: Receiver, now_ns: int) -> None:
    """A receiver is told no more, of what waits neither."""
    await execute(connection, "update receivers set removed_ns = %s where id = %s", now_ns, receiver.id)
    await execute(
        connection,
        "update notifications set state = 'given_up', ended_ns = %s, error = 'its receiver was removed' where receiver = %s and state = 'waiting'",
        now_ns,
        receiver.id,
    )


async def enqueue(connection: Connection, receiver: Receiver, about: str, message: Message) -> bool:
    """Write a message to be sent at once. False: the receiver was told of that before."""
    done = await execute(
        connection,
        _TELL,
        *(message.id, receiver.organisation, receiver.project, receiver.id, about),
        msgspec.json.encode(message).decode(),
        *(message.at_ns, message.at_ns),
    )
    return bool(done)


async def waits(connection: Connection, receiver_id: str, about: str) -> bool:
    """Whether something that begins so is on its way to a receiver."""
    row = await fetch_one(
        connection,
        "select 1 from notifications where receiver = %s and state = 'waiting' and starts_with(about, %s) limit 1",
        receiver_id,
        about,
    )
    return row is not None


async def claim(connection: Connection, *, now_ns: int, lost_ns: int, most: int) -> list[Claimed]:
    """What is due, the oldest first and at most `AT_ONCE` of a receiver. It is due again at `lost_ns` unless it ended before."""
    rows = await fetch_all(connection, _CLAIM, lost_ns, now_ns, now_ns, most)
    return [
        Claimed(message=msgspec.convert(row.pop("message"), Message), tries=row.pop("tries"), receiver=Receiver(**row))
        for row in rows
    ]


async def delivered(connection: Connection, id_: str, now_ns: int) -> None:
    """It has arrived."""
    await execute(
        connection,
        "update notifications set state = 'delivered', ended_ns = %s, error = '' where id = %s and state = 'waiting'",
        now_ns,
        id_,
    )


async def failed(connection: Connection, id_: str, *, error: str, next_ns: int | None, now_ns: int) -> None:
    """It has not arrived: it is tried again at `next_ns`; None: no more."""
    await execute(
        connection,
        """
        update notifications set error = %s, next_ns = coalesce(%s::bigint, next_ns),
            state = case when %s::bigint is null then 'given_up' else state end,
            ended_ns = case when %s::bigint is null then %s::bigint end
        where id = %s and state = 'waiting'
        """,
        *(error, next_ns, next_ns, next_ns, now_ns, id_),
    )


async def page(
    connection: Connection, project: str, organisation: str, *, before: tuple[int, str], most: int
) -> list[ShownNotification]:
    """What was told, newest first."""
    rows = await fetch_all(connection, _PAGE, project, organisation, *before, most)
    return [shown_notification(row) for row in rows]


async def about(
    connection: Connection, project: str, organisation: str, subjects: Sequence[str]
) -> Iterable[tuple[str, ShownNotification]]:
    """What was told of these, each with what it is about."""
    rows = await fetch_all(connection, _ABOUT, project, organisation, list(subjects))
    return [(row["about"], shown_notification(row)) for row in rows]


async def forget(connection: Connection, before_ns: int) -> int:
    """Give up what ended before; how many. What it was about stays known where that is kept."""
    return await execute(
        connection,
        "delete from notifications where state <> 'waiting' and coalesce(ended_ns, created_ns) < %s",
        before_ns,
    )


def _shown_receiver(row: Row) -> ShownReceiver:
    address, project = row["address"], row["project"]
    kept = {name: row[name] for name in ("id", "secret", "created_ns", "delivered", "waiting", "given_up", "error")}
    return ShownReceiver(kind=kind_of(address), address=shown(address), organisation_wide=project is None, **kept)


def shown_notification(row: Row) -> ShownNotification:
    """A row of `_SHOWN`, its address masked."""
    kept = {name: value for name, value in row.items() if name not in ("about", "address")}
    return ShownNotification(address=shown(row["address"]), **kept)
