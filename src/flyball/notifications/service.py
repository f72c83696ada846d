"""The verbs of receivers: add, list, remove, test; and what they were told. Sending is `delivering`'s.

Whoever may set a project's budgets decides whom it tells; whom the whole organisation tells, its owners do.
"""

from collections.abc import Iterable

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.egress.client import Egress
from flyball.infra.secrets.hosts import host_of
from flyball.infra.secrets.references import Missing, parse
from flyball.kit.ids import new_id
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.kit.secrets import Secret
from flyball.projects import store as tenants
from flyball.projects.errors import ProjectNotFoundError
from flyball.projects.tenants import organisation_to_change
from flyball.secrets import service as secrets

from . import store
from .addresses import kind_of, prove, shown
from .errors import (
    ReceiverInvalidError,
    ReceiverNotFoundError,
    ReceiverTakenError,
    TooManyReceiversError,
    TrialWaitingError,
)
from .mail import is_set_up
from .records import Notice, Receiver, ShownNotification, ShownReceiver
from .telling import tell_one

MOST_RECEIVERS = 20  # of a project, and of an organisation as a whole
_SHORTEST_SECRET = 16  # bytes
_TEST = "test:"


async def add_receiver(
    ctx: Context, address: str, *, secret: str = "", organisation_wide: bool = False
) -> ShownReceiver:
    """Have an address told from now on: of thresholds of the project's budgets and limits, or of the organisation's.

    Raises:
        ReceiverInvalidError: nothing is sent to such an address, or the secret signs nothing.
        AddressDeniedError, OutsideAwayError: a webhook that may not be called, or that nobody knows.
        ReceiverTakenError, TooManyReceiversError: it is told already, or there are as many as may be.
        ExceedsOwnRightsError: it is to be the organisation's, and the actor is none of its owners.
    """
    kind = kind_of(address)
    if kind == "webhook":
        await prove(Egress.of(ctx.settings), address)
    async with ctx.db.across_projects().transaction() as connection:
        home = await _home(connection, ctx)
        if organisation_wide:
            await organisation_to_change(connection, ctx, "decide whom the whole organisation tells")
        receiver = Receiver(
            id=new_id("rcv", ctx.clock.now_ns()),
            organisation=home,
            project=None if organisation_wide else ctx.project,
            home=ctx.project,
            address=address,
            secret=secret,
            created_ns=ctx.clock.now_ns(),
        )
        if kind == "webhook":
            await signing_secret(connection, ctx, receiver)
        elif secret:
            raise ReceiverInvalidError("e-mail is not signed", next_step="leave the secret out")
        if len(await store.told(connection, home, receiver.project)) >= MOST_RECEIVERS:
            raise TooManyReceiversError(
                f"there are {MOST_RECEIVERS} receivers already",
                next_step="`flyball notifications remove ID` removes one",
            )
        if not await store.insert(connection, receiver):
            raise ReceiverTakenError(
                f"{shown(address)} is told already", next_step="`flyball notifications list` shows it"
            )
        await _record(connection, ctx, "notifications.add", receiver)
        (made,) = await store.listed(connection, ctx.project, home, receiver.id)
    return _noted(ctx, made)


async def list_receivers(ctx: Context) -> tuple[ShownReceiver, ...]:
    """Whom the project tells, and its organisation."""
    async with ctx.db.connection() as connection:
        found = await store.listed(connection, ctx.project, await _home(connection, ctx))
    return tuple(_noted(ctx, one) for one in found)


async def receivers_of(ctx: Context, organisation: str, project: str | None) -> tuple[ShownReceiver, ...]:
    """Who is told of what belongs to a project, or (None) to the organisation; each with what it should know."""
    async with ctx.db.connection() as connection:
        found = await store.listed(connection, ctx.project, organisation)
    return tuple(_noted(ctx, one) for one in found if one.organisation_wide == (project is None))


async def remove_receiver(ctx: Context, receiver_id: str) -> ShownReceiver:
    """An address is told no more, of what is on its way neither. Raises ReceiverNotFoundError, ExceedsOwnRightsError."""
    async with ctx.db.across_projects().transaction() as connection:
        receiver = await _locked(connection, ctx, receiver_id)
        (before,) = await store.listed(connection, ctx.project, receiver.organisation, receiver.id)
        await store.remove(connection, receiver, ctx.clock.now_ns())
        await _record(connection, ctx, "notifications.remove", receiver)
    return before


