"""The names under which a log has been signed: one from its beginning, and one more for each restoration.

A log that was put back from a backup may lack events that had been signed. It goes on over the restored events under a
new name, so that nobody takes it for the log that was lost; the first event under the new name says which checkpoint
was witnessed last. The same key signs under every name: who trusts one verifier key can verify them all.

The owner of an event's payload differs after a restoration too: an event lost with the old database had the same index,
and its key may lie in the keyring still.
"""

from __future__ import annotations

import bisect
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.audit.notes import check_name
from frs.store.schema import audit_origin

_SUFFIX = re.compile(r"/r-([0-9a-f]{12})\Z")
_SUFFIX_BYTES = 6


@dataclass(frozen=True, slots=True)
class Origin:
    """One name of the log."""

    number: int
    """From 0; each restoration adds one."""
    name: str
    """The origin line of checkpoints."""
    first_seq: int
    """Events from here on were appended under it."""


class Origins:
    """The names of one log in order; it does not change, so that every thread may ask."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        self._origins = tuple(origins)
        self._starts = [origin.first_seq for origin in self._origins]

    @classmethod
    def load(cls, connection: sa.Connection) -> Origins:
        """Read the names of the log in a database; none when the log has not begun."""
        columns = audit_origin.c
        query = sa.select(columns.number, columns.origin, columns.first_seq).order_by(columns.number)
        return cls([Origin(*row) for row in connection.execute(query)])

    def __iter__(self) -> Iterator[Origin]:
        """Iterate over the names, the first one first."""
        return iter(self._origins)

    def __len__(self) -> int:
        """Return how many names the log has had."""
        return len(self._origins)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, the first one first."""
        return tuple(origin.name for origin in self._origins)

    def current(self) -> Origin:
        """Return the name that the log is signed under now. Raises LookupError when the log has not begun."""
        return self._origins[-1]

    def of(self, seq: int) -> Origin:
        """Return the name that an event was appended under. Raises LookupError when the log has not begun."""
        return self._origins[max(bisect.bisect_right(self._starts, seq) - 1, 0)]

    def payload_owner(self, seq: int) -> str:
        """Return whose key seals an event's payload: ``event:7``, after a restoration ``event:0123456789ab:7``."""
        if len(self._origins) < 2:  # most logs; and a log that has not begun will begin with number 0
            return f"event:{seq}"
        origin = self.of(seq)
        if not origin.number:
            return f"event:{seq}"
        found = _SUFFIX.search(origin.name)  # none where somebody altered the name: then no key has that owner
        return f"event:{found[1] if found is not None else origin.name}:{seq}"


def begin_origin(connection: sa.Connection, name: str, first_seq: int, now: datetime) -> Origin:
    """Give the log its next name, in the caller's transaction; ``name`` is made by :func:`new_origin_name`.

    Raises ValueError when a later name is not of that form.
    """
    number: int = connection.execute(sa.select(sa.func.count()).select_from(audit_origin)).scalar_one()
    check_name(name)
    if number:
        _suffix(name)
    row = {"number": number, "origin": name, "first_seq": first_seq, "started_at": now}
    connection.execute(sa.insert(audit_origin).values(row))
    return Origin(number, name, first_seq)


def new_origin_name(base: str) -> str:
    """Return a new name for a restored log: ``<first name>/r-<12 hexadecimal digits>``."""
    return f"{first_name(base)}/r-{secrets.token_hex(_SUFFIX_BYTES)}"


def first_name(name: str) -> str:
    """Return the name that a log had before it was restored, or the name itself."""
    found = _SUFFIX.search(name)
    return name[: found.start()] if found is not None else name


def is_restored_name(name: str, first: str) -> bool:
    """Return whether a name is one that :func:`new_origin_name` makes for a log that began as ``first``."""
    return first_name(name) == first_name(first) and _SUFFIX.search(name) is not None


def _suffix(name: str) -> str:
    found = _SUFFIX.search(name)
    if found is None:
        raise ValueError(f"{name!r} does not end as the name of a restored log does")
    return found[1]
