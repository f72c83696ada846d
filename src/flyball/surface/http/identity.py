"""Who sends a request, and whether they may. Knows how credentials travel; what they prove is told by a `Prover`.

A key travels as `Authorization: Bearer KEY`, as `x-api-key: KEY`, or as the password of `Authorization: Basic`, whatever the
user's name: exporters and SDKs of others know no other way.

The control process gives the prover (rooms above this floor know keys and sessions). Authorisation happens on the
matched route, never on a path.
"""

import base64
import binascii
import getpass
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, TypeAlias
from urllib.parse import unquote

from fastapi import Depends
from starlette.requests import Request

from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.kit.errors import UnauthenticatedError
from flyball.kit.secrets import Secret

from .capping import BODY
from .cookies import session_token
from .csrf import refuse_forgery, refuse_other_origin
from .errors import PermissionMissingError

PUBLIC = "public"  # the route answers anyone
PROJECT_HEADER = "x-flyball-project"  # by which the operator, who belongs to none, says where a command acts
TELEMETRY = "/v1/"  # how the addresses begin where telemetry is sent to
AUTHENTICATED = "authenticated"  # any known caller, whatever their permissions
ANONYMOUS = Actor(id="anonymous", kind="anonymous", name="anonymous", permissions=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A caller whose credential was found valid: who they are and in which project they act."""

    actor: Actor
    project: str


class Prover(Protocol):
    """What turns credentials into a proof; None for what is unknown, expired or revoked."""

    async def __call__(
        self, ctx: Context, *, bearer: Secret | None, session: Secret | None, address: str = ""
    ) -> Proof | None:
        """Look the credential up, each time: a revocation counts from the next request on. `address` is the client's."""
        ...


class RefusalRecorder(Protocol):
    """What is told that a known caller lacked a permission."""

    async def __call__(self, ctx: Context, permission: str) -> None:
        """Tell the record, not more often than it is worth."""
        ...


class ProjectFinder(Protocol):
    """What finds the project that the operator names; raises a NotFoundError."""

    async def __call__(self, ctx: Context, name: str) -> str:
        """Its id."""
        ...


def require(ctx: Context, needed: str) -> None:
    """Raise PermissionMissingError unless the context's actor has the permission."""
    if not ctx.actor.may(needed):
        error = PermissionMissingError(
            f"{ctx.actor.name} lacks the permission {needed!r}",
            next_step="ask an owner for a role that has it (`flyball keys create NAME --role ROLE` for a key)",
        )
        error.permission = needed
        raise error


def local_user() -> Actor:
    """The operating-system user who owns the data directory, and may do everything."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Actor(id=f"local:{os.getuid()}", kind="local", name=name)


Guard: TypeAlias = Callable[[Request], Coroutine[Any, Any, Context]]


def guard(permission: str) -> Guard:
    """The dependency that every route has: proves the caller, refuses forgery, checks the permission, lets the body come."""

    async def let_in(request: Request) -> Context:
        ctx = await _prove(request)
        if permission == PUBLIC:
            return ctx
        if ctx.actor.kind == "anonymous":
            raise UnauthenticatedError(
                f"{request.method} {request.scope['path']} needs a valid key or session",
                next_step="sign in, or send `Authorization: Bearer KEY` (`flyball keys create NAME` makes a key)",
            )
        if permission != AUTHENTICATED:
            require(ctx, permission)
        if BODY in request.scope:
            request.scope[BODY].let_in()
        return ctx

    return let_in


async def _prove(request: Request) -> Context:
    base: Context = request.app.state.context
    if request.scope.get("flyball.door") == "admin":
        proof: Proof | None = Proof(actor=local_user(), project=await _named_project(request, base))
    else:
        bearer = _key(request)
        session = "" if bearer else session_token(request)
        prover = _prover(request)
        proof = None
        if bearer or session:
            proof = await prover(
                base,
                bearer=Secret(bearer) if bearer else None,
                session=Secret(session) if session else None,
                address=request.headers.get("x-forwarded-for", ""),  # the gateway's word, which no caller can say
            )
        if not bearer:
            await refuse_forgery(request, by_cookie=proof is not None)
        elif _scheme(request) == "basic":  # which a browser sends by itself, for other sites too
            refuse_other_origin(request)
    found = proof or Proof(actor=ANONYMOUS, project=DEFAULT_PROJECT)
    ctx = replace(
        base, actor=found.actor, project=found.project, request_id=request.scope.get("flyball.request_id", "")
    )
    request.scope["flyball.context"] = ctx
    return ctx


def _prover(request: Request) -> Prover:
    """Who proves callers; exporters of telemetry, who come hundreds of times a second, by one that remembers for a second."""
    state = request.app.state
    found: Prover = state.prover_of_telemetry if request.scope["path"].startswith(TELEMETRY) else state.prover
    return found


async def _named_project(request: Request, base: Context) -> str:
    name = request.headers.get(PROJECT_HEADER, "")
    if not name:
        return DEFAULT_PROJECT
    find: ProjectFinder = request.app.state.project_finder
    return await find(base, unquote(name))


def _key(request: Request) -> str:
    value = request.headers.get("authorization", "").partition(" ")[2].strip()
    match _scheme(request):
        case "bearer":
            return value
        case "basic":
            return _password(value)
        case _:
            return request.headers.get("x-api-key", "").strip()


def _scheme(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[0].lower()


def _password(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2].strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""


async def _context(request: Request) -> Context:
    ctx: Context = request.scope["flyball.context"]  # set by the route's guard, which runs first
    return ctx


ContextDep = Annotated[Context, Depends(_context)]
