"""The project's members and invitations as a page. Parse, one verb, render; an invitation's link is shown once."""

import msgspec
from starlette.requests import Request

from flyball.audit import service as audit
from flyball.kit.errors import FlyballError
from flyball.kit.secrets import hiding
from flyball.projects import members, own_roles
from flyball.projects.records import Member
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import invitations, second_factor, sessions, sign_in
from .browser import own_address
from .invitation_records import Invitation

pages = Pages(tag="identity", section="/members")


@hiding("link")
class MemberList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/members.html shows. `link` is the way in of an invitation or a sign-in just made, shown in this one answer."""

    members: tuple[Member, ...]
    invitations: tuple[Invitation, ...]
    roles: tuple[str, ...]
    own: str
    may_write: bool
    may_link: bool
    link: str = ""
    link_for: str = ""


@pages.get("/members", permission="members.read", template="identity/members.html")
async def list_members(ctx: ContextDep) -> MemberList:
    """Who belongs to the project, and who is invited."""
    await audit.record_read(ctx, action="members.read", object_kind="project", object_id=ctx.project)
    return await _members(ctx)


async def _members(ctx: ContextDep, link: str = "", link_for: str = "") -> MemberList:
    found = await members.list_members(ctx)
    return MemberList(
        members=found,
        invitations=await invitations.list_invitations(ctx),
        roles=tuple(role.name for role in await own_roles.list_roles(ctx) if role.name != "application"),
        own=ctx.actor.id,
        may_write=ctx.actor.may("members.write"),
        may_link=ctx.actor.kind == "local" or any(one.owner for one in found if one.id == ctx.actor.id),
        link=link,
        link_for=link_for,
    )


@pages.post("/members", permission="members.write")
async def add_member(ctx: ContextDep, form: FormDep) -> See:
    """Let a person of the organisation into the project, or somebody new."""
    try:
        member = await members.add_member(ctx, form.get("name", ""), form.get("role", ""), form.get("email", ""))
    except FlyballError as error:
        return _bad(error)
    return See("/members", f"{member.name} is a member now; a sign-in link lets them in.")


@pages.post("/invitations", permission="members.write", template="identity/members.html")
async def invite(request: Request, ctx: ContextDep, form: FormDep) -> MemberList | See:
    """Make an invitation and show its link, in this one answer."""
    try:
        token, invitation = await invitations.invite(ctx, form.get("role", ""), form.get("email", ""))
    except FlyballError as error:
        return _bad(error)
    link = f"{own_address(request, ctx)}/invitations/{token.reveal()}"
    return await _members(ctx, link, f"an invitation as {invitation.role}")


@pages.post("/invitations/{invitation_id}/revocation", permission="members.write")
async def revoke_invitation(ctx: ContextDep, invitation_id: str) -> See:
    """Make an invitation useless."""
    try:
        await invitations.revoke(ctx, invitation_id)
    except FlyballError as error:
        return _bad(error)
    return See("/members", "The invitation is revoked.")


@pages.post("/members/{name}/role", permission="members.write")
async def set_role(ctx: ContextDep, name: str, form: FormDep) -> See:
    """Give a member another role."""
    try:
        member = await members.set_role(ctx, name, form.get("role", ""))
    except FlyballError as error:
        return _bad(error)
    return See("/members", f"{member.name} has the role {member.role} now.")


@pages.post("/members/{name}/removal", permission="members.write")
async def remove_member(ctx: ContextDep, name: str) -> See:
    """Take a member's role in the project away."""
    try:
        member = await members.remove_member(ctx, name)
    except FlyballError as error:
        return _bad(error)
    return See("/members", f"{member.name} is no member of this project any more.")


@pages.post("/members/{name}/sign-in-link", permission="members.write", template="identity/members.html")
async def make_link(request: Request, ctx: ContextDep, name: str) -> MemberList | See:
    """Make a one-time link for a member and show it, in this one answer."""
    try:
        made = await sign_in.create_sign_in_link(ctx, name)
    except FlyballError as error:
        return _bad(error)
    link = f"{own_address(request, ctx)}/sign-in/{made.token.reveal()}"
    return await _members(ctx, link, f"signing in as {made.member.name}")


@pages.post("/members/{name}/sign-out", permission="sessions.write")
async def sign_out(ctx: ContextDep, name: str) -> See:
    """End every session of a member."""
    try:
        ended = await sessions.sign_out_everywhere(ctx, name)
    except FlyballError as error:
        return _bad(error)
    return See("/members", f"{ended} sessions of {name} have ended.")


@pages.post("/members/{name}/second-factor-removal", permission="members.write")
async def reset_factor(ctx: ContextDep, name: str) -> See:
    """Take the second factor of a member away who lost it."""
    try:
        member = await second_factor.reset(ctx, name)
    except FlyballError as error:
        return _bad(error)
    return See("/members", f"{member.name} has no second factor any more, and is signed out.")


def _bad(error: FlyballError) -> See:
    return See("/members", str(error), tone="bad")
