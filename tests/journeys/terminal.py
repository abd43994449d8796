"""The ``frs`` command as a person uses it, against a running service."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from frs.cli.main import main
from tests.journeys.service import Service


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Runs commands against one service."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def run(self, *arguments: str, identity: str = "", typed: str = "") -> Ran:
        """Run a command; ``typed`` is what the person answers to its questions."""
        given = [*arguments, "--data", str(self.service.data), *(("--identity", identity) if identity else ())]
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.StringIO(typed)):
            status = main(given)
        return Ran(status, out.getvalue(), err.getvalue())

    def ask(self, *arguments: str, identity: str = "") -> Any:
        """Run a command with ``--json`` that must succeed; return what it printed."""
        ran = self.run(*arguments, "--json", identity=identity)
        assert ran.status == 0, ran.err
        return ran.json
