"""The database: opened by one process, migrated, read through snapshots and written through one writer.

Promises: ``write`` returns only when the act is on the disk, whole; an act that fails leaves nothing; ``read`` is one
consistent snapshot. See :mod:`frs.store.writer` for what holds when the process dies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.store import sqlite
from frs.store.durable import make_folder
from frs.store.engines import Engines, database_file, is_storage_error, make_engines, storage_error
from frs.store.lock import FolderLock
from frs.store.migrate import check_known, upgrade
from frs.store.schema import installation
from frs.store.transaction import CommitParticipant, Transaction
from frs.store.writer import Writer
from frs.types import new_id

__all__ = ["CommitParticipant", "Database", "Transaction", "inspect_database"]

T = TypeVar("T")


class Database:
    """An open database. Build it with :meth:`open`; every method may be called from any thread."""

    installation_id: str
    """Random name of this installation, given when the database was made."""

    def __init__(
        self,
        engines: Engines,
        lock: FolderLock,
        participants: Sequence[CommitParticipant],
        group_limit: int,
        installation_id: str,
    ) -> None:
        self.installation_id = installation_id
        self._engines = engines
        self._lock = lock
        self._writer = Writer(engines.writer, participants, group_limit, self._holds)
        self._truncation_due = False
        self._closed = False

    @classmethod
    def open(cls, settings: Settings, clock: Clock, participants: Sequence[CommitParticipant] = ()) -> Database:
        """Lock the data directory, migrate the database and make participants agree with it.

        Raises FrsError: DATA_DIRECTORY_IN_USE, DATABASE_NEWER, STORAGE_FULL, STORAGE_FAILED, or what a participant
        raises. Then nothing stays open.
        """
        lock = FolderLock(settings.data_dir)
        engines = make_engines(settings)
        try:
            if engines.file is not None:
                make_folder(engines.file.parent)
            with engines.writer.begin() as connection:
                upgrade(connection)
                name = _installation(connection, clock)
            with engines.writer.begin() as connection:
                for participant in participants:
                    participant.attach(connection)
            _truncate(engines.file)  # what a crash left in the write-ahead log
            return cls(engines, lock, participants, settings.store.group_commit, name)
        except BaseException as error:
            engines.dispose()
            lock.release()
            if is_storage_error(error):
                raise storage_error(error) from error
            raise

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a consistent snapshot from its first statement on; it cannot write. Keep it short.

        Raises FrsError: SHUTTING_DOWN once closed, OVERLOADED when all connections stay taken, STORAGE_FAILED.
        """
        if self._closed:
            raise FrsError(Reason.SHUTTING_DOWN, "The database is closed.")
        with _translated(), self._engines.reader.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()  # nothing to keep

    def write(self, act: Callable[[Transaction], T]) -> T:
        """Run an act on the writer thread and return its value when it is durable.

        Raises what the act raised (undone, alone), or FrsError STORAGE_FULL, STORAGE_FAILED (nothing happened) or
        SHUTTING_DOWN. After an act that erases, the write-ahead log is truncated before this returns.
        """
        erases: list[bool] = []

        def watched(tx: Transaction) -> T:
            value = act(tx)
            erases.append(tx.erases)
            return value

        value = self._writer.write(watched)
        if any(erases):
            self.truncate_wal()
        elif self._truncation_due:
            self.truncate_wal(patience_ms=0)
        return value

    def join(self, participant: CommitParticipant) -> None:
        """Let something that is built on the open database take part in its commits from now on."""
        self._writer.join(participant)

    def truncate_wal(self, patience_ms: int = 250) -> bool:
        """Empty SQLite's write-ahead log, so that deleted bytes are in no file of the data directory.

        False when that could not be done within ``patience_ms`` milliseconds, mostly because a reader held an old
        snapshot; it is then tried again after the next write and at closing. Other databases have nothing to truncate.
        """
        self._truncation_due = not _truncate(self._engines.file, patience_ms)
        return not self._truncation_due

    def close(self) -> None:
        """Refuse new acts, finish those queued, and give the data directory back. Again is harmless."""
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._engines.dispose()
        _truncate(self._engines.file)
        self._lock.release()

    def _holds(self, connection: sa.Connection) -> bool:
        if connection.closed or connection.invalidated or not connection.in_transaction():
            return False
        return self._engines.file is None or sqlite.in_transaction(connection)


@contextmanager
def inspect_database(settings: Settings) -> Iterator[sa.Connection]:
    """Give a snapshot of an existing database without opening it: a server may run, nothing is changed.

    Raises FrsError: NOT_INITIALISED when there is no database, DATABASE_NEWER.
    """
    file = database_file(settings)
    if file is not None and not file.exists():
        raise FrsError(Reason.NOT_INITIALISED, f"There is no database at {file}.")
    engines = make_engines(settings)
    try:
        with _translated(), engines.reader.connect() as connection, connection.begin() as transaction:
            if check_known(connection) is None:
                raise FrsError(Reason.NOT_INITIALISED, "The database is empty.")
            yield connection
            transaction.rollback()  # COMMIT would fail once more over pages that could not be read
    finally:
        engines.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise FrsError(Reason.OVERLOADED, "Every connection to the database is taken.") from error
    except sa.exc.DBAPIError as error:
        if is_storage_error(error):
            raise storage_error(error) from error
        raise


def _installation(connection: sa.Connection, clock: Clock) -> str:
    name: str | None = connection.scalar(sa.select(installation.c.installation_id))
    if name is None:
        name = new_id()
        connection.execute(installation.insert().values(id=1, installation_id=name, created_at=clock.now()))
    return name


def _truncate(file: Path | None, patience_ms: int = 2000) -> bool:
    if file is None:
        return True
    try:
        with closing(sqlite.connect(file, f"PRAGMA busy_timeout={patience_ms}")) as connection:
            return sqlite.truncate_wal(connection)
    except sqlite3.OperationalError:  # a lock held for too long, or no room to copy the pages: tried again later
        return False
