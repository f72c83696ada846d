"""The story of one call. Each verb has its own file; this one says only in which order they come."""

import asyncio

from flyball.kit.errors import FlyballError
from flyball.llm.calling import Verb
from flyball.llm.patience import Patience

from .answer import answer
from .call import call
from .choose import choose
from .errand import Errand
from .exchange import Exchange
from .house import House
from .identify import identify
from .quota_errors import told_headers
from .read import read
from .record import Entry
from .reserve import reserve
from .routes import Route
from .snapshot import Snapshot
from .speech import Speech


async def handle(exchange: Exchange, house: House, route: Route) -> None:
    """One request to a model or a function, from its first byte to its record."""
    speech = Speech(exchange, route.dialect, as_array=route.as_array)
    try:
        snapshot = house.snapshots.in_force()
        caller = identify(exchange, house, snapshot, dialect=route.dialect.name)
    except FlyballError as error:
        await speech.refuse(error)
        return
    entry = Entry(exchange.headers, caller, house)
    entry.epoch = snapshot.epoch
    speech.headers = ((b"x-flyball-trace-id", entry.trace_id.encode()),)
    try:
        await _answered(speech, house, snapshot, entry, route)
    except FlyballError as error:
        entry.fail(error.code, error.message)
        entry.settle()
        await speech.refuse(error)
    finally:
        # Whatever came, a cancellation included: recorded, once.
        if not exchange.finished:
            entry.fail("interrupted", "the call was interrupted before its answer was complete")
        entry.settle()


async def _answered(speech: Speech, house: House, snapshot: Snapshot, entry: Entry, route: Route) -> None:
    exchange = speech.exchange
    with house.gate.loan() as loan:
        asked = entry.asked = await read(exchange, house.limits, loan, route)
        with house.gate.admit():
            chosen = entry.route = choose(snapshot, entry.caller, asked, entry.trace_id)
            verb: Verb = "count_tokens" if route.verb == "count_tokens" else "generate"
            if verb == "generate":
                project = snapshot.projects[entry.caller.project]
                await reserve(house.till, project, entry, asked, house.expectations)
                if entry.cover.limits and (told := house.standings.after(entry.cover, entry.promised)):
                    headers = told_headers(told, route.dialect.name)
                    entry.tells_limits = bool(headers)
                    speech.headers += headers
            patience = Patience(house.clock, seconds=house.deadline_seconds)
            streamed = asked.stream and verb == "generate"
            early = house.early_keep_alive_seconds if streamed else 0
            try:
                async with (
                    exchange.while_client_listens(left=entry.leave, linger=house.linger),
                    speech.kept_alive(early=early, every=house.keep_alive_seconds if streamed else 0),
                    asyncio.timeout(patience.seconds_left),
                    call(chosen, Errand(verb, asked, entry, house, patience)) as reply,
                ):
                    await answer(speech, reply, entry)
            except TimeoutError:
                raise patience.expired() from None
