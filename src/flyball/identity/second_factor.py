"""The second factor: a code that an application on the member's telephone makes from time, and recovery codes on paper.

Whoever signs in by password or link owes it where it is set up. A sign-in provider has second factors of its own.
"""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import DEFAULT_PROJECT, Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import NANOSECONDS
from flyball.kit.names import name_key
from flyball.kit.secrets import Secret, token_hash
from flyball.projects import store
from flyball.projects.errors import MemberNotFoundError
from flyball.projects.granting import refuse_limited
from flyball.projects.records import Member
from flyball.secrets.keys import data_key, data_key_in_use

from . import factor_store, session_store, totp
from .errors import FactorStateError, SignInRefusedError
from .factor_store import Factor
from .records import Session, SignedIn, Whence
from .refusals import about, record_refusal, refusals_recorded
from .sessions import actor_of, mint, needs_factor, own, rotate
from .sign_in import prove_current, refuse_where_off
from .taking_over import refuse_taking_over
from .tries import of_address, of_codes, tries_of

_PURPOSE = "second factors"
_CODES = 10
_CODE_BYTES = 10
_PATIENCE_NS = 3_600 * NANOSECONDS  # for the first code


class FactorState(msgspec.Struct, frozen=True, kw_only=True):
    """A member's second factor: whether it is on, since when, how many recovery codes are left, whether the server requires it."""

    on: bool
    since_ns: int | None
    recovery_codes: int
    required: bool


class Enrolment(NamedTuple):
    """A second factor that waits for its first code: the secret as it is typed, and as an address for a picture."""

    typed: Secret
    address: Secret


class Confirmed(NamedTuple):
    """The session that goes on, and the recovery codes, this once."""

    signed_in: SignedIn
    recovery_codes: tuple[Secret, ...]


async def state(ctx: Context, token: Secret) -> FactorState:
    """Of the member who holds this session. Raises SignInRefusedError."""
    found = await own(ctx, token)
    async with ctx.db.across_projects().connection() as connection:
        factor = await factor_store.get_factor(connection, found.member.id)
        left = await factor_store.count_recovery_codes(connection, found.member.id)
    since_ns = factor.confirmed_ns if factor else None
    return FactorState(
        on=since_ns is not None, since_ns=since_ns, recovery_codes=left, required=needs_factor(ctx, found.member)
    )


async def begin(ctx: Context, token: Secret, current: Secret | None = None) -> Enrolment:
    """Make a secret for the member who holds this session; it counts when a first code was given (`confirm`).

    Raises:
        FactorStateError: there is a second factor already.
        SignInRefusedError, TooManySignInsError: the current password is wrong; who has one must give it.
    """
    found = await own(ctx, token)
    member = found.member
    await prove_current(ctx, member, found.session, current)
    secret, now_ns = totp.new_secret(), ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        key, wrap = await data_key_in_use(connection, _root(ctx), _PURPOSE)
        factor = Factor(member.id, wrap.id, key.cipher.seal(secret, _place(member.id)), now_ns, None, 0)
        if not await factor_store.put_factor(connection, factor):
            raise FactorStateError(
                f"{member.name} has a second factor already", next_step="turn it off first, with one of its codes"
            )
        await _record(connection, ctx, member, found.session, "members.begin_factor")
    return _enrolment(secret, member)


async def pending(ctx: Context, token: Secret) -> Enrolment | None:
    """What waits for its first code; None where nothing does, or has for more than an hour."""
    member = (await own(ctx, token)).member
    async with ctx.db.across_projects().connection() as connection:
        factor = await factor_store.get_factor(connection, member.id)
        if factor is None or factor.confirmed_ns is not None or not _is_fresh(ctx, factor):
            return None
        return _enrolment(await _secret_of(connection, ctx, factor), member)


async def confirm(ctx: Context, token: Secret, code: str) -> Confirmed:
    """Turn the second factor on by its first code. Every other session of the member ends, this one gets another token.

    Raises FactorStateError where nothing waits for a code, SignInRefusedError for a wrong one, TooManySignInsError.
    """
    found = await own(ctx, token)
    member, now_ns = found.member, ctx.clock.now_ns()
    codes = tuple(_new_recovery_code() for _ in range(_CODES))
    tries, counted = tries_of(ctx.db.across_projects()), of_codes(member.id)
    tries.begin(ctx.clock.monotonic_ns(), counted)
    async with _judging(ctx, member, found.session) as connection:
        factor = await factor_store.get_factor(connection, member.id)
        if factor is None or factor.confirmed_ns is not None or not _is_fresh(ctx, factor):
            raise FactorStateError("no second factor waits for a code", next_step="begin again on the page Account")
        if await _take_code(connection, ctx, factor, code) is None:
            raise _wrong_code()
        tries.succeeded(counted)
        await factor_store.confirm(connection, member.id, now_ns)
        await factor_store.put_recovery_codes(connection, member.id, [_hash(each.reveal()) for each in codes])
        await session_store.revoke_sessions_of(connection, member.id, now_ns)
        await session_store.delete_steps_of(connection, member.id)
        await _record(connection, ctx, member, found.session, "members.confirm_factor")
        method = found.session.method if found.session.by_provider else f"{_first(found.session)} + code"
        whence = Whence(found.session.address, found.session.user_agent)
        return Confirmed(await mint(connection, ctx, member, method, whence), codes)


