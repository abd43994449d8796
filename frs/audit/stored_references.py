"""Checks of the references that filters find events by: exactly those that the leaves name, no more and no fewer.

One pass over the table, whatever its order: for each bucket of events the hashes of its references are added up and
compared with the sum over the leaves. Only where they differ are the rows themselves compared. The hash is Python's
own (SipHash), over a random prefix: nobody can choose rows whose sums agree by design.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from frs.audit.event import reference_pairs
from frs.audit.report import Problem
from frs.store.schema import Octets, audit_event, audit_reference

_BUCKET_BITS = 12
_MOST_BUCKETS = 4
_AT_ONCE = 10_000
_reference = audit_reference.c
# A text whose bytes were altered may be no text any more: SQLite then gives it out as bytes alone.
_AS_BYTES = (
    _reference.seq,
    *(sa.type_coerce(sa.cast(c, sa.LargeBinary), Octets).label(c.name) for c in (_reference.kind, _reference.value)),
)


class ReferenceChecker:
    """Collects what the leaves name, then compares."""

    def __init__(self) -> None:
        self._key = secrets.token_hex(32)
        self._sums: dict[int, int] = defaultdict(int)

    def expect(self, seq: int, references: Iterable[tuple[str, str]]) -> None:
        """Take the references of a leaf, each pair once."""
        key, total = self._key, 0
        for kind, value in references:
            total += hash(f"{key}{kind}:{seq}:{value}")
        self._sums[seq >> _BUCKET_BITS] += total

    def check(self, connection: sa.Connection) -> Iterator[Problem]:
        """Compare with the table."""
        expected = self._sums.copy()
        try:
            self._subtract(connection)
        except (sa.exc.DBAPIError, TypeError):  # some bytes of it are no text, or no number, any more
            self._sums = expected
            yield from self._subtract_altered(connection)
        differing = sorted(bucket for bucket, total in self._sums.items() if total)
        for bucket in differing[:_MOST_BUCKETS]:
            yield from _compare(connection, bucket << _BUCKET_BITS, (bucket + 1) << _BUCKET_BITS)
        if len(differing) > _MOST_BUCKETS:
            yield Problem(f"References of events from {differing[_MOST_BUCKETS] << _BUCKET_BITS} on differ too.")

    def _subtract(self, connection: sa.Connection) -> None:
        # The database puts the text together: half the work of doing it here.
        text = _reference.kind + ":" + sa.cast(_reference.seq, sa.Text) + ":" + _reference.value
        everything = sa.select(text, _reference.seq).execution_options(yield_per=_AT_ONCE)
        key, sums = self._key, self._sums
        for rows in connection.execute(everything).partitions():
            for named, seq in rows:
                sums[seq >> _BUCKET_BITS] -= hash(key + named)

    def _subtract_altered(self, connection: sa.Connection) -> Iterator[Problem]:
        for row in connection.execute(sa.select(*_AS_BYTES).execution_options(yield_per=_AT_ONCE)):
            if isinstance(row.seq, int):
                named = f"{_text(row.kind)}:{row.seq}:{_text(row.value)}"
                self._sums[row.seq >> _BUCKET_BITS] -= hash(self._key + named)
            else:
                yield Problem(f"A reference of the kind {_text(row.kind)} is filed under no event: it was altered.")


def _compare(connection: sa.Connection, first: int, stop: int) -> Iterator[Problem]:
    expected: set[tuple[int, str, str]] = set()
    leaves = sa.select(audit_event.c.seq, audit_event.c.leaf).where(
        audit_event.c.seq >= first, audit_event.c.seq < stop
    )
    for row in connection.execute(leaves):
        try:
            expected |= {(row.seq, kind, value) for kind, value in reference_pairs(json.loads(row.leaf)["refs"])}
        except (ValueError, TypeError, KeyError):
            continue  # the leaf's own check has said that it cannot be read
    query = sa.select(*_AS_BYTES).where(_reference.seq >= first, _reference.seq < stop)
    rows = connection.execute(query)
    stored = {(row.seq, _text(row.kind), _text(row.value)) for row in rows if isinstance(row.seq, int)}
    for seq, kind, _ in sorted(expected - stored):
        yield Problem(f"Event {seq} cannot be found by its {kind}: the reference was removed.", seq)
    for seq, kind, _ in sorted(stored - expected):
        yield Problem(f"Event {seq} is filed under {kind} references that its leaf does not name.", seq)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
