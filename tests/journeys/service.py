"""A real service in a process of its own, with certificates, as ``frs serve`` runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import grpc

from frs.access.authority import Authority
from frs.clock import SystemClock
from frs.server.installation import initialise
from frs.server.lifecycle import read_server_file
from frs.settings import Settings
from frs.types import Role

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
IDENTITIES: dict[str, tuple[Role, ...]] = {
    "camera": (Role.FEED,),
    "officer": (Role.OFFICER,),
    "officer2": (Role.OFFICER,),
    "investigator": (Role.INVESTIGATOR,),
    "reviewer": (Role.REVIEWER,),
    "reviewer2": (Role.REVIEWER,),
    "manager": (Role.WATCHLIST_MANAGER,),
    "superintendent": (Role.AUTHORISING_OFFICER,),
    "oversight": (Role.OVERSIGHT,),
    "auditor": (Role.OVERSIGHT,),
    "protection": (Role.DATA_PROTECTION_OFFICER,),
    "technician": (Role.ADMINISTRATOR,),
}
START_SECONDS = 60
OPTIONS = (("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20))


def prepare(data: Path, models: Path) -> Path:
    """Make an installation with an identity for each duty; returns the data directory."""
    settings = Settings(data_dir=data, models_dir=str(models))
    made = initialise(settings, SystemClock())
    authority = Authority.load(made.certs, SystemClock())
    for name, roles in IDENTITIES.items():
        authority.issue(name, roles)
    return data


class Service:
    """``frs serve`` on a free port. Use as a context; leaving it stops the service and checks that it ended well."""

    def __init__(self, data: Path, models: Path, *arguments: str) -> None:
        self.data = data
        self._models = models
        self._arguments = arguments
        self._channels: dict[str | None, grpc.Channel] = {}

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            assert self.stop() == 0
        assert "Traceback" not in self.errors()

    def start(self) -> None:
        """Start and wait until requests are answered."""
        self._log = self.data / "serve.stderr"
        self.process = launch(self.data, self._models, self._log, self._arguments)
        until = time.monotonic() + START_SECONDS
        while (here := read_server_file(self.data / "server.json")) is None or here.pid != self.process.pid:
            assert self.process.poll() is None, f"the service ended: {self.errors()}"
            assert time.monotonic() < until, f"the service did not start: {self.errors()}"
            time.sleep(0.02)
        self.address = here.address
        self.metrics_address = here.metrics_address
        self._channels = {}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; returns its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return its exit status when it has ended."""
        status = self.process.wait(60)
        for channel in self._channels.values():
            channel.close()
        self._channels = {}
        return status

    def errors(self) -> str:
        """Return what it wrote on standard error."""
        return self._log.read_text()

    def channel(self, name: str) -> grpc.Channel:
        """Return an identity's channel."""
        if name not in self._channels:
            self._channels[name] = self.open_channel(*(self.certificate(name)))
        return self._channels[name]

    def open_channel(self, key: bytes | None, certificate: bytes | None) -> grpc.Channel:
        """Return a channel with any client certificate, or none."""
        root = (self.data / "certs" / "ca.crt").read_bytes()
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(root, key, certificate), OPTIONS)

    def certificate(self, name: str) -> tuple[bytes, bytes]:
        """Return an identity's key and certificate."""
        folder = self.data / "certs"
        return (folder / f"{name}.key").read_bytes(), (folder / f"{name}.crt").read_bytes()

    def stub(self, kind: Callable[[grpc.Channel], T], name: str) -> T:
        """Return a stub that calls as an identity."""
        return kind(self.channel(name))


def environment(models: Path, **more: str) -> dict[str, str]:
    """Return the environment that commands run in."""
    return {
        **os.environ,
        "FRS_MODELS_DIR": str(models),
        "FRS_EMBED__THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # One identity is refused hundreds of methods within seconds here.
        "FRS_ACCESS__REFUSALS_PER_MINUTE": "100000",
        # Each start would compile the libraries anew where bytecode is not written beside them.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "pycache"),
        **more,
    }


def frs(models: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "frs.cli.main", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(models), capture_output=True, text=True, timeout=90, check=False
    )


def launch(data: Path, models: Path, log: Path, arguments: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start ``frs serve`` on a free port and return at once."""
    command = [sys.executable, "-W", "error", "-m", "frs.cli.main", "serve", "--data", str(data)]
    command += ["--address", "localhost:0", *arguments]
    with log.open("wb") as errors:
        return subprocess.Popen(command, cwd=ROOT, env=environment(models), stdout=subprocess.DEVNULL, stderr=errors)
