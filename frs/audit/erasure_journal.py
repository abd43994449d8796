"""The erasure journal: the append-only list of destroyed keys, which a restoration from a backup must not undo.

Its entries are the rows of ``key_destruction`` in their order, hashed into an RFC 6962 tree of their own. That tree is
signed with the log's key as a C2SP checkpoint of the origin ``<log origin>/erasures``, and the witness keeps a copy of
the whole list. An entry names an owner of a key (``subject:<id>``, ``event:<n>``, ``event:<origin>:<n>``) and an
instant: no person. One kind of owner had no key: ``person:<pseudonym>`` marks that everything on a person was erased at
their request, so that a restoration from an older backup erases whatever names them there once more.

The note signed last lies beside the log's checkpoint in the keyring's folder; a journal that does not begin with the
one signed there is never signed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import rfc8785
import sqlalchemy as sa

from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.notes import NoteSigner, NoteVerifier, parse_note
from frs.audit.tree import EMPTY_ROOT, Accumulator
from frs.errors import FrsError, Reason
from frs.store.durable import write_file
from frs.store.engines import storage_error
from frs.store.schema import key_destruction

JOURNAL_FILE = "checkpoint-erasures"
MOST_ENTRIES = 2000
"""Entries read, sent or answered at once."""
MOST_ENTRY_BYTES = 512
_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One destroyed key."""

    position: int
    """The row's number in the database: grows from entry to entry, need not be dense."""
    owner: str
    at: datetime
    """When its destruction was decided, UTC."""

    def leaf(self) -> bytes:
        """Return the entry as canonical JSON (RFC 8785): the leaf of the tree, and its line wherever it is sent."""
        at = self.at.astimezone(UTC).strftime(_INSTANT)
        return rfc8785.dumps({"at": at, "owner": self.owner, "position": self.position})

    @classmethod
    def parse(cls, line: bytes) -> JournalEntry:
        """Read a leaf strictly. Raises FrsError(LOG_INCONSISTENT)."""
        try:
            if len(line) > MOST_ENTRY_BYTES:
                raise ValueError("too long")
            said = json.loads(line)
            at = datetime.strptime(said["at"], _INSTANT).replace(tzinfo=UTC)
            entry = cls(said["position"], said["owner"], at)
            if not isinstance(entry.owner, str) or type(entry.position) is not int or entry.leaf() != line:
                raise ValueError("not as it is written")
        except (ValueError, TypeError, KeyError, RecursionError, rfc8785.CanonicalizationError) as error:
            raise FrsError(
                Reason.LOG_INCONSISTENT, f"An entry of the erasure journal cannot be read: {error}."
            ) from error
        return entry


def read_journal(connection: sa.Connection, after: int = 0, limit: int | None = None) -> Iterator[JournalEntry]:
    """Yield the entries whose position is greater than ``after``, in their order, at most ``limit``."""
    table = key_destruction.c
    query = sa.select(table.position, table.owner, table.requested_at).where(table.position > after)
    for row in connection.execute(query.order_by(table.position).limit(limit)):
        yield JournalEntry(row.position, row.owner, row.requested_at)


def journal_origin(log_origin: str) -> str:
    """Return the name under which the journal of a log is signed."""
    return f"{log_origin}/erasures"


def journal_vkey(log_vkey: str) -> str:
    """Return the key that verifies the journal of the log that ``log_vkey`` verifies. Raises FrsError."""
    verifier = NoteVerifier.parse(log_vkey)
    return NoteVerifier(journal_origin(verifier.name), verifier.public_key).vkey


class ErasureJournal:
    """The tree over the first entries of a database's journal, moved on as far as its reader wants."""

    def __init__(self, marks: Iterable[int] = ()) -> None:
        """Begin before the first entry. ``marks`` are sizes on the way whose roots will be asked for."""
        self.position = 0
        """Of the last entry taken; 0 before the first."""
        self._marks = set(marks)
        self._tree = Accumulator()
        self._roots = {0: EMPTY_ROOT}

    @property
    def size(self) -> int:
        """How many entries were taken."""
        return self._tree.size

    def root(self) -> bytes:
        """Return the root over them."""
        return self._tree.root()

    def root_at(self, size: int) -> bytes | None:
        """Return the root that the tree had at a size which was marked, or kept; None for others."""
        return self.root() if size == self.size else self._roots.get(size)

    def keep(self) -> None:
        """Remember the present root in the place of those before."""
        self._roots = {self.size: self.root()}

    def take(self, connection: sa.Connection, limit: int = MOST_ENTRIES) -> list[JournalEntry]:
        """Take the next entries of the database, at most ``limit``, and return them."""
        entries = list(read_journal(connection, self.position, limit))
        for entry in entries:
            self._tree.add(entry.leaf())
            self.position = entry.position
            if self.size in self._marks:
                self._roots[self.size] = self.root()
        return entries

    def take_until(self, connection: sa.Connection, size: int) -> None:
        """Take entries until there are ``size``. Raises FrsError(LOG_INCONSISTENT) when the database has fewer."""
        while self.size < size:
            if not self.take(connection, min(MOST_ENTRIES, size - self.size)):
                raise FrsError(
                    Reason.LOG_INCONSISTENT,
                    f"The database knows of {self.size} destroyed keys, but {size} have been signed: an older database "
                    f"was put in its place.",
                    entries=str(self.size),
                    signed=str(size),
                )


