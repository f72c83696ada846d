"""`python -m flyball.testing --port 9001`: the scripted upstream in a process of its own.

The model's name says what to do: `mock-small` answers, `mock-small?fault=stall` stalls, and so on: see `script.Turn`.
"""

import argparse
import asyncio

import uvloop

from .upstream import ScriptedUpstream


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    async with ScriptedUpstream(port=port, keep_requests=False) as upstream:
        print(f"scripted upstream at {upstream.base_url}", flush=True)  # noqa: T201 -- the one line that says where it is
        await asyncio.Event().wait()


def main() -> None:
    """Parse the port and serve."""
    parser = argparse.ArgumentParser(prog="python -m flyball.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=9001, help="the loopback port; 0 takes a free one")
    try:
        uvloop.run(serve(parser.parse_args().port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
