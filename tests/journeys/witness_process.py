"""``frs witness serve`` in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.journeys.service import ROOT, environment, frs

START_SECONDS = 30


class WitnessProcess:
    """A witness in a folder; stopped and started as often as a test likes, on one port."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder, self._models = folder, models
        made = frs(models, "witness", "init", "--data", str(folder), "--name", "witness.example/journey")
        assert made.returncode == 0, made.stderr
        self.vkey_file = folder / "witness.vkey"
        self._listen = "127.0.0.1:0"
        self.url = ""

    def add_log(self, vkey: str) -> None:
        """Trust a log."""
        made = frs(self._models, "witness", "add-log", vkey, "--data", str(self.folder))
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        """Start and wait until it listens."""
        command = [sys.executable, "-W", "error", "-m", "frs.cli.main", "witness", "serve"]
        command += ["--data", str(self.folder), "--listen", self._listen]
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment(self._models), stdout=subprocess.DEVNULL, stderr=errors
            )
        until = time.monotonic() + START_SECONDS
        said: dict[str, object] = {}
        while said.get("pid") != self.process.pid:
            assert self.process.poll() is None, (self.folder / "stderr").read_text()
            assert time.monotonic() < until
            time.sleep(0.02)
            file = self.folder / "witness.json"
            said = json.loads(file.read_bytes()) if file.exists() else {}
        self.url = str(said["url"])
        self._listen = self.url.removeprefix("http://")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, or kill it; returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def show(self) -> dict[str, object]:
        """Return what it has seen of its one log."""
        shown = frs(self._models, "witness", "show", "--data", str(self.folder), "--json")
        (log,) = json.loads(shown.stdout)["logs"]
        assert isinstance(log, dict)
        return log