@asynccontextmanager
async def _judging(ctx: Context, member: Member, session: Session) -> AsyncIterator[Connection]:
    """A transaction in which a code of the member's own session is judged; that it was wrong is kept beyond it."""
    acting = ctx.within(member.project, actor_of(member, session))
    everywhere = ctx.db.across_projects()
    async with (
        refusals_recorded(acting, "code", about(member), session.address),
        everywhere.transaction() as connection,
    ):
        yield connection


async def finish_sign_in(ctx: Context, step: Secret, code: str, whence: Whence) -> SignedIn:
    """Go on from half a sign-in by a code of the second factor, or a recovery code.

    Raises SignInRefusedError for a wrong code and for a step that is over, TooManySignInsError after too many, PasswordsOffError
    where a provider signs the organisation's members in by now.
    """
    tries, here = tries_of(ctx.db.across_projects()), of_address(whence.address)
    hash_, now_ns = token_hash(step.reveal()), ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        owed = await session_store.get_step(connection, hash_, now_ns)
        member = await store.get_member_by_id(connection, owed[0], owed[1]) if owed else None
        if owed is None or member is None:
            raise SignInRefusedError("this sign-in took too long", next_step="begin again with name and password")
        await refuse_where_off(connection, member, owed[2])
        counted = of_codes(member.id)
        tries.begin(ctx.clock.monotonic_ns(), here, counted)
        kind = await _take(connection, ctx, member.id, code)
        if kind is not None:
            tries.succeeded(counted, here)
            await session_store.delete_steps(connection, hash_, now_ns)
            return await mint(connection, ctx, member, f"{owed[2]} + {kind}", whence)
    await record_refusal(ctx, "code", about(member), whence.address)
    raise _wrong_code()


async def turn_off(ctx: Context, token: Secret, code: str, current: Secret | None = None) -> SignedIn:
    """Take one's own second factor away, by the password (of who has one) and a code. The session gets another token.

    Raises FactorStateError where there is none or the server requires it, SignInRefusedError, TooManySignInsError.
    """
    found = await own(ctx, token)
    member = found.member
    if needs_factor(ctx, member):
        raise FactorStateError(
            "this server requires a second factor of you", next_step="have FLYBALL_REQUIRE_TOTP changed on the server"
        )
    await prove_current(ctx, member, found.session, current)
    async with _judging(ctx, member, found.session) as connection:
        await _prove_code(connection, ctx, member, code)
        await factor_store.delete_factor(connection, member.id)
        await _record(connection, ctx, member, found.session, "members.remove_factor")
        return await rotate(connection, found.session, member)


async def prove_for_linking(ctx: Context, token: Secret, code: str, current: Secret | None = None) -> None:
    """Let the member who holds this session link an account with a provider, which opens as much from then on.

    It takes their password, and a code where they have a second factor, as taking that away does. Raises as `turn_off`.
    """
    found = await own(ctx, token)
    await prove_current(ctx, found.member, found.session, current)
    async with _judging(ctx, found.member, found.session) as connection:
        factor = await factor_store.get_factor(connection, found.member.id)
        if factor is not None and factor.confirmed_ns is not None:
            await _prove_code(connection, ctx, found.member, code)
        await _record(connection, ctx, found.member, found.session, "members.begin_link")


async def renew_recovery_codes(ctx: Context, token: Secret, code: str) -> tuple[Secret, ...]:
    """Make new recovery codes, by a code; those from before are worth nothing any more. Raises as `turn_off`."""
    found = await own(ctx, token)
    codes = tuple(_new_recovery_code() for _ in range(_CODES))
    async with _judging(ctx, found.member, found.session) as connection:
        await _prove_code(connection, ctx, found.member, code)
        await factor_store.put_recovery_codes(connection, found.member.id, [_hash(each.reveal()) for each in codes])
        await _record(connection, ctx, found.member, found.session, "members.renew_recovery_codes")
    return codes


