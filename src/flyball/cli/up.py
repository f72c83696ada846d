"""`flyball up`: the options of a start. Knows no process; what needs the server's libraries is loaded when it runs."""

from typing import Annotated

import typer

from flyball.surface.console import LOCAL, Commands
from flyball.surface.console.options import options

from .commands import load_server_part

verbs = Commands("up", help="Start flyball on a data directory and stay until stopped.")


@verbs.command("up", permission=LOCAL)
def up(
    *,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="A flyball.yaml to apply at start (FLYBALL_CONFIG).")
    ] = None,
    host: Annotated[
        str | None, typer.Option(metavar="H", help="The address of the one port (FLYBALL_HOST, 127.0.0.1).")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", help="The one port (FLYBALL_PORT, 4000); 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Gateway workers (FLYBALL_WORKERS, 1).", min=1, max=63)
    ] = None,
    tls: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Who encrypts the way beyond loopback: proxy, or none-i-know (FLYBALL_TLS)."),
    ] = None,
    tls_certificate: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Speak HTTPS with this certificate, PEM (FLYBALL_TLS_CERTIFICATE)."),
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM (FLYBALL_TLS_KEY).")] = None,
) -> None:
    """Start flyball on a data directory and stay until stopped.

    Stop it with Ctrl-C or SIGTERM: it finishes what it is answering. A second signal hurries it, a third ends it.
    """
    settings = options().settings(
        config=config, host=host, port=port, workers=workers, tls=tls, tls_certificate=tls_certificate, tls_key=tls_key
    )
    load_server_part("flyball.cli.serving").serve(settings)
