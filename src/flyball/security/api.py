"""The HTTP face of the posture: one verb, answer."""

from flyball.surface.http import ContextDep, Router

from . import service
from .records import Posture

router = Router("/api/security", tag="security")


@router.get(permission="security.read", returns=Posture)
async def show_posture(ctx: ContextDep) -> Posture:
    """What is on, what is off, and what to do."""
    return await service.examine(ctx)
