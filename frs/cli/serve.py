"""``frs serve``: run the service in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated

import structlog
import typer
from structlog.typing import EventDict, WrappedLogger

from frs.cli.options import Data, application, load_settings
from frs.server.folders import require_initialised
from frs.server.listening import check_addresses, check_token_address

PLACES = 6
"""Frames that a line tells of an exception, innermost first."""

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
    check_token_address(settings)
    log_to_stderr()
    # The rooms load models and libraries: what is wrong with the options is told before that.
    from frs.server.lifecycle import Listening, serve

    def announce(here: Listening) -> None:
        how = "TLS, client certificates" if here.tls else "plaintext, loopback only"
        typer.echo(f"frs {here.version} serves on {here.address} ({how}), {here.model} on {here.provider}")
        if here.token_address:
            typer.echo(f"callers with a token: {here.token_address} (TLS, no client certificate)")
        if here.metrics_address:
            typer.echo(f"metrics and health: http://{here.metrics_address}/metrics and /health")

    serve(settings, announce)


def log_to_stderr() -> None:
    """Send structlog's lines to standard error: readable on a terminal, JSON elsewhere.

    Of an exception both say its type and place only: its message, and the variables of its frames, may hold what the
    service protects.
    """
    terminal = sys.stderr.isatty()
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            name_exception,
            console if terminal else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def name_exception(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Put an exception's type, and the innermost places it passed, in the stead of the exception itself."""
    given = line.pop("exc_info", None)
    line.pop("stack_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exception() if given else None
    if error is not None:
        frames = reversed(traceback.extract_tb(error.__traceback__)[-PLACES:])
        line["error"] = type(error).__name__
        line["where"] = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return line
