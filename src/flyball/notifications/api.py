"""The HTTP face of notifications: parse, one verb, answer. Of a webhook's address no more than the host goes out."""

import msgspec

from flyball.kit.paging import Page
from flyball.kit.secrets import hiding
from flyball.surface.http import Body, ContextDep, Router

from . import service
from .records import ShownNotification, ShownReceiver

router = Router("/api/notifications", tag="notifications")


class ReceiverList(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the project tells, and its organisation."""

    items: tuple[ShownReceiver, ...]


@hiding("address", "secret")
class NewReceiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell: `https://hooks.example.com/flyball` with a `secret` (`secret:NAME`) that signs, or `mailto:ann@example.com`.

    `organisation_wide`: of what counts every project of the organisation, for its owners.
    """

    address: str
    secret: str = ""
    organisation_wide: bool = False


@router.get(permission="budgets.read", returns=Page[ShownNotification])
async def list_notifications(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[ShownNotification]:
    """What was told to whom, newest first, and what became of it."""
    return await service.list_notifications(ctx, cursor, limit)


@router.get("/receivers", permission="budgets.read", returns=ReceiverList)
async def list_receivers(ctx: ContextDep) -> ReceiverList:
    """Whom the project tells, and its organisation."""
    return ReceiverList(items=await service.list_receivers(ctx))


@router.post("/receivers", permission="budgets.write", returns=ShownReceiver, status=201)
async def add_receiver(ctx: ContextDep, new: NewReceiver = Body(NewReceiver)) -> ShownReceiver:
    """Have an address told from now on."""
    return await service.add_receiver(ctx, new.address, secret=new.secret, organisation_wide=new.organisation_wide)


@router.delete("/receivers/{receiver_id}", permission="budgets.write", returns=ShownReceiver)
async def remove_receiver(ctx: ContextDep, receiver_id: str) -> ShownReceiver:
    """An address is told no more."""
    return await service.remove_receiver(ctx, receiver_id)


@router.post("/receivers/{receiver_id}/tests", permission="budgets.write", returns=ShownReceiver, status=202)
async def send_test(ctx: ContextDep, receiver_id: str) -> ShownReceiver:
    """Send a receiver a message that tells of nothing."""
    return await service.send_test(ctx, receiver_id)
