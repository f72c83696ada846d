"""Whose server it is: the first organisation's. Every floor may ask, since what is the server's is shown to nobody else."""

from .database import Connection, fetch_one

DEFAULT_ORGANISATION = "default"  # the first one, which is that of the server's operator


async def is_operators(connection: Connection, project: str) -> bool:
    """Whether a project is of the operator's organisation."""
    found = await fetch_one(connection, "select organisation from projects where id = %s", project)
    return found is not None and found["organisation"] == DEFAULT_ORGANISATION


async def knows_server(connection: Connection, project: str, *, kind: str) -> bool:
    """Whether an actor of this kind is told in this project how the server is set up, and what of other tenants is on it."""
    return kind in ("local", "system") or await is_operators(connection, project)
