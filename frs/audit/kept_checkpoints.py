"""The checkpoints that were signed, kept in the database, each with the witness's cosignature where there is one.

The note signed last also lies beside the keys (:mod:`frs.audit.checkpoints`), and is there first: if the process dies
between the two, :meth:`KeptCheckpoints.check` copies it at the next start.
"""

from __future__ import annotations

import threading

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint, CheckpointSigner, check_extends
from frs.audit.nodes import node_reader
from frs.audit.notes import parse_note
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.database import Database, Transaction
from frs.store.schema import audit_checkpoint, audit_head

_signed = audit_checkpoint.c
_NOTE = sa.func.coalesce(_signed.cosigned, _signed.note)
_SIZE = sa.select(audit_head.c.size).where(audit_head.c.id == 1)


class KeptCheckpoints:
    """Signs the log of a database and keeps the notes. Every method may be called from any thread."""

    def __init__(self, database: Database, signer: CheckpointSigner, clock: Clock) -> None:
        self._database, self._signer, self._clock = database, signer, clock
        self._signing = threading.Lock()
        self._kept = ""

    def sign(self) -> str:
        """Sign the log as it is, unless it has not grown, and return the signed note.

        Raises FrsError: LOG_INCONSISTENT when the log does not extend what has been signed, STORAGE_FULL,
        STORAGE_FAILED.
        """
        with self._signing:
            with self._database.read() as connection:
                size = connection.execute(_SIZE).scalar_one()
                read = node_reader(connection)
                note = self._signer.sign(
                    size, tree.root(size, read), lambda old, new: tree.consistency_proof(old, new, read)
                )
            self._keep(self._signer.read(note), note)
        return note

    def latest(self) -> str | None:
        """Return the note signed last, or None before the first."""
        with self._database.read() as connection:
            note: str | None = connection.scalar(sa.select(_NOTE).order_by(_signed.size.desc()).limit(1))
        return note

    def at(self, size: int) -> str:
        """Return the note signed for a size. Raises FrsError(CHECKPOINT_NOT_FOUND)."""
        with self._database.read() as connection:
            note: str | None = connection.scalar(sa.select(_NOTE).where(_signed.size == size))
        if note is None:
            raise _not_signed(size)
        return note

    def at_least(self, size: int) -> str | None:
        """Return the note of the smallest signed tree of at least ``size`` events, or None."""
        query = sa.select(_NOTE).where(_signed.size >= size).order_by(_signed.size).limit(1)
        with self._database.read() as connection:
            note: str | None = connection.scalar(query)
        return note

    def keep_cosigned(self, size: int, note: str) -> None:
        """Keep a note with the witness's signature beside the one that the log signed.

        Raises FrsError: CHECKPOINT_NOT_FOUND when none was signed for the size; LOG_INCONSISTENT when the note is not
        that one.
        """
        text = parse_note(note).text
        self._signer.read(note)

        def act(tx: Transaction) -> None:
            known: str | None = tx.connection.scalar(sa.select(_signed.note).where(_signed.size == size))
            if known is None:
                raise _not_signed(size)
            if parse_note(known).text != text:
                raise FrsError(
                    Reason.LOG_INCONSISTENT, f"The cosigned note is not the checkpoint of {size} events that was kept."
                )
            tx.connection.execute(sa.update(audit_checkpoint).where(_signed.size == size).values(cosigned=note))

        self._database.write(act)

    def check(self) -> None:
        """Check that the tree extends both the file beside the keys and the newest checkpoint in the database.

        Raises FrsError(LOG_INCONSISTENT) saying what differs.
        """
        file = self._last_signed()
        with self._database.read() as connection:
            row: str | None = connection.scalar(sa.select(_signed.note).order_by(_signed.size.desc()).limit(1))
        if file is None and row is not None:
            origin = self._signer.origin
            message = f"The database holds checkpoints of {origin}, but the last one signed is not in the keyring."
            raise FrsError(Reason.LOG_INCONSISTENT, message)
        with self._database.read() as connection:
            size = connection.execute(_SIZE).scalar_one()
            read = node_reader(connection)
            for note in (file, row):
                if note is not None:
                    check_extends(
                        self._signer.read(note),
                        size,
                        tree.root(size, read),
                        lambda old, new: tree.consistency_proof(old, new, read),
                    )
        if file is not None and file != row:
            self._keep(self._signer.read(file), file)

    def _last_signed(self) -> str | None:
        try:
            return self._signer.last()
        except FrsError as error:
            message = (
                f"{error.message} The keyring's last checkpoint is not of the log in this database: another database, "
                f"or one from before a restoration, was put in its place."
            )
            raise FrsError(error.reason, message, **error.metadata) from error

    def _keep(self, checkpoint: Checkpoint, note: str) -> None:
        """Copy a signed note into the database, once."""
        if note == self._kept:
            return

        def act(tx: Transaction) -> None:
            known = sa.select(_signed.size).where(_signed.size == checkpoint.size)
            if tx.connection.scalar(known) is None:
                row = {"size": checkpoint.size, "note": note, "created_at": self._clock.now()}
                tx.connection.execute(sa.insert(audit_checkpoint), row)

        self._database.write(act)
        self._kept = note


def _not_signed(size: int) -> FrsError:
    return FrsError(Reason.CHECKPOINT_NOT_FOUND, f"No checkpoint was signed for {size} events.", size=str(size))
