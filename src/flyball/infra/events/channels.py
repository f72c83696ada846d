"""The channels, and how to speak on one."""

from flyball.infra.db.database import Connection, execute

SNAPSHOT = "flyball_snapshot"  # something that the gateway's snapshot holds has changed
RUNS = "flyball_runs"  # a run was queued
INBOX = "flyball_inbox"  # spans or scores arrived
WANTED = "flyball_wanted"  # a quota's id: somebody was refused, its holders are to give back what is idle


async def notify(connection: Connection, channel: str, payload: str = "") -> None:
    """Tell listeners when, and only if, the surrounding transaction commits."""
    await execute(connection, "select pg_notify(%s, %s)", channel, payload)
