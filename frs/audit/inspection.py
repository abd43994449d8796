"""Verification of a database: every leaf, hash, column, reference, payload and checkpoint against the others.

One pass over the log in chunks. A leaf is compared with the hash stored when it was appended, which names an altered
event at once; the columns and references that filters use with the leaf, so that no event can be hidden from a search;
the payload with what the leaf commits to; and the root at each signed size with what was signed, computed anew from
the leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.event import open_payload
from frs.audit.leaves import LeafChecker
from frs.audit.origins import Origins
from frs.audit.report import Problem, VerificationReport
from frs.audit.stored_hashes import check_inner_hashes, check_leaf_hash, check_no_more, read_hashes
from frs.audit.stored_references import ReferenceChecker
from frs.audit.tree import Accumulator
from frs.errors import FrsError, Reason
from frs.store.schema import audit_checkpoint, audit_event, audit_head, audit_payload
from frs.store.vault import Vault

_CHUNK = 1024  # a power of two, so that chunks hold whole subtrees
_MOST_PROBLEMS = 1000
_event = audit_event.c


def verify_database(connection: sa.Connection, public_key: str, vault: Vault | None = None) -> VerificationReport:
    """Verify the whole log with its public key (a vkey); with a vault, payloads are opened and checked too.

    Of very many problems the first thousand are reported.
    """
    inspection = _Inspection(connection, public_key, vault)
    problems: list[Problem] = []
    for problem in inspection.run():
        if len(problems) < _MOST_PROBLEMS:
            problems.append(problem)
    return VerificationReport(
        events=inspection.tree.size,
        root=inspection.tree.root(),
        checkpoints=inspection.checked,
        payloads_opened=inspection.opened,
        payloads_erased=inspection.erased,
        problems=tuple(problems),
    )


class _Inspection:
    def __init__(self, connection: sa.Connection, public_key: str, vault: Vault | None) -> None:
        self.tree = Accumulator()
        self.checked = 0
        self.opened = 0
        self.erased = 0
        self._connection = connection
        self._key = public_key
        self._vault = vault
        self._origins = Origins.load(connection)
        self._leaves = LeafChecker()
        self._references = ReferenceChecker()
        self._altered: set[int] = set()
        self._signed: list[Checkpoint] = []  # not yet reached, the next one last
        self._agreed = 0  # the largest signed size whose root agreed
        self._differed = False

    def run(self) -> Iterator[Problem]:
        yield from self._read_checkpoints()
        yield from self._check_root()
        while rows := self._read_chunk(self.tree.size):
            first = self.tree.size
            stored = read_hashes(self._connection, 0, first, first + _CHUNK)
            payloads = self._read_payloads(first)
            for row in rows:
                if row.seq != self.tree.size:
                    yield Problem(f"Event {self.tree.size} is missing; what follows was not examined.", self.tree.size)
                    return
                problem = check_leaf_hash(row.seq, self.tree.add(row.leaf), stored.get(row.seq))
                if problem is not None:
                    yield problem
                    self._altered.add(row.seq)
                    self._leaves.skip()
                else:
                    yield from self._check_event(row, payloads.get(row.seq))
                yield from self._check_root()
            yield from check_inner_hashes(self._connection, first, self.tree.size)
        yield from self._check_end()
        yield from check_no_more(self._connection, self.tree.size)
        for problem in self._references.check(self._connection):
            if problem.event not in self._altered:  # it has been named
                yield problem

    def _check_event(self, row: sa.Row[*tuple[Any, ...]], sealed: bytes | None) -> Iterator[Problem]:
        fields, problems = self._leaves.check(row.leaf)
        yield from problems
        if fields is None:
            return
        for name in ("time", "action", "actor"):
            if fields[name] != row._mapping[name]:
                yield Problem(f"Event {row.seq} is filed under another {name} than its leaf says.", row.seq)
        self._references.expect(row.seq, fields["refs"])
        if self._vault is not None:
            yield from self._check_payload(self._vault, row, sealed)

    def _check_payload(self, vault: Vault, row: sa.Row[*tuple[Any, ...]], sealed: bytes | None) -> Iterator[Problem]:
        owner = self._origins.payload_owner(row.seq)
        if vault.destroyed(owner):
            self.erased += 1
        elif sealed is None:
            yield Problem(f"The payload of event {row.seq} is missing, but was never erased.", row.seq)
        else:
            try:
                open_payload(row.seq, row.leaf, sealed, owner, vault)
                self.opened += 1
            except FrsError as error:
                altered = error.reason is Reason.LOG_INCONSISTENT  # then the message names the event itself
                lost = f"The payload of event {row.seq} fails: {error.message}"
                yield Problem(error.message if altered else lost, row.seq)

    def _check_root(self) -> Iterator[Problem]:
        """Compare with the checkpoint signed for the size reached, if there is one."""
        while self._signed and self._signed[-1].size == self.tree.size:
            checkpoint = self._signed.pop()
            self.checked += 1
            if checkpoint.root == self.tree.root():
                self._agreed = checkpoint.size
            elif not self._differed:  # all later ones differ with it
                self._differed = True
                span = f"{self._agreed} to {checkpoint.size - 1}"
                yield Problem(
                    f"The first {checkpoint.size} events are not those that were signed: one of {span} differs."
                )

    def _check_end(self) -> Iterator[Problem]:
        size: int | None = self._connection.scalar(sa.select(audit_head.c.size).where(audit_head.c.id == 1))
        if (size or 0) != self.tree.size:
            yield Problem(f"The log counts {size} events, but {self.tree.size} are stored.", self.tree.size)
        if self._signed:
            message = f"{self._signed[0].size} events have been signed, but only {self.tree.size} are stored."
            yield Problem(message, self.tree.size)

    def _read_checkpoints(self) -> Iterator[Problem]:
        columns = audit_checkpoint.c
        for row in self._connection.execute(sa.select(columns.size, columns.note).order_by(columns.size.desc())):
            try:
                checkpoint = read_checkpoint(row.note, self._key, self._origins.names)
            except FrsError as error:
                yield Problem(f"The checkpoint of {row.size} events fails: {error.message}")
                continue
            if checkpoint.size != row.size:
                yield Problem(f"The checkpoint filed under {row.size} events was signed for {checkpoint.size}.")
            else:
                self._signed.append(checkpoint)

    def _read_chunk(self, first: int) -> Iterable[sa.Row[*tuple[Any, ...]]]:
        time = sa.type_coerce(_event.time, sa.String).label("time")  # as it stands there, be it a time or not
        columns = (_event.seq, time, _event.action, _event.actor, _event.leaf)
        query = sa.select(*columns).where(_event.seq >= first).order_by(_event.seq).limit(_CHUNK)
        return self._connection.execute(query).all()

    def _read_payloads(self, first: int) -> dict[int, bytes]:
        if self._vault is None:
            return {}
        columns = audit_payload.c
        query = sa.select(columns.seq, columns.sealed).where(columns.seq >= first, columns.seq < first + _CHUNK)
        return {row.seq: row.sealed for row in self._connection.execute(query)}
