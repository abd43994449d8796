"""Checks of the references that filters find events by: exactly those that the leaves name, no more and no fewer.

One pass over the table, whatever its order: for each bucket of events the keyed hashes of its references are added up
and compared with the sum over the leaves. Only where they differ are the rows themselves compared.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from frs.audit.event import reference_pairs
from frs.audit.report import Problem
from frs.store.schema import audit_event, audit_reference

_BUCKET = 4096
_MOST_BUCKETS = 4
_reference = audit_reference.c


class ReferenceChecker:
    """Collects what the leaves name, then compares."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)  # nobody can choose rows whose sums agree by design
        self._sums: dict[int, int] = defaultdict(int)

    def expect(self, seq: int, refs: dict[str, Any]) -> None:
        """Take the references of a leaf."""
        for kind, value in reference_pairs(refs):
            self._sums[seq // _BUCKET] += self._hash(kind, value, seq)

    def check(self, connection: sa.Connection) -> Iterator[Problem]:
        """Compare with the table."""
        everything = sa.select(_reference.kind, _reference.value, _reference.seq).execution_options(yield_per=_BUCKET)
        for row in connection.execute(everything):
            self._sums[row.seq // _BUCKET] -= self._hash(row.kind, row.value, row.seq)
        differing = sorted(bucket for bucket, total in self._sums.items() if total)
        for bucket in differing[:_MOST_BUCKETS]:
            yield from _compare(connection, bucket * _BUCKET, (bucket + 1) * _BUCKET)
        if len(differing) > _MOST_BUCKETS:
            yield Problem(f"References of events from {differing[_MOST_BUCKETS] * _BUCKET} on differ too.")

    def _hash(self, kind: str, value: str, seq: int) -> int:
        text = f"{kind}\x00{value}\x00{seq}".encode()
        return int.from_bytes(hashlib.blake2b(text, key=self._key, digest_size=16).digest(), "big")


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
    query = sa.select(_reference.seq, _reference.kind, _reference.value).where(
        _reference.seq >= first, _reference.seq < stop
    )
    stored = {(row.seq, row.kind, row.value) for row in connection.execute(query)}
    for seq, kind, _ in sorted(expected - stored):
        yield Problem(f"Event {seq} cannot be found by its {kind}: the reference was removed.", seq)
    for seq, kind, _ in sorted(stored - expected):
        yield Problem(f"Event {seq} is filed under {kind} references that its leaf does not name.", seq)
