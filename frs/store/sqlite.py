"""What is particular to SQLite: connections and their pragmas, transactions, truncating the log, reading its errors.

Measured and relied upon: with ``synchronous=FULL`` a commit in WAL mode is durable when COMMIT returns; deleted bytes
are gone from the files once ``secure_delete=ON`` and ``wal_checkpoint(TRUNCATE)`` have both happened.

Python's sqlite3 begins transactions on its own and late, which breaks SAVEPOINT and snapshots; so connections are
opened with ``isolation_level=None`` and an event issues BEGIN: IMMEDIATE for the writer, deferred for readers.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, QueuePool

from frs.store.durable import FILE_MODE

BUSY_SECONDS = 10.0
READERS = 16
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",  # no sorting of biometrics in files that nobody erases
    "PRAGMA trusted_schema=OFF",
)


def connect(path: Path, *pragmas: str) -> sqlite3.Connection:
    """Open a connection in autocommit mode with the pragmas above and those given; the file is the owner's alone."""
    # Only a file that is not there may be opened aside from SQLite: closing one drops SQLite's locks on it (POSIX).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS, cached_statements=512
    )
    try:
        for pragma in (*PRAGMAS, *pragmas):
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def writer_engine(path: Path) -> sa.Engine:
    """Engine of the single writer: its transactions hold the write lock from their first statement."""
    engine = sa.create_engine(
        "sqlite+pysqlite://", creator=lambda: connect(path), poolclass=NullPool, hide_parameters=True
    )
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE") and None)
    return engine


def reader_engine(path: Path) -> sa.Engine:
    """Engine of pooled readers: each transaction is a snapshot from its first statement, and cannot write."""
    engine = sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: connect(path, "PRAGMA query_only=ON"),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=READERS * 4,
        hide_parameters=True,  # the text of an error is shown to clients
    )
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN") and None)
    return engine


def in_transaction(connection: sa.Connection) -> bool:
    """Whether SQLite itself still holds the transaction: some errors make it roll back everything on its own."""
    driver = connection.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


def is_full(error: BaseException) -> bool:
    """Whether the error says that the disk, or the size allowed to the database, is used up."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_FULL  # the low byte of an extended code is its kind


def truncate_wal(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the database and empty its file; False when a reader or writer is in the way."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
