"""Where an installation's files lie, and whether it is one."""

from __future__ import annotations

from pathlib import Path

from frs.errors import FrsError, Reason
from frs.recovery.places import RESTORING
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


def refuse_half_restored(settings: Settings) -> None:
    """Raise NOT_INITIALISED while a restoration that was interrupted has not been run again."""
    if (settings.data_dir / RESTORING).exists():
        raise FrsError(
            Reason.NOT_INITIALISED,
            f"A restoration into {settings.data_dir} was interrupted: run the same `frs restore` again; until then "
            f"nothing there is to be relied on.",
        )


def require_initialised(settings: Settings) -> None:
    """Raise NOT_INITIALISED unless ``frs init``, and a restoration, have finished here."""
    refuse_half_restored(settings)
    if not vkey_file(settings).exists():
        raise FrsError(Reason.NOT_INITIALISED, f"{settings.data_dir} is not an initialised data directory")


def require_database(settings: Settings) -> None:
    """Raise STORAGE_FAILED where the database of an initialised directory is gone: no empty one takes its place."""
    from frs.store.engines import database_file  # what clients need of this module must not wait for SQLAlchemy

    file = database_file(settings)
    if file is not None and (not file.exists() or file.stat().st_size == 0):
        raise FrsError(
            Reason.STORAGE_FAILED,
            f"The database {file} is missing or empty, and this data directory has been in use: put it back where it "
            f"was moved, or bring back a backup with `frs restore`.",
        )