class JournalSigner:
    """Signs the journal of one log and remembers the last note. May be called from any thread."""

    def __init__(self, log_signer: NoteSigner, folder: Path) -> None:
        """Sign with the log's key under the journal's name."""
        self.origin = journal_origin(log_signer.verifier.name)
        self._signer = log_signer.under(self.origin)
        self._path = folder / JOURNAL_FILE
        self._lock = threading.Lock()
        self._checked: Checkpoint | None = None

    @property
    def vkey(self) -> str:
        """The public key that verifies the journal."""
        return self._signer.verifier.vkey

    def last(self) -> Checkpoint | None:
        """Return what was signed last under this name, or None. Raises FrsError(LOG_INCONSISTENT) when altered."""
        try:
            note = self._path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise FrsError(Reason.LOG_INCONSISTENT, f"{self._path} is not a checkpoint.") from error
        if not parse_note(note).text.startswith(f"{self.origin}\n"):
            return None  # of a name before a restoration
        return read_checkpoint(note, self.vkey)

    def check(self, connection: sa.Connection) -> None:
        """Check that a database's journal begins with the one signed last. Raises FrsError(LOG_INCONSISTENT)."""
        with self._lock:
            last = self.last()
            if last is not None:
                journal = ErasureJournal()
                journal.take_until(connection, last.size)
                if journal.root() != last.root:
                    raise _rewritten(last)
            self._checked = last

    def sign(self, journal: ErasureJournal) -> str:
        """Sign the journal as far as it was taken, and keep the note, durably, unless a larger one is kept.

        A smaller journal than the one signed last is signed only after :meth:`check`: for a witness that is behind.
        Raises FrsError: LOG_INCONSISTENT when it does not begin with the one signed last (whose size must be among its
        marks), STORAGE_FULL or STORAGE_FAILED when the note cannot be kept.
        """
        with self._lock:
            last = self.last()
            if last is not None and (
                last != self._checked if journal.size < last.size else journal.root_at(last.size) != last.root
            ):
                raise _rewritten(last)
            note = self._signer.sign(Checkpoint(self.origin, journal.size, journal.root()).text())
            if last is None or last.size < journal.size:
                try:
                    write_file(self._path, note.encode("utf-8"))
                except OSError as error:
                    raise storage_error(error) from error
                journal.keep()
                self._checked = Checkpoint(self.origin, journal.size, journal.root())
            return note


def _rewritten(last: Checkpoint) -> FrsError:
    message = f"The journal of destroyed keys does not begin with the {last.size} that have been signed."
    return FrsError(Reason.LOG_INCONSISTENT, message, signed=str(last.size))


def journal_text(note: str, entries: Iterable[JournalEntry]) -> bytes:
    """Return a journal as a file: a line for each entry, an empty line, the signed note."""
    return b"".join(entry.leaf() + b"\n" for entry in entries) + b"\n" + note.encode("utf-8")


def parse_journal_text(text: bytes) -> tuple[str, list[JournalEntry]]:
    """Read such a file; nothing is verified yet. Raises FrsError(LOG_INCONSISTENT)."""
    head, separator, note = text.partition(b"\n\n") if not text.startswith(b"\n") else (b"", b"\n", text[1:])
    if not separator:
        raise FrsError(Reason.LOG_INCONSISTENT, "This is no erasure journal: there is no empty line.")
    entries = [JournalEntry.parse(line) for line in head.split(b"\n")] if head else []
    try:
        return note.decode("utf-8"), entries
    except UnicodeDecodeError as error:
        raise FrsError(Reason.LOG_INCONSISTENT, "The note under the erasure journal is no text.") from error


def check_journal(note: str, entries: Sequence[JournalEntry], log_vkey: str) -> Checkpoint:
    """Check a whole journal against its note with the log's key. Raises FrsError(LOG_INCONSISTENT)."""
    checkpoint = read_checkpoint(note, journal_vkey(log_vkey))
    accumulator = Accumulator()
    for entry in entries:
        accumulator.add(entry.leaf())
    if (accumulator.size, accumulator.root()) != (checkpoint.size, checkpoint.root):
        message = (
            f"The erasure journal of {accumulator.size} entries is not the one of {checkpoint.size} that was signed."
        )
        raise FrsError(Reason.LOG_INCONSISTENT, message)
    return checkpoint
