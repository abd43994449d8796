"""Verification of a database: every leaf, hash, column, reference, payload and checkpoint against the others.

One pass over the log in chunks. A leaf is compared with the hash stored when it was appended, which names an altered
event at once; the columns and references that filters use with the leaf, so that no event can be hidden from a search;
the payload with what the leaf commits to; and the root at each signed size with what was signed, computed anew from
the leaves alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.checkpoints import Checkpoint
from frs.audit.chunked_tree import CHUNK, CHUNK_LEVELS, ChunkedTree
from frs.audit.event import open_committed
from frs.audit.leaves import LeafChecker, LeafFields
from frs.audit.origins import Origins
from frs.audit.report import Problem, VerificationReport
from frs.audit.stored_checkpoints import check_head_time, check_names, read_checkpoints
from frs.audit.stored_hashes import check_hashes, check_no_more, check_upper_hashes
from frs.audit.stored_references import ReferenceChecker
from frs.errors import FrsError, Reason
from frs.store.engines import cause_text
from frs.store.schema import audit_event, audit_head, audit_payload
from frs.store.vault import Vault

Progress: TypeAlias = "Callable[[int, int], None]"
"""Called now and then with the number of events examined and of all."""
Row: TypeAlias = "tuple[int, Any, Any, Any, bytes]"
"""Index, time, action, actor and leaf, as they stand there."""

_MOST_PROBLEMS = 1000
_RESTORED = str(Action.LOG_ORIGIN_STARTED)
_event = audit_event.c
_ROW = sa.select(
    _event.seq,
    sa.type_coerce(_event.time, sa.String),  # as it stands there, be it a time or not
    _event.action,
    _event.actor,
    sa.type_coerce(_event.leaf, sa.LargeBinary),
)


def verify_database(
    connection: sa.Connection,
    public_key: str,
    vault: Vault | None = None,
    progress: Progress | None = None,
    open_payloads: bool = True,
    apart: str | None = None,
) -> VerificationReport:
    """Verify the whole log with its public key (a vkey), under each name that it has had.

    ``apart`` is the checkpoint that the keyring says was signed last, read before the connection's snapshot began.
    With a vault, payloads are opened and compared with their leaves; without ``open_payloads`` it is only checked that
    each one that was not erased is there. Of very many problems the first thousand are reported.
    """
    inspection = _Inspection(connection, public_key, vault, open_payloads, apart)
    problems: list[Problem] = []
    try:
        for problem in inspection.run(progress or (lambda _done, _all: None)):
            if len(problems) < _MOST_PROBLEMS:
                problems.append(problem)
    except sa.exc.DBAPIError as error:
        seq = inspection.tree.size
        problems.append(Problem(f"The database cannot be read from event {seq} on: {cause_text(error)}.", seq))
    return VerificationReport(
        events=inspection.tree.size,
        root=inspection.tree.root(),
        checkpoints=inspection.checked,
        payloads_opened=inspection.opened,
        payloads_erased=inspection.erased,
        signed=inspection.signed,
        problems=tuple(problems),
    )


class _Inspection:
    def __init__(
        self, connection: sa.Connection, public_key: str, vault: Vault | None, open_payloads: bool, apart: str | None
    ) -> None:
        self.tree = ChunkedTree()
        self.checked = 0
        self.opened = 0
        self.erased = 0
        self._connection = connection
        self._key = public_key
        self._vault = vault
        self._opens = open_payloads
        self._apart = apart
        self._origins = Origins.load(connection)
        self._starts = {origin.first_seq for origin in self._origins if origin.number}
        self._leaves = LeafChecker()
        self._references = ReferenceChecker()
        self._altered: set[int] = set()
        self._signed: list[Checkpoint] = []  # not yet reached, the next one last
        self.signed = 0  # the largest signed size whose root agreed
        self._differed = False

    def run(self, progress: Progress) -> Iterator[Problem]:
        counted = self._connection.scalar(sa.select(audit_head.c.size).where(audit_head.c.id == 1)) or 0
        yield from check_names(self._origins, self._key)
        self._signed, problems = read_checkpoints(self._connection, self._key, self._origins, self._apart)
        yield from problems
        yield from self._check_roots()
        while rows := self._read_chunk(self.tree.size, counted):
            whole = _leading(rows, self.tree.size)
            if whole:
                yield from self._check_chunk(rows[:whole])
            if whole < len(rows):
                yield Problem(f"Event {self.tree.size} is missing; what follows was not examined.", self.tree.size)
                return
            progress(self.tree.size, counted)
            if len(rows) < CHUNK:
                break
        if counted != self.tree.size:
            yield Problem(f"The log counts {counted} events, but {self.tree.size} are stored.", self.tree.size)
        elif self.tree.size - 1 not in self._altered:  # it has been named
            yield from check_head_time(self._connection)
        if self._signed:
            message = f"{self._signed[0].size} events have been signed, but only {self.tree.size} are stored."
            yield Problem(message, self.tree.size)
        yield from check_no_more(self._connection, self.tree.size)
        for problem in self._references.check(self._connection):
            if problem.event not in self._altered:  # it has been named
                yield problem

    def _check_chunk(self, rows: Sequence[Row]) -> Iterator[Problem]:
        first, sha256 = self.tree.size, hashlib.sha256
        self.tree.add([sha256(b"\x00" + row[4]).digest() for row in rows])
        altered: set[int] = set()
        yield from check_hashes(self._connection, first, self.tree.levels, altered)
        yield from check_upper_hashes(self._connection, CHUNK_LEVELS, first, self.tree.size)
        self._altered |= altered
        payloads = self._read_payloads(first) if self._opens else {}
        for row in rows:
            if row[0] in altered:
                self._leaves.skip()
                continue
            fields, problems = self._leaves.check(row[4])
            if problems:
                yield from problems
            if fields is not None:
                yield from self._check_event(row, fields, payloads)
        if not self._opens:
            yield from self._check_payloads_held(first, self.tree.size)
        yield from self._check_roots()

    def _check_event(self, row: Row, fields: LeafFields, payloads: Mapping[int, bytes]) -> Sequence[Problem]:
        seq, time, action, actor, _ = row
        self._references.expect(seq, fields.references)
        problems = []
        if (fields.time, fields.action, fields.actor) != (time, action, actor):
            stored = {"time": time, "action": action, "actor": actor}
            problems = [
                Problem(f"Event {seq} is filed under another {name} than its leaf says.", seq)
                for name, value in stored.items()
                if getattr(fields, name) != value
            ]
        if (fields.action == _RESTORED) != (seq in self._starts):
            name = self._origins.of(seq).name
            problems.append(
                Problem(f"Event {seq} and the names of the log disagree on whether {name} begins there.", seq)
            )
        if self._vault is not None and self._opens:
            problems += self._check_payload(self._vault, seq, fields, payloads.get(seq))
        return problems

    def _check_payload(self, vault: Vault, seq: int, fields: LeafFields, sealed: bytes | None) -> Sequence[Problem]:
        owner = self._origins.payload_owner(seq)
        try:
            if sealed is not None:
                open_committed(seq, fields.payload, sealed, owner, vault)
                self.opened += 1
                return ()
        except FrsError as error:
            if error.reason is not Reason.KEY_MISSING or not vault.destroyed(owner):
                altered = error.reason is Reason.LOG_INCONSISTENT  # then the message names the event itself
                lost = f"The payload of event {seq} fails: {error.message}"
                return (Problem(error.message if altered else lost, seq),)
        if not vault.destroyed(owner):
            return (Problem(f"The payload of event {seq} is missing, but was never erased.", seq),)
        self.erased += 1
        return ()

    def _check_payloads_held(self, first: int, stop: int) -> Iterator[Problem]:
        """Check that every payload which was not erased is there, without opening any."""
        if self._vault is None:
            return
        column = audit_payload.c.seq
        within = (column >= first, column < stop)
        held = self._connection.scalar(sa.select(sa.func.count()).select_from(audit_payload).where(*within))
        if held == stop - first:
            return
        for seq in {*range(first, stop)}.difference(self._connection.scalars(sa.select(column).where(*within))):
            if self._vault.destroyed(self._origins.payload_owner(seq)):
                self.erased += 1
            else:
                yield Problem(f"The payload of event {seq} is missing, but was never erased.", seq)

    def _check_roots(self) -> Iterator[Problem]:
        """Compare with the checkpoints signed for the sizes reached."""
        while self._signed and self._signed[-1].size <= self.tree.size:
            checkpoint = self._signed.pop()
            self.checked += 1
            if checkpoint.root == self.tree.root(checkpoint.size):
                self.signed = checkpoint.size
            elif not self._differed:  # all later ones differ with it
                self._differed = True
                span = f"{self.signed} to {checkpoint.size - 1}"
                yield Problem(
                    f"The first {checkpoint.size} events are not those that were signed: one of {span} differs."
                )

    def _read_chunk(self, first: int, counted: int) -> Sequence[Row]:
        query = _ROW.where(_event.seq >= first).order_by(_event.seq).limit(CHUNK)
        try:
            rows: Sequence[Row] = self._connection.execute(query).all()
        except sa.exc.DBAPIError:  # some bytes of it are no text any more, or no row
            rows = [*self._read_singly(first, min(first + CHUNK, counted))]
        if all(type(row[4]) is bytes for row in rows):
            return rows
        return [(*row[:4], _octets(row[4])) for row in rows]

    def _read_singly(self, first: int, stop: int) -> Iterator[Row]:
        """Read rows one by one; what of a row cannot be read is empty."""
        for seq in range(first, stop):
            try:
                row = self._connection.execute(_ROW.where(_event.seq == seq)).one_or_none()
                if row is not None:
                    yield row
            except sa.exc.DBAPIError:
                yield seq, None, None, None, self._read_leaf(seq)

    def _read_leaf(self, seq: int) -> bytes:
        try:
            return _octets(self._connection.scalar(sa.select(_event.leaf).where(_event.seq == seq)))
        except sa.exc.DBAPIError:
            return b""

    def _read_payloads(self, first: int) -> Mapping[int, bytes]:
        if self._vault is None:
            return {}
        columns = audit_payload.c
        query = sa.select(columns.seq, columns.sealed).where(columns.seq >= first, columns.seq < first + CHUNK)
        return dict(self._connection.execute(query).all())


def _leading(rows: Sequence[Row], first: int) -> int:
    """Return how many rows from the beginning on have the indexes that follow one another from ``first``."""
    if rows[-1][0] - first + 1 == len(rows):  # they are in order and differ
        return len(rows)
    return next(place for place, row in enumerate(rows) if row[0] != first + place)


def _octets(value: bytes | str | None) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value or b""
