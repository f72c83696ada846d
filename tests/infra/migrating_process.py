"""Migrates the databases that it is told of, each in a child of its own. Started and killed by tests.

A line on standard input is a database's address; a line on standard output the child's number, then how it ended.
"""

import asyncio
import os
import signal
import sys

from flyball.infra.db.database import Database
from flyball.infra.db.migrate import migrate


async def bring_up_to_date(url: str) -> None:
    database = Database(url, most=1)
    await database.open()
    await migrate(database)
    await database.close()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(bring_up_to_date(line.strip()))
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        ended = "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else status
        sys.stdout.write(f"{ended}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
