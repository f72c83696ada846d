"""The HTTP face: the figures as JSON, and as the text that Prometheus reads."""

from starlette.requests import Request
from starlette.responses import Response

from flyball.surface.http import ContextDep, Router

from . import exposition, service
from .metrics import families_of
from .records import Health, History

router = Router("/api/health", tag="health")
metrics_router = Router(tag="health", documented=False)  # its answer is no JSON


@router.get(permission="health.read", returns=Health)
async def show_health(ctx: ContextDep) -> Health:
    """How the server does: what waits, what is stored, disk, runs, processes, PostgreSQL, and whether the objective for lag is met."""
    return await service.examine(ctx)


@router.get("/minutes", permission="health.read", returns=History)
async def show_minutes(ctx: ContextDep) -> History:
    """The last day, minute by minute, oldest first."""
    return await service.history(ctx)


@metrics_router.get("/metrics", permission="health.read", returns=bytes)
async def show_metrics(request: Request, ctx: ContextDep) -> Response:
    """The same for Prometheus, in its text format or, where the request prefers it, as OpenMetrics."""
    health = await service.examine(ctx)
    open_metrics = exposition.wants_open_metrics(request.headers.get("accept", ""))
    text = exposition.write(families_of(health), open_metrics=open_metrics)
    return Response(text, media_type=exposition.OPEN_METRICS if open_metrics else exposition.TEXT)
