"""Who calls: a key and a signed-in member of each role, a member who owes a second factor, strangers. Each with what they may do."""

import hashlib
import hmac
from dataclasses import dataclass, field, replace

import msgspec

from flyball.identity import sessions
from flyball.identity.records import Whence
from flyball.infra.context import permits
from flyball.projects import keys, members, own_roles, store, tenants
from flyball.projects.roles import ROLES
from flyball.surface.http import AUTHENTICATED, PUBLIC
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient
from flyball.web.application import build_application

OWN_ROLE = ("datasets.*", "audit.read")
BY_ROLE = {**ROLES, "clerk": frozenset(OWN_ROLE)}
FOR_MEMBERS = {role: given for role, given in BY_ROLE.items() if role != "application"}  # which is for keys alone
ORIGIN = "http://127.0.0.1:4000"
KEYS = tuple(f"key of {role}" for role in BY_ROLE)
MEMBERS = tuple(f"member as {role}" for role in FOR_MEMBERS)
OWNS_ELSEWHERE, OWES_A_FACTOR = "viewer who owns elsewhere", "owner who owes a second factor"
NAMES = (*KEYS, *MEMBERS, OWNS_ELSEWHERE, OWES_A_FACTOR)


@dataclass
class Caller:
    """A client, and the permissions that it has. `anew` signs in again, where a request may have ended the session."""

    client: AsgiClient
    permissions: frozenset[str]
    credential: dict[str, str] = field(default_factory=dict)

    def may(self, route) -> bool:
        """What the table of routes and that of roles say."""
        return route.permission in (PUBLIC, AUTHENTICATED) or permits(self.permissions, route.permission)

    async def send(self, method, path, **more):
        """With the credential alone: no cookie that an answer left is kept."""
        self.client.cookies.clear()
        more["headers"] = {"accept": "application/json"} | self.credential | more.get("headers", {})
        return await self.client.send(method, path, **more)

    async def anew(self):
        """The same caller after a request that may have ended its session."""


class Member(Caller):
    """Somebody in a browser: a cookie, an origin, and the token of our own forms."""

    def signed_in(self, ctx, member_id):
        self._ctx, self._member = ctx, member_id
        return self

    async def anew(self):
        async with self._ctx.db.across_projects().transaction() as connection:
            member = await store.get_member_by_id(connection, self._ctx.project, self._member)
            token = (await sessions.mint(connection, self._ctx, member, "password", Whence())).token.reveal()
        form = hmac.new(token.encode(), b"flyball form token", hashlib.sha256).hexdigest()
        self.credential = {"cookie": f"flyball_session={token}", "x-flyball-csrf": form, "origin": ORIGIN}


async def caller(name, ctx, application) -> Caller:
    """One of NAMES, in the context's project."""
    if "clerk" in name:
        await own_roles.set_role(ctx, "clerk", OWN_ROLE)
    role = name.rpartition(" ")[2]
    if name in KEYS:
        _, secret = await keys.create_key(ctx, name, role)
        client = AsgiClient(Shield(application, door="public", settings=ctx.settings))
        return Caller(client, BY_ROLE[role], {"authorization": f"Bearer {secret.reveal()}"})
    if name == OWES_A_FACTOR:
        ctx = replace(ctx, settings=msgspec.structs.replace(ctx.settings, require_totp="everybody"))
        application, role = build_application(ctx), "owner"
    elif name == OWNS_ELSEWHERE:
        role = "viewer"
    made = await members.add_member(ctx, name.replace(" ", "-"), role)
    if name == OWNS_ELSEWHERE:
        await _owning_elsewhere(ctx, made)
    client = AsgiClient(Shield(application, door="public", settings=ctx.settings))
    found = Member(client, frozenset() if name == OWES_A_FACTOR else BY_ROLE[role]).signed_in(ctx, made.id)
    await found.anew()
    return found


async def _owning_elsewhere(ctx, member):
    second = await tenants.create_project(ctx, "elsewhere")
    await members.add_member(ctx.within(second.id, ctx.actor), member.name, "owner")


def refused_for_lack_of_rights(answered) -> bool:
    # OTLP's errors have no room for a code of ours, and say it in words.
    return answered.status == 403 and ("permission_missing" in answered.text or "lacks the permission" in answered.text)
