"""What the witness remembers, in one SQLite file: its logs, their newest trees, their erasure journals, and evidence.

A change is durable when its transaction ends. Several processes may open the file: ``frs witness add-log`` beside a
witness that serves. Times are ISO 8601, UTC.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frs.audit.checkpoints import Checkpoint
from frs.audit.erasure_journal import JournalEntry
from frs.audit.tree import EMPTY_ROOT, HASH_BYTES, Accumulator
from frs.store import sqlite
from frs.store.engines import storage_error

MOST_EVIDENCE = 1000
"""Refused notes kept for each log, the first ones; later ones are counted only."""
MOST_SEEN = 1000
"""Trees of each log whose roots are remembered, the newest ones."""
_TABLES = """
CREATE TABLE IF NOT EXISTS log (
    origin TEXT PRIMARY KEY, added_at TEXT NOT NULL,
    size INTEGER NOT NULL DEFAULT 0, root BLOB, note TEXT, cosigned TEXT, at TEXT,
    journal_size INTEGER NOT NULL DEFAULT 0, journal_peaks BLOB NOT NULL DEFAULT x'',
    journal_note TEXT, journal_at TEXT,
    refused INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_key (
    origin TEXT NOT NULL REFERENCES log, vkey TEXT NOT NULL, PRIMARY KEY (origin, vkey)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    origin TEXT NOT NULL REFERENCES log, size INTEGER NOT NULL, root BLOB NOT NULL, PRIMARY KEY (origin, size)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erasure (
    origin TEXT NOT NULL REFERENCES log, number INTEGER NOT NULL, position INTEGER NOT NULL, leaf BLOB NOT NULL,
    PRIMARY KEY (origin, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, at TEXT NOT NULL, what TEXT NOT NULL,
    note TEXT NOT NULL, held TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS evidence_origin ON evidence (origin);
"""
_COLUMNS = "origin, added_at, size, root, note, cosigned, at, journal_size, journal_note, journal_at, refused"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What is known of one log."""

    origin: str
    added_at: str
    size: int
    """Of the tree cosigned last; 0 before the first."""
    root: bytes
    note: str | None
    """As the log signed it."""
    cosigned: str | None
    """The same with the witness's cosignature."""
    at: str | None
    journal_size: int
    journal_note: str | None
    """The erasure journal's note with the witness's cosignature."""
    journal_at: str | None
    refused: int
    """Inconsistent notes that were refused."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A note that the log's key signed and that was refused, beside the one that was held."""

    id: int
    origin: str
    at: str
    what: str
    note: str
    held: str


class Records:
    """The open file. Every method may be called from any thread and raises FrsError STORAGE_FULL or STORAGE_FAILED."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        with _translated():
            self._connection = sqlite.connect(path)
            try:
                self._connection.executescript(_TABLES)
            except sqlite3.Error:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file; again is harmless."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything in the block, or nothing; other writers wait. What the block raises undoes it."""
        with self._lock, _translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    # --- logs ---

    def add_log(self, origin: str, vkey: str) -> bool:
        """Trust a key for a log; returns False when it was trusted already."""
        with self.transaction():
            self._run("INSERT OR IGNORE INTO log (origin, added_at) VALUES (?, ?)", origin, _now())
            return self._run("INSERT OR IGNORE INTO log_key VALUES (?, ?)", origin, vkey).rowcount == 1

    def keys(self, origin: str) -> list[str]:
        """Return the verifier keys trusted for a log; none when it is unknown."""
        return [row[0] for row in self._all("SELECT vkey FROM log_key WHERE origin = ? ORDER BY vkey", origin)]

    def log(self, origin: str) -> LogRecord | None:
        """Return what is known of a log, or None."""
        rows = self._all(f"SELECT {_COLUMNS} FROM log WHERE origin = ?", origin)  # noqa: S608  # our own column names
        return _log_record(rows[0]) if rows else None

    def logs(self) -> list[LogRecord]:
        """Return every log, by name."""
        return [_log_record(row) for row in self._all(f"SELECT {_COLUMNS} FROM log ORDER BY origin")]  # noqa: S608

    def move(self, checkpoint: Checkpoint, note: str, cosigned: str, at: str) -> None:
        """Remember a log's newest tree. Inside a transaction."""
        origin, size, root = checkpoint.origin, checkpoint.size, checkpoint.root
        statement = "UPDATE log SET size = ?, root = ?, note = ?, cosigned = ?, at = ? WHERE origin = ?"
        self._run(statement, size, root, note, cosigned, at, origin)
        self._run("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", origin, size, root)
        self._run(
            "DELETE FROM seen WHERE origin = ?1 AND size <= "
            "(SELECT size FROM seen WHERE origin = ?1 ORDER BY size DESC LIMIT 1 OFFSET ?2)",
            origin,
            MOST_SEEN,
        )

    def seen_root(self, origin: str, size: int) -> bytes | None:
        """Return the root that a log's tree of a size had when it was cosigned, if that is still known."""
        rows = self._all("SELECT root FROM seen WHERE origin = ? AND size = ?", origin, size)
        return bytes(rows[0][0]) if rows else None

    # --- erasure journals ---

    def journal_tree(self, origin: str) -> tuple[Accumulator, int]:
        """Return the tree over a log's journal, and its last entry's position (0 before the first)."""
        ((size, peaks),) = self._all("SELECT journal_size, journal_peaks FROM log WHERE origin = ?", origin)
        last = self._all("SELECT position FROM erasure WHERE origin = ? AND number = ?", origin, size - 1)
        hashes = [peaks[start : start + HASH_BYTES] for start in range(0, len(peaks), HASH_BYTES)]
        return Accumulator.resume(size, hashes), (last[0][0] if last else 0)

    def extend_journal(
        self, origin: str, entries: Sequence[JournalEntry], tree: Accumulator, cosigned: str, at: str
    ) -> None:
        """Add entries to a log's journal, whose tree then is ``tree``. Inside a transaction."""
        first = tree.size - len(entries)
        rows = [(origin, first + i, entry.position, entry.leaf()) for i, entry in enumerate(entries)]
        with self._lock:
            self._connection.executemany("INSERT INTO erasure VALUES (?, ?, ?, ?)", rows)
        self._run(
            "UPDATE log SET journal_size = ?, journal_peaks = ?, journal_note = ?, journal_at = ? WHERE origin = ?",
            tree.size,
            b"".join(tree.peaks),
            cosigned,
            at,
            origin,
        )

    def journal(self, origin: str, first: int, limit: int) -> list[JournalEntry]:
        """Return entries of a log's journal from number ``first``, at most ``limit``."""
        statement = "SELECT leaf FROM erasure WHERE origin = ? AND number >= ? ORDER BY number LIMIT ?"
        return [JournalEntry.parse(_octets(row[0])) for row in self._all(statement, origin, first, limit)]

    # --- evidence ---

    def keep_evidence(self, origin: str, what: str, note: str, held: str) -> None:
        """Keep a refused note, once, unless there are too many; count it. Inside a transaction."""
        self._run("UPDATE log SET refused = refused + 1 WHERE origin = ?", origin)
        ((kept, known),) = self._all(
            "SELECT count(*), coalesce(sum(note = ?), 0) FROM evidence WHERE origin = ?", note, origin
        )
        if kept < MOST_EVIDENCE and not known:
            statement = "INSERT INTO evidence (origin, at, what, note, held) VALUES (?, ?, ?, ?, ?)"
            self._run(statement, origin, _now(), what, note, held)

    def withdraw_evidence(self, origin: str, cosigned: Checkpoint) -> None:
        """Let go of what was kept of a tree that has been shown to be consistent since. Inside a transaction."""
        statement = "DELETE FROM evidence WHERE origin = ?1 AND substr(note, 1, length(?2)) = ?2"
        self._run(statement, origin, cosigned.text())

    def evidence(self, origin: str = "") -> list[Evidence]:
        """Return the evidence on one log or on all, oldest first."""
        statement = "SELECT id, origin, at, what, note, held FROM evidence WHERE ?1 = '' OR origin = ?1 ORDER BY id"
        return [Evidence(*row) for row in self._all(statement, origin)]

    # --- inside ---

    def _run(self, statement: str, *values: object) -> sqlite3.Cursor:
        with self._lock:
            return self._connection.execute(statement, values)

    def _all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, _translated():
            return self._connection.execute(statement, values).fetchall()


def _log_record(row: tuple[Any, ...]) -> LogRecord:
    values = list(row)
    values[3] = EMPTY_ROOT if row[3] is None else bytes(row[3])
    return LogRecord(*values)


def _octets(value: object) -> bytes:
    """Return bytes also where somebody wrote text over them: the change is then found and is no crash."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
        raise storage_error(error) from error
