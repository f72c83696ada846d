"""The HTTP face of members and invitations: parse, one verb, answer."""

import msgspec
from starlette.requests import Request

from flyball.audit import service as audit
from flyball.kit.secrets import hiding
from flyball.projects import members
from flyball.projects.records import Member
from flyball.surface.http import Body, ContextDep, Router

from . import invitations, leaving, second_factor, sessions
from .browser import own_address
from .invitation_records import Invitation
from .leaving import Gone

router = Router("/api", tag="identity")


class NewMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to let into the project: a person of the organisation, or somebody new, who then signs in by a link."""

    name: str
    role: str
    email: str = ""


class GivenRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The role that a member is to have."""

    role: str


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To what somebody new is invited. flyball sends no e-mail: the link is in the answer, this once."""

    role: str
    email: str = ""
    days: int = invitations.DEFAULT_DAYS


@hiding("link")
class CreatedInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation just made. `link` is shown here and never again."""

    link: str
    invitation: Invitation


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """The project's members."""

    items: tuple[Member, ...]


class Invitations(msgspec.Struct, frozen=True, kw_only=True):
    """The project's invitations that can still be accepted."""

    items: tuple[Invitation, ...]


class SignedOut(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions of whom ended."""

    member: str
    sessions: int


@router.get("/members", permission="members.read", returns=Members)
async def list_members(ctx: ContextDep) -> Members:
    """The project's members by name. Looking is recorded, once an hour."""
    await audit.record_read(ctx, action="members.read", object_kind="project", object_id=ctx.project)
    return Members(items=await members.list_members(ctx))


@router.post("/members", permission="members.write", returns=Member, status=201)
async def add_member(ctx: ContextDep, new: NewMember = Body(NewMember)) -> Member:
    """Let somebody into the project, in a role that gives no more than the caller has."""
    return await members.add_member(ctx, new.name, new.role, new.email)


@router.put("/members/{name}/role", permission="members.write", returns=Member)
async def set_role(ctx: ContextDep, name: str, given: GivenRole = Body(GivenRole)) -> Member:
    """Give a member another role; it counts at once."""
    return await members.set_role(ctx, name, given.role)


@router.delete("/members/{name}", permission="members.write", returns=Member)
async def remove_member(ctx: ContextDep, name: str) -> Member:
    """Take a member's role in the project away; their sessions here end."""
    return await members.remove_member(ctx, name)


@router.post("/members/{name}/deletion", permission="members.write", returns=Gone)
async def delete_member(ctx: ContextDep, name: str) -> Gone:
    """Take a person out of the organisation, for good, with every way in that they had or gave; for owners of the organisation."""
    return await leaving.delete_member(ctx, name)


@router.delete("/members/{name}/sessions", permission="sessions.write", returns=SignedOut)
async def sign_member_out(ctx: ContextDep, name: str) -> SignedOut:
    """End every session of a member, everywhere. Whoever does it has all the rights of the member."""
    return SignedOut(member=name, sessions=await sessions.sign_out_everywhere(ctx, name))


@router.delete("/members/{name}/second-factor", permission="members.write", returns=Member)
async def reset_second_factor(ctx: ContextDep, name: str) -> Member:
    """Take the second factor of a member away who lost it. Whoever does it has all the rights of the member."""
    return await second_factor.reset(ctx, name)


@router.get("/invitations", permission="members.read", returns=Invitations)
async def list_invitations(ctx: ContextDep) -> Invitations:
    """The project's invitations that can still be accepted, newest first."""
    return Invitations(items=await invitations.list_invitations(ctx))


@router.post("/invitations", permission="members.write", returns=CreatedInvitation, status=201)
async def invite(request: Request, ctx: ContextDep, new: NewInvitation = Body(NewInvitation)) -> CreatedInvitation:
    """Make a link by which somebody new becomes a member, once, within some days."""
    token, invitation = await invitations.invite(ctx, new.role, new.email, new.days)
    admin = request.scope.get("flyball.door") == "admin" and not ctx.settings.public_url
    address = "" if admin else own_address(request, ctx)
    return CreatedInvitation(link=f"{address}/invitations/{token.reveal()}", invitation=invitation)


@router.delete("/invitations/{invitation_id}", permission="members.write", returns=None, status=204)
async def revoke_invitation(ctx: ContextDep, invitation_id: str) -> None:
    """Make an invitation useless."""
    await invitations.revoke(ctx, invitation_id)
