"""The ``frs`` command: finds the module of the command that was asked for and runs it.

Only that module is imported, so ``frs --help`` answers at once although other commands load models. Each module of
:data:`COMMANDS` holds a Typer application named ``app``. A failure of the catalogue is printed as one line with its
advice, never as a traceback.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TextIO

from frs import __version__
from frs.errors import FrsError, Status

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("frs.cli.init", "prepare a data directory: keys, certificates and the log's signing key"),
    "serve": ("frs.cli.serve", "run the service"),
    "doctor": ("frs.cli.doctor", "say what this machine and installation can do, and what is wrong"),
    "identity": ("frs.cli.identity", "issue and revoke certificates, limit and suspend identities"),
    "models": ("frs.cli.models", "list, install, add and verify model packs"),
    "watchlist": ("frs.cli.watchlist", "plan, apply and manage watchlists and their subjects"),
    "deployment": ("frs.cli.deployment", "open, end and stop deployments of live matching"),
    "feed": ("frs.cli.feed", "play a video, folder, webcam or RTSP address into a deployment"),
    "search": ("frs.cli.search", "search stills and videos of an incident"),
    "identify": ("frs.cli.identify", "search one photograph at once and record the outcome"),
    "review": ("frs.cli.review", "look at cases and decide them, one after the other"),
    "vigilance": ("frs.cli.vigilance", "known pairs against rubber-stamping, for those in charge"),
    "officer": ("frs.cli.officer", "alerts for officers on the ground, and what came of them"),
    "audit": ("frs.cli.audit", "read and verify the log"),
    "witness": ("frs.cli.witness", "run a witness of the log, apart from the service"),
    "backup": ("frs.cli.backup", "copy the data into one file, without any key"),
    "restore": ("frs.cli.restore", "bring a backup back, without undoing any erasure"),
    "keyring": ("frs.cli.keyring", "copy the wrapped keys, rotate the key-encryption key"),
    "retention": ("frs.cli.retention", "what is kept for how long, what goes when, and holds"),
    "erasure": ("frs.cli.erasure", "erase what is held on a person, with a certificate"),
    "subject-access": ("frs.cli.subject_access", "everything held or logged on a person, to give to them"),
    "report": ("frs.cli.report", "figures of a period for oversight: use, accuracy, review"),
    "register": ("frs.cli.register", "the public register of a period, without personal data"),
    "demo": ("frs.cli.demo", "the whole way of a face, offline, on this machine"),
}

SIGNING_IN = {"--token-file": "FRS_TOKEN_FILE", "--ca": "FRS_CA"}
"""Options of every command that asks a server, before its name; :mod:`frs.cli.token_file` reads the variables."""

EXIT_CODES: dict[Status, int] = {
    # 1 is any other failure; 2 is what command lines use for wrong usage.
    Status.INVALID_ARGUMENT: 2,
    Status.OUT_OF_RANGE: 2,
    Status.UNAVAILABLE: 3,
    Status.DEADLINE_EXCEEDED: 3,
    Status.UNAUTHENTICATED: 4,
    Status.PERMISSION_DENIED: 4,
    Status.DATA_LOSS: 5,
}


def overview() -> str:
    """Return the text of ``frs --help``."""
    lines = [
        "Usage: frs [--token-file FILE] [--ca FILE] COMMAND [OPTIONS]",
        "",
        "Face matching with watchlists for policing: three modes, human review and a tamper-evident log.",
        "",
        "Commands:",
        *(f"  {name:<14} {about}" for name, (_, about) in COMMANDS.items()),
        "",
        "Options:",
        "  --token-file FILE   sign in with the identity provider's token in this file (FRS_TOKEN_FILE)",
        "  --ca FILE           certificate authority of the server, without a data directory (FRS_CA)",
        "  --version           print the version",
        "  --help              this text; `frs COMMAND --help` describes a command",
        "",
        "A new installation: frs init, then frs serve. To see it work: frs demo.",
    ]
    return "\n".join(lines)


def describe(error: FrsError) -> str:
    """Return what the person is shown of a failure: what happened, then what to do."""
    return f"frs: {error.message} [{error.reason}]\n     {error.advice}"


def _print(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout)


def signing_in(given: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return how to sign in, from the options before the command, as environment variables; and what comes after."""
    said: dict[str, str] = {}
    while given:
        option, equals, value = given[0].partition("=")
        if option not in SIGNING_IN:
            break
        if not equals and len(given) < 2:
            break
        said[SIGNING_IN[option]] = value if equals else given[1]
        given = given[1:] if equals else given[2:]
    return said, given


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status (see :data:`EXIT_CODES`)."""
    said, given = signing_in(sys.argv[1:] if arguments is None else arguments)
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        return _run(given)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _run(given: list[str]) -> int:
    if not given or given[0] in {"--help", "-h", "help"}:
        _print(overview())
        return 0 if given else 2
    name, rest = given[0], given[1:]
    if name in {"--version", "version"}:
        _print(f"frs {__version__}")
        return 0
    if name not in COMMANDS:
        _print(f"frs: there is no command {name!r}; `frs --help` lists them", sys.stderr)
        return 2
    try:
        app = import_module(COMMANDS[name][0]).app
        app(args=rest, prog_name=f"frs {name}")
    except FrsError as error:
        _print(describe(error), sys.stderr)
        return EXIT_CODES.get(error.status, 1)
    except SystemExit as end:  # Typer ends every command with one
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        _print("frs: interrupted", sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe, `frs ... | head`, has gone
        sys.stderr.close()
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
