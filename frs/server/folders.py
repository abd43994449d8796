"""Where an installation's files lie, and whether it is one."""

from __future__ import annotations

from pathlib import Path

from frs.errors import FrsError, Reason
from frs.settings import Settings

CERTS = "certs"
VKEY_FILE = "log.vkey"
SERVER_FILE = "server.json"


def certs_folder(settings: Settings) -> Path:
    """Return where certificates lie."""
    return settings.data_dir / CERTS


def vkey_file(settings: Settings) -> Path:
    """Return where the log's verifier key lies; ``frs init`` writes it last."""
    return settings.data_dir / VKEY_FILE


def server_file(settings: Settings) -> Path:
    """Return where a running service says that it listens."""
    return settings.data_dir / SERVER_FILE


def require_initialised(settings: Settings) -> None:
    """Raise NOT_INITIALISED unless ``frs init`` has finished here."""
    if not vkey_file(settings).exists():
        raise FrsError(Reason.NOT_INITIALISED, f"{settings.data_dir} is not an initialised data directory")
