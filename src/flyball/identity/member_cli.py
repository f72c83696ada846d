"""`flyball members`: who belongs to the project, invitations, ways in for those who lost theirs."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_ago, as_time, control, say, segment, show_list, show_one

app = Commands("members", help="Members: who belongs to the project, in which role; invitations.")

_LIST = (
    Column("name"),
    Column("role"),
    Column("email"),
    Column("has_password", "password", lambda value: "set" if value else "none"),
    Column("created_ns", "since", as_ago),
    Column("id"),
)
_ONE = (Column("name"), Column("role"), Column("email"), Column("id"))
_INVITATIONS = (
    Column("email"),
    Column("role"),
    Column("project_name", "project"),
    Column("created_ns", "made", as_ago),
    Column("expires_ns", "until", as_time),
    Column("id"),
)
Name = Annotated[str, typer.Argument(help="The member's name.")]
RoleOption = Annotated[str, typer.Option(help="viewer, reviewer, maintainer, owner, or a role of the project's own.")]


@app.command("list", permission="members.read")
def list_members() -> None:
    """List the project's members by name."""
    show_list(control().get("/api/members"), _LIST, empty="No members yet: `flyball members invite` invites one.")


@app.command("add", permission="members.write")
def add(
    name: Name,
    role: RoleOption = "viewer",
    email: Annotated[str, typer.Option(help="Their e-mail address.")] = "",
) -> None:
    """Let a person of the organisation into the project, or somebody new, who then signs in by a link."""
    show_one(control().post("/api/members", {"name": name, "role": role, "email": email}), _ONE)
    say(f"Somebody new signs in by a link: `flyball members sign-in-link '{name}'`.")


@app.command("invite", permission="members.write")
def invite(
    role: RoleOption = "viewer",
    email: Annotated[str, typer.Option(help="Where it is given, a sign-in provider has to vouch for it.")] = "",
    days: Annotated[int, typer.Option(help="How long the link works: 1 to 30.")] = 7,
) -> None:
    """Make a link by which somebody new becomes a member, once. flyball sends no e-mail: pass it on yourself."""
    made = control().post("/api/invitations", {"role": role, "email": email, "days": days})
    show_one(
        made,
        (Column("link"), Column("invitation.role", "role"), Column("invitation.expires_ns", "until", as_time)),
    )
    if made["link"].startswith("/"):
        say("Append it to the address of the pages, which `flyball up` printed.")
    say("Keep the link now: it is not shown again.")


@app.command("invitations", permission="members.read")
def invitations() -> None:
    """List the invitations that can still be accepted."""
    empty = "No open invitations: `flyball members invite` makes one."
    show_list(control().get("/api/invitations"), _INVITATIONS, empty=empty)


@app.command("revoke-invitation", permission="members.write")
def revoke_invitation(invitation: Annotated[str, typer.Argument(help="The invitation's id.")]) -> None:
    """Make an invitation useless."""
    control().delete(f"/api/invitations/{segment(invitation)}")
    say("The invitation is revoked.")


@app.command("set-role", permission="members.write")
def set_role(name: Name, role: Annotated[str, typer.Argument(help="The role.")]) -> None:
    """Give a member another role, at once."""
    show_one(control().put(f"/api/members/{segment(name)}/role", {"role": role}), _ONE)


@app.command("remove", permission="members.write")
def remove(name: Name) -> None:
    """Take a member's role in the project away: their sessions here end, their personal keys are refused."""
    show_one(control().delete(f"/api/members/{segment(name)}"), _ONE)


@app.command("delete", permission="members.write")
def delete(name: Name) -> None:
    """Take a person out of the organisation, for good: sessions, personal keys, accounts and invitations of theirs end."""
    show_one(control().post(f"/api/members/{segment(name)}/deletion"))


@app.command("sign-in-link", permission="members.write")
def sign_in_link(name: Annotated[str, typer.Argument(help="For whom.")] = "administrator") -> None:
    """Make a link by which a member signs in, once, within the hour; also for a forgotten password."""
    link = control().post("/api/sign-in-links", {"member": name})
    show_one(link, (Column("path"), Column("member"), Column("expires_ns", "expires", as_time)))
    say("Open it at the address of the pages, which `flyball up` printed.")


@app.command("sign-out", permission="sessions.write")
def sign_out(name: Name) -> None:
    """End every session of a member, everywhere, and every link of theirs."""
    show_one(control().delete(f"/api/members/{segment(name)}/sessions"))


@app.command("reset-totp", permission="members.write")
def reset_totp(name: Name) -> None:
    """Take the second factor of a member away who lost it; every session of theirs ends."""
    show_one(control().delete(f"/api/members/{segment(name)}/second-factor"), _ONE)
