"""A consistent copy of the database while the service runs, beside it, for as long as it is needed.

``VACUUM INTO`` copies one snapshot without stopping writers and leaves behind what was deleted. The copy is for its
owner alone; one that a crash left is removed by :func:`sweep_copies`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store import sqlite
from frs.store.durable import FILE_MODE
from frs.store.engines import database_file, is_storage_error, storage_error

_PREFIX = ".frs.copy-"


@contextmanager
def copied_database(settings: Settings) -> Iterator[Path]:
    """Give the path of a copy of the database; it is removed at the end.

    Raises FrsError: SETTINGS_INVALID when the database is not SQLite, STORAGE_FULL, STORAGE_FAILED.
    """
    file = sqlite_file(settings)

    def copy(path: Path) -> None:
        with closing(sqlite.connect(file)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    with copied(file.parent, copy) as path:
        yield path


@contextmanager
def copied(folder: Path, copy: Callable[[Path], None]) -> Iterator[Path]:
    """Give the path of what ``copy`` writes into an empty file of the folder; it is removed at the end."""
    path = folder / f"{_PREFIX}{token_hex(8)}"
    try:
        path.touch(mode=FILE_MODE)
        copy(path)
        yield path
    except Exception as error:
        if isinstance(error, sqlite3.Error) or is_storage_error(error):
            raise storage_error(error) from error
        raise
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def sweep_copies(*folders: Path) -> None:
    """Remove copies that a crash left in folders that this process holds the lock of."""
    for folder in folders:
        for path in folder.glob(f"{_PREFIX}*"):
            path.unlink(missing_ok=True)


def sqlite_file(settings: Settings) -> Path:
    """Return SQLite's file. Raises FrsError(SETTINGS_INVALID) that names the other database's own tool."""
    file = database_file(settings)
    if file is None:
        raise FrsError(
            Reason.SETTINGS_INVALID,
            "store.url names another database than SQLite: back it up with its own tool (PostgreSQL: pg_dump), and "
            "carry out the destructions of the erasure journal after bringing it back; docs/backup.md says how.",
            setting="store.url",
        )
    return file
