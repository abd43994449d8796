"""The audit log: appended to in the transaction of the act that it records, read, proven and signed.

Words: an event is *appended* when the transaction that holds it commits, together with the act; it is *signed* when a
checkpoint covers it, at most ``audit.checkpoint_seconds`` later. If the process dies before the commit, neither act nor
event happened; between commit and checkpoint, both did and the next checkpoint covers them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import sqlalchemy as sa

from frs.audit import tree
from frs.audit.appending import Appender
from frs.audit.checkpoints import Checkpoint, CheckpointSigner
from frs.audit.event import Record, StoredEvent
from frs.audit.kept_checkpoints import KeptCheckpoints
from frs.audit.listeners import Listeners
from frs.audit.nodes import node_reader
from frs.audit.notes import NoteVerifier
from frs.audit.origins import Origins, begin_origin
from frs.audit.query import EventFilter, find
from frs.audit.reading import read_event, read_events, read_leaves
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.store.database import Database, Transaction
from frs.store.engines import cause_text, is_storage_error, storage_error
from frs.store.paging import page_token_decode, page_token_encode
from frs.store.schema import audit_event, audit_head
from frs.store.vault import Vault
from frs.types import Event, Page

Hashes: TypeAlias = "list[bytes]"
"""A proof: 32-byte hashes in the order of RFC 6962."""

__all__ = ["AuditLog", "EventFilter", "StoredEvent"]

_SIZE = sa.select(audit_head.c.size).where(audit_head.c.id == 1)


class AuditLog:
    """The log of one database; every method may be called from any thread."""

    def __init__(self, database: Database, vault: Vault, signer: CheckpointSigner, clock: Clock) -> None:
        """Check that the database holds the tree signed last. Raises FrsError(LOG_INCONSISTENT) saying what differs."""
        self._database = database
        self._vault = vault
        self._signer = signer
        self._clock = clock
        self._failure: FrsError | None = None
        self._listeners = Listeners()
        self._checkpoints = KeptCheckpoints(database, signer, clock)
        self._told: Transaction | None = None
        self._origins = database.write(self._begin)
        signer.take_names(self._origins)
        self._appender = Appender(vault, self._origins)
        self._checkpoints.check()
        database.join(self._appender)

    @property
    def vkey(self) -> str:
        """The public key that verifies this log's checkpoints."""
        return self._signer.vkey

    @property
    def origin(self) -> str:
        """The log's name in its checkpoints."""
        return self._signer.origin

    @property
    def origins(self) -> Origins:
        """Every name that the log has been signed under."""
        return self._origins

    def vkey_of(self, origin: str) -> str:
        """Return the public key as text under one of the log's names."""
        return NoteVerifier.parse(self.vkey).named(origin).vkey

    def read(self, note: str) -> Checkpoint:
        """Verify a note of this log, under any of its names. Raises FrsError(LOG_INCONSISTENT)."""
        return self._signer.read(note)

    @property
    def failure(self) -> FrsError | None:
        """Why the log takes no more events, or None: it was found not to extend what has been signed."""
        return self._failure

    def stop(self, why: FrsError) -> None:
        """Take no more events: the witness has proven that this log is not the one that was signed."""
        self._failure = why

    def under_policy(self, version: int) -> None:
        """Write this version of the policy into the payload of every event from now on."""
        self._appender.policy = version

    def append(self, tx: Transaction, event: Event) -> int:
        """Record an event in the caller's transaction and return its index, from 0.

        Its time is the clock's, or that of the event before when the clock went back. Raises FrsError: LOG_UNAVAILABLE,
        LOG_INCONSISTENT, STORAGE_FULL; the act must then fail too.
        """
        if self._failure is not None:
            raise FrsError(self._failure.reason, self._failure.message, **self._failure.metadata)
        try:
            seq = self._appender.append(tx, event, self._clock.now())
            if self._told is not tx:  # once for each act
                self._told = tx
                tx.after_commit(self._tell)
            return seq
        except FrsError as error:
            if error.reason in {Reason.STORAGE_FULL, Reason.LOG_INCONSISTENT}:
                raise
            raise _unavailable(error) from error
        except (sa.exc.SQLAlchemyError, ValueError, TypeError) as error:
            if is_storage_error(error) and (failure := storage_error(error)).reason is Reason.STORAGE_FULL:
                raise failure from error
            raise _unavailable(error) from error

    def unwritten(self) -> tuple[Record, ...]:
        """Return the events that the running commit will write, for an act that must know of every event."""
        return self._appender.unwritten()

    def on_append(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every commit that appended events; return what takes it off again.

        It runs on the writer thread before the acts' callers are answered: it must be quick, must not write to the
        database, and what it raises is written to the service's log and goes no further.
        """
        return self._listeners.add(callback)

    def size(self) -> int:
        """Return how many events are appended."""
        with self._database.read() as connection:
            return int(connection.execute(_SIZE).scalar_one())

    def checkpoint(self) -> str:
        """Sign the log as it is, unless it has not grown, and return the signed note.

        Raises FrsError: LOG_INCONSISTENT when the log does not extend what has been signed (it then takes no more
        events), STORAGE_FULL, STORAGE_FAILED.
        """
        try:
            return self._checkpoints.sign()
        except FrsError as error:
            if error.reason is Reason.LOG_INCONSISTENT:
                self._failure = error
            raise

    def latest_checkpoint(self) -> str | None:
        """Return the note signed last, or None before the first; cosigned where the witness has done so."""
        return self._checkpoints.latest()

    def checkpoint_at(self, size: int) -> str:
        """Return the note signed for a size, cosigned where it is. Raises FrsError(CHECKPOINT_NOT_FOUND)."""
        return self._checkpoints.at(size)

    def signed_at_least(self, size: int) -> str:
        """Return the note of the smallest signed tree of at least ``size`` events; the log is signed now if none is.

        Raises FrsError: EVENT_NOT_FOUND when the log holds fewer events, and what :meth:`checkpoint` raises.
        """
        note = self._checkpoints.at_least(size)
        if note is not None:
            return note
        if size > (held := self.size()):
            raise FrsError(Reason.EVENT_NOT_FOUND, f"The log has {held} events.", size=str(held))
        return self.checkpoint()

    def keep_cosigned(self, size: int, note: str) -> None:
        """Keep the note of a size with the witness's signature beside the one that the log signed.

        Raises FrsError: CHECKPOINT_NOT_FOUND when none was signed for the size; LOG_INCONSISTENT when the note is not
        that one.
        """
        self._checkpoints.keep_cosigned(size, note)

    def inclusion_proof(self, seq: int, size: int) -> Hashes:
        """Prove that event ``seq`` is in the tree of ``size`` events. Raises FrsError(EVENT_NOT_FOUND)."""
        with self._database.read() as connection:
            if not 0 <= seq < size <= connection.execute(_SIZE).scalar_one():
                raise FrsError(Reason.EVENT_NOT_FOUND, f"There is no event {seq} in a log of {size}.", seq=str(seq))
            return tree.inclusion_proof(seq, size, node_reader(connection))

    def consistency_proof(self, old: int, new: int) -> Hashes:
        """Prove that the tree of ``new`` events begins with that of ``old``. Raises FrsError(EVENT_NOT_FOUND)."""
        with self._database.read() as connection:
            if not 0 <= old <= new <= connection.execute(_SIZE).scalar_one():
                raise FrsError(Reason.EVENT_NOT_FOUND, f"The log has no trees of {old} and {new} events.")
            return tree.consistency_proof(old, new, node_reader(connection))

    def list(
        self,
        filter: EventFilter,  # noqa: A002  # AIP-160's word
        page_size: int,
        page_token: str,
        newest_first: bool = False,
    ) -> Page[StoredEvent]:
        """Return a page of the events that match, payloads unopened. Raises FrsError(INVALID_PAGE_TOKEN)."""
        fingerprint = f"events\n{newest_first}\n{filter.fingerprint()}"
        last = page_token_decode(page_token, fingerprint, (int,))
        after = last[0] if last else None
        assert after is None or isinstance(after, int)
        with self._database.read() as connection:
            found = find(connection, filter, self._vault, after, page_size + 1, newest_first)
            events = read_events(connection, found[:page_size])
        more = len(found) > page_size
        return Page(events, page_token_encode(fingerprint, [found[page_size - 1]]) if more else "")

    def get(self, seq: int, open_payload: bool) -> StoredEvent:
        """Return one event, with its payload when asked for and not erased.

        Raises FrsError: EVENT_NOT_FOUND, LOG_INCONSISTENT when the payload was altered.
        """
        with self._database.read() as connection:
            return read_event(connection, seq, self._vault if open_payload else None, self._origins)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Return the leaves from ``start`` up to but not including ``stop``, as far as the log goes."""
        return read_leaves(self._database, start, stop)

    # --- inside ---

    def _begin(self, tx: Transaction) -> Origins:
        """Make head and first origin of an empty log; check that the head of another agrees with its events."""
        size: int | None = tx.connection.scalar(_SIZE)
        newest: int | None = tx.connection.scalar(sa.select(sa.func.max(audit_event.c.seq)))
        events = 0 if newest is None else newest + 1
        if size is None and events == 0:
            tx.connection.execute(sa.insert(audit_head).values(id=1, size=0, last_time=self._clock.now()))
        elif size != events:
            message = f"The log counts {size} events, but the last one stored is number {newest}."
            raise FrsError(Reason.LOG_INCONSISTENT, message)
        if not len(origins := Origins.load(tx.connection)):
            origins = Origins([begin_origin(tx.connection, self._signer.origin, 0, self._clock.now())])
        return origins

    def _tell(self) -> None:
        """Call the listeners, once for a commit however many of its acts appended. Runs on the writer thread."""
        self._told = None
        if self._appender.news:
            self._appender.news = False
            self._listeners.call()


def _unavailable(error: Exception) -> FrsError:
    message = f"The event could not be logged, so the act did not happen: {cause_text(error)}"
    return FrsError(Reason.LOG_UNAVAILABLE, message)
