"""``frs serve``: run the service in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys
from typing import Annotated

import structlog
import typer

from frs.cli.options import Data, application, load_settings
from frs.server.folders import require_initialised
from frs.server.listening import check_addresses

app = application("Run the service until SIGTERM or Ctrl-C.")


@app.command()
def serve(
    data: Data = None,
    address: Annotated[
        str | None, typer.Option("--address", help="host:port to listen on; port 0 takes a free one.")
    ] = None,
    metrics_address: Annotated[
        str | None, typer.Option("--metrics-address", help="host:port of /metrics and /health; '' turns them off.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Plaintext, accepted on loopback only.")] = False,
    reflection: Annotated[bool, typer.Option("--reflection", help="Offer gRPC server reflection.")] = False,
    pack: Annotated[str | None, typer.Option("--pack", help="Model pack: a name or a folder.")] = None,
    require_gpu: Annotated[bool, typer.Option("--require-gpu", help="Refuse to start without CUDA.")] = False,
) -> None:
    """Run the service."""
    settings = load_settings(
        data,
        server={
            "address": address,
            "metrics_address": metrics_address,
            "tls": False if insecure else None,
            "reflection": reflection or None,
        },
        embed={"pack": pack, "require_gpu": require_gpu or None},
    )
    require_initialised(settings)
    check_addresses(settings.server)
    log_to_stderr()
    # The rooms load models and libraries: what is wrong with the options is told before that.
    from frs.server.lifecycle import Listening, serve

    def announce(here: Listening) -> None:
        how = "TLS, client certificates" if here.tls else "plaintext, loopback only"
        typer.echo(f"frs {here.version} serves on {here.address} ({how}), {here.model} on {here.provider}")
        if here.metrics_address:
            typer.echo(f"metrics and health: http://{here.metrics_address}/metrics and /health")

    serve(settings, announce)


def log_to_stderr() -> None:
    """Send structlog's lines to standard error: readable on a terminal, JSON elsewhere."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
