"""The HTTP face of configuration: parse, one verb, answer."""

from flyball.audit import service as audit
from flyball.surface.http import Body, ContextDep, Router

from . import service
from .records import Bundle, Changes, Export

router = Router("/api/configuration", tag="configuration")


@router.post("/diff", permission="configuration.read", returns=Changes)
async def diff_configuration(ctx: ContextDep, bundle: Bundle = Body(Bundle)) -> Changes:
    """What applying this flyball.yaml would change. Changes nothing."""
    return await service.diff(ctx, bundle)


@router.post("/apply", permission="configuration.write", returns=Changes)
async def apply_configuration(ctx: ContextDep, bundle: Bundle = Body(Bundle)) -> Changes:
    """Make everything as this flyball.yaml says, in one transaction."""
    return await service.apply(ctx, bundle)


@router.get("/export", permission="configuration.read", returns=Export)
async def export_configuration(ctx: ContextDep) -> Export:
    """What is there, as a flyball.yaml and the files that it names; without what the caller may not read. Each time is recorded."""
    await audit.record_read(
        ctx, action="configuration.export", object_kind="project", object_id=ctx.project, each_time=True
    )
    return await service.export(ctx)
