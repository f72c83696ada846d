"""The HTTP face of secrets: parse, one verb, answer. A value comes in and never goes out."""

import msgspec

from flyball.audit import service as audit
from flyball.kit.secrets import Secret, hiding
from flyball.surface.http import Body, ContextDep, Router

from . import rotation, service
from .records import DataKeyRotation, MasterKeyRotation, MasterKeyState, StoredSecret

router = Router("/api", tag="secrets")


class SecretList(msgspec.Struct, frozen=True, kw_only=True):
    """The project's secrets by name, without their values."""

    items: tuple[StoredSecret, ...]


@hiding("value")
class NewSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value to keep. `hosts`: to which it may be sent, each `host` (https) or `host:port`."""

    value: str
    hosts: tuple[str, ...]


class WantedHosts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the project's models would send a secret of this name."""

    hosts: tuple[str, ...]


@router.get("/secrets", permission="secrets.read", returns=SecretList)
async def list_secrets(ctx: ContextDep) -> SecretList:
    """The project's secrets by name, without their values. Looking is recorded, once an hour."""
    await audit.record_read(ctx, action="secrets.read", object_kind="project", object_id=ctx.project)
    return SecretList(items=await service.list_secrets(ctx))


@router.get("/secrets/{name}", permission="secrets.read", returns=StoredSecret)
async def show_secret(ctx: ContextDep, name: str) -> StoredSecret:
    """One secret, without its value."""
    return await service.get_secret(ctx, name)


@router.get("/secrets/{name}/wanted-hosts", permission="secrets.read", returns=WantedHosts)
async def show_wanted_hosts(ctx: ContextDep, name: str) -> WantedHosts:
    """Where the project's models would send a secret of this name, whether it is set or not."""
    return WantedHosts(hosts=await service.hosts_wanted(ctx, name))


@router.put("/secrets/{name}", permission="secrets.write", returns=StoredSecret)
async def set_secret(ctx: ContextDep, name: str, new: NewSecret = Body(NewSecret)) -> StoredSecret:
    """Keep a value under a name, in place of the one before. It is encrypted, and no route ever returns it."""
    return await service.set_secret(ctx, name, Secret(new.value), new.hosts)


@router.delete("/secrets/{name}", permission="secrets.write", returns=StoredSecret)
async def remove_secret(ctx: ContextDep, name: str) -> StoredSecret:
    """Forget a value."""
    return await service.remove_secret(ctx, name)


@router.post("/data-key/rotations", permission="secrets.write", returns=DataKeyRotation, status=201)
async def rotate_data_key(ctx: ContextDep) -> DataKeyRotation:
    """Encrypt the project's secrets anew under a new data key."""
    return await rotation.rotate_data_key(ctx)


@router.get("/master-key", permission="secrets.read", returns=MasterKeyState)
async def show_master_key(ctx: ContextDep) -> MasterKeyState:
    """Where the master key comes from and which it is; never the key."""
    return await rotation.master_key_state(ctx)


@router.post("/master-key/rotations", permission="secrets.write", returns=MasterKeyRotation, status=201)
async def rotate_master(ctx: ContextDep) -> MasterKeyRotation:
    """Wrap every project's data key anew under the current master key; for the owner of the data directory alone."""
    return await rotation.rotate_master(ctx)
