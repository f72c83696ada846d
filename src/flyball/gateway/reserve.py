"""Before anybody is asked: every budget and limit that a call falls under promises it what it may need, all together or not at all.

Knows which quotas those are; knows not how a promise is kept (`Till`), and waits at most as long as the till does.
"""

from collections.abc import Sequence

from flyball.functions.billing import model_asked
from flyball.ledger.cover import Cover
from flyball.ledger.errors import LedgerFullError as NoRoomError
from flyball.ledger.errors import QuotaAwayError, QuotaReachedError
from flyball.llm.dialect import Asked

from .choose import FunctionRoute, ModelRoute, Route
from .expecting import Expectations
from .quota_errors import LedgerFullError, QuotaExceededError, QuotaUnknownError
from .record import Entry
from .snapshot import KnownProject
from .till import Till

_MOST_KNOWN = 10_000  # pairs of a key and a name, of one project


async def reserve(till: Till, project: KnownProject, notes: Entry, asked: Asked, expectations: Expectations) -> None:
    """Have a call admitted; the notes hold what it was promised, which their settlement gives back.

    Raises:
        QuotaExceededError: a budget or limit has not enough left.
        QuotaUnknownError: how much is left cannot be learned, and a quota stops calls then.
        LedgerFullError: what calls cost cannot be kept any more.
    """
    notes.organisation = project.organisation
    assert notes.route is not None  # noqa: S101 -- chosen before
    if project.quotas and (cover := cover_of(project, notes.route, notes, notes.tags)).quotas:
        notes.cover = cover
        notes.promised = expectations.of(notes.caller.project, notes.route, asked).amounts(cover)
    cover, promised = notes.cover, notes.promised
    try:
        notes.reservation = till.at_once(cover, promised) or await till.admit(cover.demands(promised))
    except QuotaReachedError as error:
        raise QuotaExceededError(error, asked.dialect) from None
    except QuotaAwayError as error:
        raise QuotaUnknownError(error.quota) from None
    except NoRoomError:
        raise LedgerFullError from None


def cover_of(project: KnownProject, route: Route, notes: Entry, tags: Sequence[str]) -> Cover:
    """The quotas that can stop a call, each once. Calls without tags of the same key to the same name have the same ones."""
    if tags:
        return _looked_up(project, route, notes, tags)
    caller = notes.caller
    name, variant = (
        (route.model.name, "") if isinstance(route, ModelRoute) else (route.function.name, route.variant.hash)
    )
    who_asks_whom = (caller.id, caller.member, name, variant)
    if (known := project.covers.get(who_asks_whom)) is None:
        if len(project.covers) >= _MOST_KNOWN:
            project.covers.clear()
        known = project.covers[who_asks_whom] = _looked_up(project, route, notes, ())
    return known


def _looked_up(project: KnownProject, route: Route, notes: Entry, tags: Sequence[str]) -> Cover:
    caller = notes.caller
    places = [("organisation", ""), ("project", ""), ("key", caller.counted_as)]
    if caller.member:
        places.append(("member", caller.member))
    if isinstance(route, FunctionRoute):
        places.append(("function", route.function.name))
        if model := model_asked(route.variant):
            places.append(("model", model))
    else:
        places.append(("model", route.model.name))
    places.extend(("tag", tag) for tag in dict.fromkeys(tags))
    return Cover.of(quota for place in places if place in project.quotas for quota in project.quotas[place])
