"""The verb of the posture: look everything up, once, and judge it by the tables."""

import asyncio

from flyball.audit.standing import standing
from flyball.infra.context import Context
from flyball.infra.db.operators import knows_server
from flyball.infra.layout import Layout
from flyball.infra.secrets.errors import MasterKeyError
from flyball.models import service as models
from flyball.models.endpoints import references_of
from flyball.secrets.records import MasterKeyState
from flyball.secrets.rotation import master_key_state

from . import checks_keeping, checks_listening, checks_people, store
from .records import Facts, Posture

CHECKS = (*checks_listening.CHECKS, *checks_people.CHECKS, *checks_keeping.CHECKS)
OF_PROJECT = (*checks_people.CHECKS, *checks_keeping.OF_PROJECT)  # what a project of another organisation is told
_DAY_NS = 86_400 * 1_000_000_000


async def examine(ctx: Context) -> Posture:
    """How the context's project stands, and to the server's operator how the server does."""
    async with ctx.db.connection() as connection:
        whole = await knows_server(connection, ctx.project, kind=ctx.actor.kind)
    facts = await _look_up(ctx, whole=whole)
    return Posture(findings=tuple(check(facts) for check in (CHECKS if whole else OF_PROJECT)))


async def _look_up(ctx: Context, *, whole: bool) -> Facts:
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().connection() as everywhere:
        people = await store.people(everywhere, ctx.project, now_ns)
    async with ctx.db.connection() as connection:
        keys = await store.keys(connection, ctx.project, now_ns, now_ns - checks_people.UNUSED_DAYS * _DAY_NS)
        walls = await store.walls(connection)
    master, trouble = await _master(ctx) if whole else (None, "")
    declared = await models.list_models(ctx)
    return Facts(
        settings=ctx.settings,
        now_ns=now_ns,
        people=people,
        keys=keys,
        walls=walls,
        audit=await standing(ctx),
        master=master,
        master_trouble=trouble,
        references=tuple(
            reference
            for model in declared
            for endpoint in model.spec.endpoints
            for reference in references_of(endpoint)
        ),
        open_folders=await asyncio.to_thread(_open_folders, ctx.layout),
    )


async def _master(ctx: Context) -> tuple[MasterKeyState | None, str]:
    try:
        return await master_key_state(ctx), ""
    except MasterKeyError as error:
        return None, error.message


def _open_folders(layout: Layout) -> tuple[str, ...]:
    """The folders of the data directory that others may enter."""
    folders = (
        layout.lake,
        layout.blobs,
        layout.code,
        layout.staging,
        layout.inbox,
        layout.spool,
        layout.logs,
        layout.sockets,
    )
    return tuple(str(folder) for folder in folders if folder.is_dir() and folder.stat().st_mode & 0o077)
