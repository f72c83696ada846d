"""The story of one call. Each verb has its own file; this one says only in which order they come."""

import asyncio

from flyball.kit.errors import FlyballError
from flyball.llm.patience import Patience

from .answer import answer, refuse, trace_header
from .call import call
from .choose import choose
from .exchange import Exchange
from .house import House
from .identify import identify
from .read import read
from .record import Entry
from .snapshot import Snapshot


async def handle(exchange: Exchange, house: House) -> None:
    """One chat request, from its first byte to its record."""
    try:
        snapshot = house.snapshots.in_force()
        caller = identify(exchange.headers, snapshot)
    except FlyballError as error:
        await refuse(exchange, error)
        return
    entry = Entry(exchange.headers, caller, clock=house.clock, recorder=house.recorder)
    entry.epoch = snapshot.epoch
    try:
        await _answered(exchange, house, snapshot, entry)
    except FlyballError as error:
        entry.fail(error.code, error.message)
        entry.settle()
        await refuse(exchange, error, trace_header(entry))
    finally:
        # Whatever came, a cancellation included: recorded, once.
        if not exchange.finished:
            entry.fail("interrupted", "the call was interrupted before its answer was complete")
        entry.settle()


async def _answered(exchange: Exchange, house: House, snapshot: Snapshot, entry: Entry) -> None:
    with house.gate.loan() as loan:
        asked = entry.asked = await read(exchange, house.limits, loan)
        with house.gate.admit():
            route = entry.route = choose(snapshot, entry.caller, asked, entry.trace_id)
            patience = Patience(house.clock, seconds=house.deadline_seconds)
            try:
                async with (
                    exchange.while_client_listens(),
                    asyncio.timeout(patience.seconds_left),
                    call(route, asked, entry, house, patience) as reply,
                ):
                    await answer(exchange, reply, entry)
            except TimeoutError:
                raise patience.expired() from None