async def send_test(ctx: Context, receiver_id: str) -> ShownReceiver:
    """Send a receiver a message that tells of nothing. Raises ReceiverNotFoundError, ExceedsOwnRightsError, TrialWaitingError."""
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        receiver = await _locked(connection, ctx, receiver_id)
        if await store.waits(connection, receiver.id, _TEST):
            raise TrialWaitingError(
                f"a test of {shown(receiver.address)} is on its way",
                next_step="`flyball notifications log` shows what becomes of it",
            )
        notice = Notice(
            kind="test",
            about=_TEST + new_id("tst", now_ns),
            subject="A test of flyball's notifications",
            text=f"{ctx.actor.name} asked for this message. Nothing has happened.",
        )
        await tell_one(connection, receiver, notice, now_ns=now_ns)
        (after,) = await store.listed(connection, ctx.project, receiver.organisation, receiver.id)
        await _record(connection, ctx, "notifications.test", receiver)
    return _noted(ctx, after)


async def list_notifications(ctx: Context, cursor: str = "", limit: int | None = None) -> Page[ShownNotification]:
    """What was told, newest first, and what became of it."""
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else (2**62, "")
    async with ctx.db.connection() as connection:
        home = await _home(connection, ctx)
        found = await store.page(connection, ctx.project, home, before=(before[0], before[1]), most=size + 1)
    last = found[size - 1] if len(found) > size else None
    return Page(items=tuple(found[:size]), next=encode_cursor(last.created_ns, last.id) if last else None)


async def told_of(connection: Connection, ctx: Context, abouts: list[str]) -> Iterable[tuple[str, ShownNotification]]:
    """What was told of these things, each with what it is about."""
    return await store.about(connection, ctx.project, await _home(connection, ctx), abouts) if abouts else ()


async def signing_secret(connection: Connection, ctx: Context, receiver: Receiver) -> Secret:
    """What a webhook's messages are signed with: a secret of the project that may be sent to the webhook's host.

    Raises ReceiverInvalidError, saying what is missing.
    """
    reference = parse(receiver.secret)
    host = host_of(receiver.address)
    how = f"`openssl rand -hex 32 | flyball secrets set webhook --host {host}`, then `--secret secret:webhook`"
    if reference is None or reference.kind != "secret":
        raise ReceiverInvalidError("a webhook needs a secret of the project, which signs what is sent", next_step=how)
    found = (await secrets.look_up(connection, ctx, [receiver.secret]))(receiver.secret)
    if isinstance(found, Missing):
        raise ReceiverInvalidError(f"{receiver.secret} stands for nothing: {found.reason}", next_step=how)
    if host not in (found.hosts or ()):
        raise ReceiverInvalidError(f"{receiver.secret} may not be used for {host}", next_step=how)
    if len(found.secret.reveal().encode()) < _SHORTEST_SECRET:
        raise ReceiverInvalidError(f"{receiver.secret} is shorter than {_SHORTEST_SECRET} bytes", next_step=how)
    return found.secret


def _noted(ctx: Context, receiver: ShownReceiver) -> ShownReceiver:
    if receiver.kind != "e-mail" or is_set_up(ctx.settings):
        return receiver
    note = "this server sends no e-mail: whoever runs it sets FLYBALL_SMTP_SERVER and FLYBALL_SMTP_FROM"
    return msgspec.structs.replace(receiver, notes=(note,))


async def _locked(connection: Connection, ctx: Context, receiver_id: str) -> Receiver:
    home = await _home(connection, ctx)
    found = await store.one(connection, receiver_id, project=ctx.project, organisation=home)
    if found is None:
        raise ReceiverNotFoundError(
            f"nobody who is told has the id {receiver_id!r:.100}", next_step="`flyball notifications list` shows them"
        )
    if found.project is None:
        await organisation_to_change(connection, ctx, "decide whom the whole organisation tells")
    return found


async def _home(connection: Connection, ctx: Context) -> str:
    project = await tenants.get_project(connection, ctx.project)
    if project is None:
        raise ProjectNotFoundError("this project is not in use any more", next_step="`flyball projects list`")
    return project.organisation


async def _record(connection: Connection, ctx: Context, action: str, receiver: Receiver) -> None:
    """The address goes into the event's commitment alone: the record shows of a webhook no more than its host."""
    await audit.record(
        connection,
        ctx,
        action=action,
        object_kind="receiver",
        object_id=receiver.id,
        object_name=shown(receiver.address),
        after=receiver,
    )
