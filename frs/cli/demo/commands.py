"""The demonstration's hands: it runs ``frs`` itself, as a person would, and keeps one server as a child process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from frs.cli.main import main
from frs.cli.output import say
from frs.errors import FrsError, Reason

START_SECONDS = 90.0
STOP_SECONDS = 40.0


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for a while, and no ``FRS_ADDRESS`` or ``FRS_IDENTITY`` of the person's own."""
    before = dict(os.environ)
    os.environ.pop("FRS_ADDRESS", None)
    os.environ.pop("FRS_IDENTITY", None)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Commands:
    """Runs commands against one data directory."""

    def __init__(self, data: Path, models: Path, *, quiet: bool) -> None:
        self._data = data
        self._quiet = quiet
        self._server: subprocess.Popen[bytes] | None = None
        self._log = data.parent / "server.log"
        self._environment = {
            "FRS_DATA_DIR": str(data.resolve()),
            "FRS_MODELS_DIR": str(models.resolve()),
            "FRS_SERVER__ADDRESS": "127.0.0.1:0",
            "FRS_SERVER__METRICS_ADDRESS": "127.0.0.1:0",
            "FRS_REVIEW__VIGILANCE_DELAY_SECONDS": "1",
        }

    def run(self, *arguments: str, identity: str = "", accept: tuple[int, ...] = (0,)) -> Any:  # JSON
        """Run one command with ``--json`` and return what it printed; any other exit status is an error.

        It runs in this process: the command is the same, and two dozen interpreters need not start.
        """
        told = [a if " " not in a else f"'{a}'" for a in arguments]
        if not self._quiet:
            say(f"{identity}$ frs {' '.join(told)}")
        command = [*arguments, "--json", *(("--identity", identity) if identity else ())]
        out, err = io.StringIO(), io.StringIO()
        with _environment(self._environment), redirect_stdout(out), redirect_stderr(err):
            status = main(command)
        if status not in accept:
            message = f"frs {arguments[0]} failed ({status}): {err.getvalue().strip()[-2000:]}"
            raise FrsError(Reason.INTERNAL, message)
        return json.loads(out.getvalue()) if out.getvalue().strip() else None

    def start_server(self) -> None:
        """Start ``frs serve`` and wait until it has written where it listens."""
        if not self._quiet:
            say("$ frs serve &")
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "frs.cli.main", "serve"]
            environment = os.environ | self._environment
            self._server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603  # our own
        record = self._data / "server.json"
        deadline = time.monotonic() + START_SECONDS
        while not record.exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise FrsError(Reason.SERVER_UNREACHABLE, f"the server did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def stop_server(self) -> bool:
        """End the server as an operator would; returns whether it drained and ended well."""
        server, self._server = self._server, None
        if server is None:
            return False
        server.send_signal(signal.SIGTERM)
        try:
            return server.wait(timeout=STOP_SECONDS) == 0
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            return False
