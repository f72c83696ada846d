"""The HTTP face of sessions and sign-in links: parse, one verb, answer."""

import msgspec
from starlette.requests import Request

from flyball.kit.secrets import Secret
from flyball.surface.http import AUTHENTICATED, PUBLIC, Body, ContextDep, Router
from flyball.surface.http.cookies import clear_session_cookie, session_token, set_session_cookie

from . import sign_in
from .records import Session

router = Router("/api", tag="identity")


class NewSignInLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom a one-time link is made."""

    member: str = sign_in.ADMINISTRATOR


class CreatedSignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link: append `path` to the address of the pages."""

    path: str
    member: str
    has_password: bool
    expires_ns: int


class NewSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign-in by name and password."""

    name: str
    password: str


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """The project's live sessions."""

    items: tuple[Session, ...]


@router.post("/sign-in-links", permission="members.write", returns=CreatedSignInLink, status=201)
async def create_sign_in_link(ctx: ContextDep, new: NewSignInLink = Body(NewSignInLink)) -> CreatedSignInLink:
    """Make a link by which a member signs in, once, within the hour."""
    token, member, expires_ns = await sign_in.create_sign_in_link(ctx, new.member)
    return CreatedSignInLink(
        path=f"/sign-in/{token.reveal()}", member=member.name, has_password=member.has_password, expires_ns=expires_ns
    )


@router.get("/sessions", permission="sessions.read", returns=Sessions)
async def list_sessions(ctx: ContextDep) -> Sessions:
    """The project's live sessions, newest first."""
    return Sessions(items=await sign_in.list_sessions(ctx))


@router.post("/sessions", permission=PUBLIC, returns=Session, status=201)
async def create_session(request: Request, ctx: ContextDep, new: NewSession = Body(NewSession)) -> Session:
    """Sign in; the session comes as a cookie."""
    token, _, session = await sign_in.sign_in(ctx, new.name, Secret(new.password))
    set_session_cookie(request, token.reveal(), seconds=ctx.settings.session_hours * 3_600)
    return session


@router.delete("/sessions/current", permission=AUTHENTICATED, returns=None, status=204)
async def end_own_session(request: Request, ctx: ContextDep) -> None:
    """Sign out."""
    await sign_in.sign_out(ctx, Secret(session_token(request)))
    clear_session_cookie(request)


@router.delete("/sessions/{session_id}", permission="sessions.write", returns=None, status=204)
async def revoke_session(ctx: ContextDep, session_id: str) -> None:
    """End somebody's session; it counts from their next request on."""
    await sign_in.revoke_session(ctx, session_id)
