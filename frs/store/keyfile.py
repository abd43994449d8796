"""The keyring's file: wrapped keys and the record of those destroyed, in SQLite apart from the database.

A change is durable when its method returns. After a destruction the write-ahead log is truncated, and with
``secure_delete=ON`` the wrapped key is then in no file (a test looks for the bytes).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from frs.errors import FrsError, Reason
from frs.store import sqlite
from frs.store.engines import storage_error

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL, kek TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owner_key (owner TEXT PRIMARY KEY, wrapped BLOB NOT NULL, kek TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destroyed (
    position INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL UNIQUE, destroyed_at TEXT NOT NULL
);
"""
_ROTATION = "rotation"
_BATCH = 5000
_NEXT_KEYS = "SELECT owner, wrapped FROM owner_key WHERE owner > ? ORDER BY owner LIMIT ?"


class KeyFile:
    """Wrapped keys by owner. Every method may be called from any thread and raises FrsError STORAGE_FULL or _FAILED."""

    def __init__(self, path: Path) -> None:
        with _translated():
            self._writer = sqlite.connect(path)
            self._writer.executescript(_TABLES)
            sqlite.truncate_wal(self._writer)  # what a crash left in it
            self._reader = sqlite.connect(path, "PRAGMA query_only=ON")
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def close(self) -> None:
        """Close the file; again is harmless."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    def wrapped(self, owner: str) -> bytes | None:
        """Return an owner's wrapped key, or None."""
        found = self.find(owner)
        return None if found is None else found[0]

    def find(self, owner: str) -> tuple[bytes, str] | None:
        """Return an owner's wrapped key and the name of the key that wrapped it, or None."""
        row = self._read("SELECT wrapped, kek FROM owner_key WHERE owner = ?", owner)
        return None if row is None else (bytes(row[0]), str(row[1]))

    def destroyed_at(self, owner: str) -> str | None:
        """Return when an owner's key was destroyed (ISO 8601), or None."""
        row = self._read("SELECT destroyed_at FROM destroyed WHERE owner = ?", owner)
        return None if row is None else str(row[0])

    def secret(self, name: str) -> tuple[bytes, str] | None:
        """Return a wrapped secret of the installation and the name of the key that wrapped it, or None."""
        row = self._read("SELECT wrapped, kek FROM secret WHERE name = ?", name)
        return None if row is None else (bytes(row[0]), str(row[1]))

    def kek_id(self) -> str | None:
        """Return the name of the key-encryption key that everything here is wrapped with; None for a new file."""
        row = self._read("SELECT kek FROM secret ORDER BY name = ? DESC LIMIT 1", "log-signing")
        return None if row is None else str(row[0])

    def counts(self) -> tuple[int, int]:
        """Return how many owners have a key, and how many keys have been destroyed."""
        row = self._read("SELECT (SELECT count(*) FROM owner_key), (SELECT count(*) FROM destroyed), ?", "")
        assert row is not None
        return int(row[0]), int(row[1])

    def unlogged_rotation(self) -> str | None:
        """Return what :meth:`rewrap` noted of a rotation that has not been logged yet."""
        row = self._read("SELECT value FROM meta WHERE name = ?", _ROTATION)
        return None if row is None else str(row[0])

    def rotation_logged(self) -> None:
        """Forget that note."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM meta WHERE name = ?", (_ROTATION,))

    def alive(self, owners: Sequence[str]) -> set[str]:
        """Return those of the owners that have a key; ask for some hundreds at a time."""
        return self._among("owner_key", owners)

    def destroyed_among(self, owners: Sequence[str]) -> set[str]:
        """Return those of the owners whose key was destroyed; ask for some hundreds at a time."""
        return self._among("destroyed", owners)

    def destroyed_after(self, position: int, limit: int = 1000) -> list[tuple[int, str, str]]:
        """Return position, owner and time (ISO 8601) of destructions, in order, a bounded number at a time."""
        statement = "SELECT position, owner, destroyed_at FROM destroyed WHERE position > ? ORDER BY position LIMIT ?"
        with self._reading, _translated():
            return [(int(p), str(o), str(at)) for p, o, at in self._reader.execute(statement, (position, limit))]

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy, without what was deleted, into an empty file. Changes wait meanwhile."""
        with self._writing, _translated():  # a reader beside us would keep a destruction from emptying the log
            self._writer.execute("VACUUM INTO ?", (str(path),))

    def rewrap(
        self, rewrap: Callable[[str, str, bytes], bytes], kek: str, note: str, report: Callable[[int, int], None]
    ) -> int:
        """Replace every wrapped key and secret in one transaction; return how many.

        ``rewrap`` gets ``secret`` or ``owner``, a name and the wrapped bytes. ``note`` is kept until
        :meth:`rotation_logged`. ``report`` gets how many are done and how many there are.
        """
        total = self.counts()[0]
        done = 0
        with self._transaction() as connection:
            held = connection.execute("SELECT name, wrapped FROM secret").fetchall()
            rows = [(rewrap("secret", name, bytes(wrapped)), kek, name) for name, wrapped in held]
            connection.executemany("UPDATE secret SET wrapped = ?, kek = ? WHERE name = ?", rows)
            last = ""
            while batch := connection.execute(_NEXT_KEYS, (last, _BATCH)).fetchall():
                rows = [(rewrap("owner", owner, bytes(wrapped)), kek, owner) for owner, wrapped in batch]
                connection.executemany("UPDATE owner_key SET wrapped = ?, kek = ? WHERE owner = ?", rows)
                last = batch[-1][0]
                done += len(batch)
                report(done, total)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_ROTATION, note))
        with self._writing, self._reading, suppress(sqlite3.OperationalError, sqlite3.DatabaseError):
            sqlite.truncate_wal(self._writer)  # in vain is no failure: what is still there opens with no key
        return done + len(held)

    def destroyed_through(self) -> int:
        """Return the position in the database's journal up to which destructions have been carried out."""
        row = self._read("SELECT value FROM meta WHERE name = ?", "destroyed_through")
        return 0 if row is None else int(row[0])

    def add_secrets(self, wrapped: Mapping[str, bytes], kek: str) -> None:
        """Add secrets that are not there yet; those that are stay."""
        with self._transaction() as connection:
            rows = [(name, value, kek) for name, value in wrapped.items()]
            connection.executemany("INSERT OR IGNORE INTO secret VALUES (?, ?, ?)", rows)

    def add_keys(self, wrapped: Mapping[str, bytes], kek: str) -> None:
        """Add owners' keys, none of which may be there."""
        with self._transaction() as connection:
            rows = [(owner, value, kek) for owner, value in wrapped.items()]
            connection.executemany("INSERT INTO owner_key VALUES (?, ?, ?)", rows)

    def destroy(self, owners: Sequence[str], when: datetime, through: int | None) -> None:
        """Destroy keys and remember that they were; again is harmless. ``through`` moves the journal's mark.

        Raises FrsError(STORAGE_FAILED) also when a foreign reader keeps the write-ahead log from being emptied: the
        keys are then destroyed for everybody who opens the file, but their bytes are still in it. Call again.
        """
        with self._transaction() as connection:
            connection.executemany("DELETE FROM owner_key WHERE owner = ?", [(owner,) for owner in owners])
            rows = [(owner, when.isoformat()) for owner in owners]
            connection.executemany("INSERT OR IGNORE INTO destroyed (owner, destroyed_at) VALUES (?, ?)", rows)
            if through is not None:
                row = ("destroyed_through", str(through))
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", row)
        with self._writing, self._reading, _translated():
            if not sqlite.truncate_wal(self._writer):
                raise FrsError(
                    Reason.STORAGE_FAILED, "Another process reads the keyring: destroyed keys are still in its log."
                )

    def _read(self, statement: str, value: str) -> tuple[Any, ...] | None:
        with self._reading, _translated():
            row: tuple[Any, ...] | None = self._reader.execute(statement, (value,)).fetchone()
        return row

    def _among(self, table: str, owners: Sequence[str]) -> set[str]:
        marks = ", ".join("?" * len(owners))
        statement = f"SELECT owner FROM {table} WHERE owner IN ({marks})"  # noqa: S608  # our name, question marks
        with self._reading, _translated():
            return {str(row[0]) for row in self._reader.execute(statement, tuple(owners))}

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        raise storage_error(error) from error
