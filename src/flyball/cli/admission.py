"""Who may reach this flyball from other machines: nobody, until somebody can prove who they are. Knows keys and passwords by number."""

from flyball.infra.db.database import Database
from flyball.infra.processes.errors import AddressRefusedError
from flyball.projects import key_store, store


async def check_somebody_can_prove_who_they_are(database: Database, host: str) -> None:
    """Refuse to listen beyond loopback while there is neither a key nor a password.

    Raises:
        AddressRefusedError: there is neither.
    """
    async with database.connection() as connection:
        keys = await key_store.active_keys(connection)
        has_password = await store.somebody_has_a_password(connection)
    if not keys and not has_password:
        raise AddressRefusedError(
            f"{host} can be reached from other machines, and there is neither an API key nor a password yet",
            next_step="start on 127.0.0.1 first, then `flyball keys create NAME` or sign in and set a password",
        )
