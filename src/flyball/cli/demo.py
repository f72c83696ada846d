"""`flyball demo`: the options of the main job. Knows no step; the story is loaded when it is told."""

from pathlib import Path
from typing import Annotated

import typer

from flyball.surface.console import LOCAL, Commands
from flyball.surface.console.options import options

from .commands import load_server_part

verbs = Commands("demo", help="The main job, from documents to an explained answer.")


@verbs.command("demo", permission=LOCAL)
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the last step and leave nothing running.")] = False,
    port: Annotated[int | None, typer.Option(metavar="N", help="The one port (4000); 0 takes a free one.")] = None,
    example: Annotated[
        Path, typer.Option(metavar="DIR", help="The example: a folder with flyball.yaml and questions.jsonl.")
    ] = Path("examples/ask-stdlib"),
) -> None:
    """Run the main job on a real corpus: collect, index, evaluate, release, serve, observe, learn, explain.

    Needs no key, no model and no network. Every step is a command of flyball, printed before it runs.
    """
    settings = options().settings(port=port)
    load_server_part("flyball.cli.story.telling").tell(settings, example, once=once)
