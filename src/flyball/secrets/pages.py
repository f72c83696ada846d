"""The secrets as a page: a list, a form to write with, a button to remove with. A value is never shown, not even once."""

import re

import msgspec

from flyball.audit import service as audit
from flyball.infra.secrets.errors import HostInvalidError, MasterKeyError
from flyball.kit.secrets import Secret
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import rotation, service
from .errors import MasterKeyRefusedError, SecretInvalidError
from .records import MasterKeyState, StoredSecret

pages = Pages(tag="secrets", section="/secrets")


class SecretsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows. `name` and `hosts` fill the form; `trouble` is what is wrong with the master key.

    `master` is None where it is not shown: it is the whole server's.
    """

    secrets: tuple[StoredSecret, ...]
    name: str
    hosts: str
    may_write: bool
    master: MasterKeyState | None
    trouble: str


@pages.get("/secrets", permission="secrets.read", template="secrets/list.html")
async def list_secrets(ctx: ContextDep, name: str = "") -> SecretsPage:
    """The project's secrets; `name` is one to set."""
    await audit.record_read(ctx, action="secrets.read", object_kind="project", object_id=ctx.project)
    found = await service.list_secrets(ctx)
    bound = {secret.name: secret.hosts for secret in found}
    hosts = bound.get(name) or (await service.hosts_wanted(ctx, name) if name else ())
    master, trouble = None, ""
    try:
        master = await rotation.master_key_state(ctx)
    except MasterKeyRefusedError:
        pass  # the server's, and not shown here
    except MasterKeyError as error:
        trouble = str(error)
    return SecretsPage(
        secrets=found,
        name=name,
        hosts=" ".join(hosts),
        may_write=ctx.actor.may("secrets.write"),
        master=master,
        trouble=trouble,
    )


@pages.post("/secrets", permission="secrets.write")
async def set_secret(ctx: ContextDep, form: FormDep) -> See:
    """Keep a value under a name."""
    hosts = re.split(r"[\s,]+", form.get("hosts", "").strip())
    try:
        kept = await service.set_secret(
            ctx, form.get("name", ""), Secret(form.get("value", "")), [host for host in hosts if host]
        )
    except (SecretInvalidError, HostInvalidError, MasterKeyError) as error:
        return See("/secrets", str(error), tone="bad")
    return See("/secrets", f"The secret {kept.name} is set, version {kept.version}. It is in force within a second.")


@pages.post("/secrets/{name}/removal", permission="secrets.write")
async def remove_secret(ctx: ContextDep, name: str) -> See:
    """Forget a value."""
    removed = await service.remove_secret(ctx, name)
    return See("/secrets", f"The secret {removed.name} is removed.")


@pages.post("/secrets/data-key", permission="secrets.write")
async def rotate_data_key(ctx: ContextDep) -> See:
    """Encrypt everything anew under a new data key."""
    try:
        done = await rotation.rotate_data_key(ctx)
    except MasterKeyError as error:
        return See("/secrets", str(error), tone="bad")
    return See("/secrets", f"{done.secrets} secrets are encrypted anew, under the data key {done.data_key}.")
