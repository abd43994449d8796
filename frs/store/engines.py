"""Engines for the configured database, and what its errors mean to a caller.

SQLite in the data directory is the default; ``store.url`` may name another database that SQLAlchemy knows.
Everything particular to SQLite is in :mod:`frs.store.sqlite`.
"""

from __future__ import annotations

import errno
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store import sqlite

DATABASE_FILE = "frs.sqlite"
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_DISK_FULL_STATE = "53100"  # SQLSTATE disk_full (PostgreSQL, appendix A)


@dataclass(frozen=True, slots=True)
class Engines:
    """The two ways into one database."""

    writer: sa.Engine
    reader: sa.Engine
    file: Path | None
    """SQLite's file; None for other databases."""

    def dispose(self) -> None:
        """Close all connections."""
        self.reader.dispose()
        self.writer.dispose()


def database_file(settings: Settings) -> Path | None:
    """Return where SQLite's file lies, or None when the settings name another database."""
    if not settings.store.url:
        return settings.data_dir / DATABASE_FILE
    url = sa.make_url(settings.store.url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_engines(settings: Settings) -> Engines:
    """Build the engines; nothing is opened yet."""
    file = database_file(settings)
    if file is not None:
        return Engines(sqlite.writer_engine(file), sqlite.reader_engine(file), file)
    writer = sa.create_engine(settings.store.url, isolation_level="READ COMMITTED", pool_size=1, hide_parameters=True)
    reader = sa.create_engine(
        settings.store.url,
        isolation_level="REPEATABLE READ",
        pool_size=sqlite.READERS,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    return Engines(writer, reader, None)


def is_storage_error(error: BaseException) -> bool:
    """Whether the error says that storage failed, rather than that the act asked for something wrong."""
    if isinstance(error, OSError):
        return error.errno in _NO_SPACE
    wrong = sa.exc.IntegrityError | sa.exc.ProgrammingError | sa.exc.DataError | sa.exc.InterfaceError
    return isinstance(error, sa.exc.DBAPIError) and not isinstance(error, wrong)


def cause_text(error: BaseException) -> str:
    """Say what went wrong without quoting data: messages reach clients.

    SQLite's own texts name tables, columns and constraints, never values; those of other drivers may quote a row, so
    only their kind is told, and the message of an unknown exception likewise.
    """
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
    if isinstance(cause, FrsError):
        return cause.message
    if isinstance(cause, sqlite3.Error):
        return str(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    state = getattr(cause, "sqlstate", None)
    return f"{type(cause).__name__} {state}" if state else type(cause).__name__


def storage_error(error: BaseException) -> FrsError:
    """Translate: STORAGE_FULL when space ran out, else STORAGE_FAILED."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    full = cause is not None and (
        sqlite.is_full(cause)
        or getattr(cause, "sqlstate", None) == _DISK_FULL_STATE
        or (isinstance(cause, OSError) and cause.errno in _NO_SPACE)
    )
    if full:
        return FrsError(Reason.STORAGE_FULL, f"The data volume is full; nothing was changed ({cause_text(error)}).")
    return FrsError(Reason.STORAGE_FAILED, f"The database failed; nothing was changed ({cause_text(error)}).")
