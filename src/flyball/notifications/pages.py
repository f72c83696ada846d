"""Who is told, and what became of it, as a page: a list, a form that adds, buttons that test and remove, the newest messages."""

import msgspec

from flyball.infra.egress.errors import AddressDeniedError, AddressUnfitError, OutsideError
from flyball.kit.paging import Page
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import service
from .errors import ReceiverInvalidError, ReceiverTakenError, TooManyReceiversError, TrialWaitingError
from .records import ShownNotification, ShownReceiver

pages = Pages(tag="notifications", section="/notifications")
_HERE = "/notifications"


class NotificationsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows: who is told, and a page of what was told, newest first. `first`: it is the first one."""

    receivers: tuple[ShownReceiver, ...]
    log: Page[ShownNotification]
    first: bool
    may_write: bool


@pages.get("/notifications", permission="budgets.read", template="notifications/list.html")
async def list_notifications(ctx: ContextDep, cursor: str = "") -> NotificationsPage:
    """Who is told, and what became of it."""
    return NotificationsPage(
        receivers=await service.list_receivers(ctx),
        log=await service.list_notifications(ctx, cursor, 20),
        first=not cursor,
        may_write=ctx.actor.may("budgets.write"),
    )


@pages.post("/notifications", permission="budgets.write")
async def add_receiver(ctx: ContextDep, form: FormDep) -> See:
    """Have an address told; a mailbox may be written without `mailto:`, and a secret without `secret:`."""
    address, secret = form.get("address", "").strip(), form.get("secret", "").strip()
    if "@" in address and ":" not in address:
        address = f"mailto:{address}"
    if secret and ":" not in secret:
        secret = f"secret:{secret}"
    try:
        made = await service.add_receiver(
            ctx, address, secret=secret, organisation_wide=bool(form.get("organisation_wide"))
        )
    except (
        ReceiverInvalidError,
        ReceiverTakenError,
        TooManyReceiversError,
        ExceedsOwnRightsError,
        AddressDeniedError,
        AddressUnfitError,
        OutsideError,
    ) as error:
        return See(_HERE, str(error), tone="bad")
    return See(_HERE, f"{made.address} is told from now on.")


@pages.post("/notifications/{receiver_id}/tests", permission="budgets.write")
async def send_test(ctx: ContextDep, receiver_id: str) -> See:
    """Send a message that tells of nothing."""
    try:
        receiver = await service.send_test(ctx, receiver_id)
    except (TrialWaitingError, ExceedsOwnRightsError) as error:
        return See(_HERE, str(error), tone="bad")
    return See(_HERE, f"A test is on its way to {receiver.address}: what becomes of it stands below.")


@pages.post("/notifications/{receiver_id}/removal", permission="budgets.write")
async def remove_receiver(ctx: ContextDep, receiver_id: str) -> See:
    """Tell an address no more."""
    try:
        receiver = await service.remove_receiver(ctx, receiver_id)
    except ExceedsOwnRightsError as error:
        return See(_HERE, str(error), tone="bad")
    return See(_HERE, f"{receiver.address} is told no more.")
