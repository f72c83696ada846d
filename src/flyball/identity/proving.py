"""What the control process asks when a request arrives: whose credential is it, which project is meant? The ports of surface.http."""

from flyball.infra.context import Context
from flyball.kit.secrets import Secret
from flyball.projects import keys, tenants
from flyball.surface.http.identity import Proof

from . import sessions


async def prove(ctx: Context, *, bearer: Secret | None, session: Secret | None, address: str = "") -> Proof | None:
    """A key or a session, looked up anew each time; None for what is unknown, expired or revoked."""
    if bearer is not None:
        by_key = await keys.authenticate_key(ctx, bearer, address)
        return Proof(actor=by_key[0], project=by_key[1]) if by_key else None
    if session is not None:
        found = await sessions.authenticate(ctx, session)
        if found is None:
            return None
        actor = sessions.actor_of(found.member, found.session, restricted=found.restricted)
        return Proof(actor=actor, project=found.session.project)
    return None


async def find_project(ctx: Context, name: str) -> str:
    """The id of the project that the operator names: `project`, or `organisation/project`. Raises ProjectNotFoundError."""
    return (await tenants.find_project(ctx, name)).id
