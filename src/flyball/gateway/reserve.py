"""Before anybody is asked: every budget and limit that a call falls under promises it what it may need, all together or not at all.

Knows which quotas those are; knows not how a promise is kept (`Till`), and waits at most as long as the till does.
"""

from collections.abc import Sequence

from flyball.functions.billing import model_asked
from flyball.ledger.errors import LedgerFullError as NoRoomError
from flyball.ledger.errors import QuotaAwayError, QuotaReachedError
from flyball.ledger.records import Demand, Quota
from flyball.llm.dialect import Asked

from .choose import FunctionRoute, Route
from .expecting import Worth
from .quota_errors import LedgerFullError, QuotaExceededError, QuotaUnknownError
from .record import Entry
from .snapshot import KnownProject
from .till import Till


async def reserve(till: Till, project: KnownProject, notes: Entry, asked: Asked, worth: Worth) -> None:
    """Have a call admitted; the notes hold what it was promised, which their settlement gives back.

    Raises:
        QuotaExceededError: a budget or limit has not enough left.
        QuotaUnknownError: how much is left cannot be learned, and a quota stops calls then.
        LedgerFullError: what calls cost cannot be kept any more.
    """
    notes.organisation = project.organisation
    assert notes.route is not None  # noqa: S101 -- chosen before
    tags = notes.tags
    counting = quotas_of(project, notes.route, notes, tags) if project.quotas else ()
    demands = notes.demands = tuple([Demand(quota, worth.of(quota)) for quota in counting])
    try:
        notes.reservation = await till.admit(demands)
    except QuotaReachedError as error:
        raise QuotaExceededError(error, asked.dialect) from None
    except QuotaAwayError as error:
        raise QuotaUnknownError(error.quota) from None
    except NoRoomError:
        raise LedgerFullError from None


def quotas_of(project: KnownProject, route: Route, notes: Entry, tags: Sequence[str]) -> list[Quota]:
    """The quotas that count a call, each once."""
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
    return [quota for place in places if place in project.quotas for quota in project.quotas[place]]
