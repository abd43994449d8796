"""The demonstration's hands: it runs ``frs`` itself, as a person would, and keeps one server as a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from frs.cli.output import say
from frs.errors import FrsError, Reason

START_SECONDS = 90.0
STOP_SECONDS = 40.0


class Commands:
    """Runs commands against one data directory."""

    def __init__(self, data: Path, models: Path, *, quiet: bool) -> None:
        self._data = data
        self._quiet = quiet
        self._server: subprocess.Popen[bytes] | None = None
        self._log = data.parent / "server.log"
        self._environment = os.environ | {
            "FRS_DATA_DIR": str(data.resolve()),
            "FRS_MODELS_DIR": str(models.resolve()),
            "FRS_SERVER__ADDRESS": "127.0.0.1:0",
            "FRS_SERVER__METRICS_ADDRESS": "127.0.0.1:0",
        }
        self._environment.pop("FRS_ADDRESS", None)

    def run(self, *arguments: str, identity: str = "", accept: tuple[int, ...] = (0,)) -> Any:  # JSON
        """Run one command with ``--json`` and return what it printed; any other exit status is an error."""
        told = [a if " " not in a else f"'{a}'" for a in arguments]
        if not self._quiet:
            say(f"$ frs {' '.join(told)}")
        command = [sys.executable, "-m", "frs.cli.main", *arguments, "--json"]
        if identity:
            command += ["--identity", identity]
        ran = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)  # noqa: S603  # our own
        if ran.returncode not in accept:
            raise FrsError(
                Reason.INTERNAL, f"frs {arguments[0]} failed ({ran.returncode}): {ran.stderr.strip()[-2000:]}"
            )
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    def start_server(self) -> None:
        """Start ``frs serve`` and wait until it has written where it listens."""
        if not self._quiet:
            say("$ frs serve &")
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(  # our own
                [sys.executable, "-m", "frs.cli.main", "serve"], env=self._environment, stdout=log, stderr=log
            )
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
