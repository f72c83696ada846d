"""The HTTP face of sessions, sign-in links and one's own second factor: parse, one verb, answer."""

import msgspec
from starlette.requests import Request

from flyball.kit.secrets import Secret, hiding
from flyball.surface.http import AUTHENTICATED, PUBLIC, Body, ContextDep, Router
from flyball.surface.http.cookies import clear_session_cookie

from . import second_factor, sessions, sign_in
from .browser import held, keep_session, whence
from .errors import SecondFactorNeededError
from .records import Session, Step
from .second_factor import FactorState

router = Router("/api", tag="identity")


class NewSignInLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom a one-time link is made."""

    member: str = sign_in.ADMINISTRATOR


@hiding("path")
class CreatedSignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time link: append `path` to the address of the pages."""

    path: str
    member: str
    has_password: bool
    expires_ns: int


@hiding("password", "code")
class NewSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign-in by name and password, and the code of a second factor where the member has one."""

    name: str
    password: str
    code: str = ""


class ChosenProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The project in which one's session is to act, by its name or id."""

    project: str


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """Live sessions."""

    items: tuple[Session, ...]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions ended."""

    sessions: int


@router.post("/sign-in-links", permission="members.write", returns=CreatedSignInLink, status=201)
async def create_sign_in_link(ctx: ContextDep, new: NewSignInLink = Body(NewSignInLink)) -> CreatedSignInLink:
    """Make a link by which a member signs in, once, within the hour. Owners of the organisation may, and the server's operator."""
    token, member, expires_ns = await sign_in.create_sign_in_link(ctx, new.member)
    return CreatedSignInLink(
        path=f"/sign-in/{token.reveal()}", member=member.name, has_password=member.has_password, expires_ns=expires_ns
    )


@router.get("/sessions", permission="sessions.read", returns=Sessions)
async def list_sessions(ctx: ContextDep) -> Sessions:
    """The project's live sessions, newest first."""
    return Sessions(items=await sessions.list_sessions(ctx))


@router.get("/sessions/own", permission=AUTHENTICATED, returns=Sessions)
async def list_own_sessions(ctx: ContextDep) -> Sessions:
    """One's own live sessions in all projects, last used first."""
    return Sessions(items=await sessions.list_own(ctx))


@router.post("/sessions", permission=PUBLIC, returns=Session, status=201)
async def create_session(request: Request, ctx: ContextDep, new: NewSession = Body(NewSession)) -> Session:
    """Sign in; the session comes as a cookie. Without the code that a second factor asks for the answer is 401 `second_factor_needed`."""
    found = await sign_in.sign_in(ctx, new.name, Secret(new.password), whence(request))
    if isinstance(found, Step):
        if not new.code:
            raise SecondFactorNeededError("a code of the second factor is needed", next_step="send it as `code`")
        found = await second_factor.finish_sign_in(ctx, found.token, new.code, whence(request))
    keep_session(request, ctx, found)
    return found.session


@router.put("/sessions/current/project", permission=AUTHENTICATED, returns=Session)
async def switch_project(request: Request, ctx: ContextDep, chosen: ChosenProject = Body(ChosenProject)) -> Session:
    """Act in another of one's projects from now on; the session comes as a new cookie."""
    found = await sessions.switch_project(ctx, held(request), chosen.project)
    keep_session(request, ctx, found)
    return found.session


@router.delete("/sessions/current", permission=AUTHENTICATED, returns=None, status=204)
async def end_current_session(request: Request, ctx: ContextDep) -> None:
    """Sign out."""
    await sessions.sign_out(ctx, held(request))
    clear_session_cookie(request)


@router.delete("/sessions/own", permission=AUTHENTICATED, returns=Ended)
async def end_own_sessions(request: Request, ctx: ContextDep) -> Ended:
    """Sign out everywhere: every session and unused link of one's own ends."""
    ended = await sessions.sign_out_everywhere(ctx)
    clear_session_cookie(request)
    return Ended(sessions=ended)


@router.delete("/sessions/own/{session_id}", permission=AUTHENTICATED, returns=None, status=204)
async def end_own_session(ctx: ContextDep, session_id: str) -> None:
    """End one of one's own sessions; it counts from its next request on."""
    await sessions.revoke_own(ctx, session_id)


@router.delete("/sessions/{session_id}", permission="sessions.write", returns=None, status=204)
async def revoke_session(ctx: ContextDep, session_id: str) -> None:
    """End somebody's session; it counts from their next request on. Nobody's who may do more than oneself."""
    await sessions.revoke(ctx, session_id)


@router.get("/second-factor", permission=AUTHENTICATED, returns=FactorState)
async def show_second_factor(request: Request, ctx: ContextDep) -> FactorState:
    """Whether one's own second factor is on. It is set up on the page `/account`."""
    return await second_factor.state(ctx, held(request))