async def reset(ctx: Context, name: str) -> Member:
    """Take somebody else's second factor away, who lost it: every session of theirs ends.

    Raises:
        MemberNotFoundError: nobody here has this name.
        ExceedsOwnRightsError: they may do something, anywhere, that the actor may not.
        LimitedKeyError: the actor is a key with limits.
        FactorStateError: they have none.
    """
    refuse_limited(ctx, "take second factors away")
    async with ctx.db.across_projects().transaction() as connection:
        member = await store.get_member(connection, ctx.project, name_key(name))
        if member is None:
            raise MemberNotFoundError(
                f"this project has no member named {name!r:.100}", next_step="`flyball members list` shows them"
            )
        await refuse_taking_over(connection, ctx, member, f"take the second factor of {member.name} away")
        if not await factor_store.delete_factor(connection, member.id):
            raise FactorStateError(f"{member.name} has no second factor")
        await session_store.revoke_sessions_of(connection, member.id, ctx.clock.now_ns())
        await session_store.delete_steps_of(connection, member.id)
        await _record_of(connection, ctx, member, "members.remove_factor")
    return member


async def _prove_code(connection: Connection, ctx: Context, member: Member, code: str) -> None:
    tries, counted = tries_of(ctx.db.across_projects()), of_codes(member.id)
    tries.begin(ctx.clock.monotonic_ns(), counted)
    factor = await factor_store.get_factor(connection, member.id)
    if factor is None or factor.confirmed_ns is None:
        raise FactorStateError(f"{member.name} has no second factor")
    if await _take(connection, ctx, member.id, code) is None:
        raise _wrong_code()
    tries.succeeded(counted)


async def _take(connection: Connection, ctx: Context, member_id: str, code: str) -> str | None:
    """Use a code or a recovery code up; which of them it was, None where it is neither."""
    given = "".join(code.split())
    if not totp.is_code(given):
        used = await factor_store.use_recovery_code(connection, member_id, _hash(given), ctx.clock.now_ns())
        return "recovery code" if used else None
    factor = await factor_store.get_factor(connection, member_id)
    if factor is None or factor.confirmed_ns is None:
        return None
    return "code" if await _take_code(connection, ctx, factor, given) else None


async def _take_code(connection: Connection, ctx: Context, factor: Factor, code: str) -> bool | None:
    """True for a code that fits and was not used, None for any other."""
    secret = await _secret_of(connection, ctx, factor)
    step = totp.matching_step(secret, "".join(code.split()), ctx.clock.now_ns())
    return (step is not None and await factor_store.take_step(connection, factor.member, step)) or None


async def _secret_of(connection: Connection, ctx: Context, factor: Factor) -> bytes:
    key = await data_key(connection, _root(ctx), factor.data_key)
    if key is None:
        raise FactorStateError("the key of this second factor is gone", next_step="use a recovery code")
    return key.cipher.open(factor.sealed, _place(factor.member))


async def _record(connection: Connection, ctx: Context, member: Member, session: Session, action: str) -> None:
    await _record_of(connection, ctx.within(member.project, actor_of(member, session)), member, action)


async def _record_of(connection: Connection, ctx: Context, member: Member, action: str) -> None:
    await audit.record(
        connection, ctx, action=action, object_kind="member", object_id=member.id, object_name=member.name
    )


def _root(ctx: Context) -> Context:
    """A member is of no project alone: what is sealed for members lies with the first one, which always stays."""
    return ctx.within(DEFAULT_PROJECT, ctx.actor)


def _place(member_id: str) -> tuple[str, str]:
    return ("second factor", member_id)


def _first(session: Session) -> str:
    return session.method.partition(" + ")[0]


def _is_fresh(ctx: Context, factor: Factor) -> bool:
    return abs(ctx.clock.now_ns() - factor.created_ns) < _PATIENCE_NS


def _enrolment(secret: bytes, member: Member) -> Enrolment:
    return Enrolment(Secret(totp.written(secret)), Secret(totp.address(secret, member.name)))


def _new_recovery_code() -> Secret:
    """80 random bits as four groups of letters and digits."""
    text = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower()
    return Secret("-".join(text[at : at + 4] for at in range(0, len(text), 4)))


def _hash(code: str) -> bytes:
    return token_hash(code.replace("-", "").lower())


def _wrong_code() -> SignInRefusedError:
    return SignInRefusedError(
        "the code is wrong, or was used already",
        next_step="wait for the next code; or give one of the recovery codes",
    )
