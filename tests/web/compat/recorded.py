"""What flyball recorded, asked as a user asks."""

import time


def spans_of(server, trace, *, most=20, until=bool):
    """The spans of a trace by name, once they are as they should become."""
    deadline = time.monotonic() + most
    while True:
        tree = server.run("traces", "show", trace)
        spans = {node["span"]["name"]: node["span"] for node in tree["nodes"]}
        if until(spans) or time.monotonic() > deadline:
            return tree, spans
        time.sleep(0.3)
