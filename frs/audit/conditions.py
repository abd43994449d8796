"""Conditions on events, each backed by an index: its events in order, and which of some events meet it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import sqlalchemy as sa

from frs.store.schema import audit_event, audit_reference

Span: TypeAlias = "tuple[int, int]"
"""The first and last index that count, both inclusive."""

_event = audit_event.c
_reference = audit_reference.c
_MOST_PARAMETERS = 500


class Condition(Protocol):
    """Something that holds for some events."""

    def first(self, connection: sa.Connection, span: Span, count: int, newest_first: bool) -> list[int]:
        """Return the indexes of the first ``count`` events of the span that meet it, in order."""
        ...

    def among(self, connection: sa.Connection, events: set[int]) -> set[int]:
        """Return which of the events meet it."""
        ...


@dataclass(frozen=True, slots=True)
class Anything:
    """Every event."""

    def first(self, connection: sa.Connection, span: Span, count: int, newest_first: bool) -> list[int]:
        """See :class:`Condition`."""
        return _first(connection, _event.seq, (), span, count, newest_first)

    def among(self, connection: sa.Connection, events: set[int]) -> set[int]:  # noqa: ARG002  # the interface's
        """See :class:`Condition`."""
        return events


@dataclass(frozen=True, slots=True)
class ByReference:
    """Events that refer to something."""

    kind: str
    value: str

    def first(self, connection: sa.Connection, span: Span, count: int, newest_first: bool) -> list[int]:
        """See :class:`Condition`."""
        return _first(connection, _reference.seq, self._conditions(), span, count, newest_first)

    def among(self, connection: sa.Connection, events: set[int]) -> set[int]:
        """See :class:`Condition`."""
        return _among(connection, _reference.seq, self._conditions(), events)

    def _conditions(self) -> tuple[sa.ColumnElement[bool], ...]:
        return (_reference.kind == self.kind, _reference.value == self.value)


@dataclass(frozen=True, slots=True)
class ByActor:
    """Events of one actor, by pseudonym."""

    pseudonym: str

    def first(self, connection: sa.Connection, span: Span, count: int, newest_first: bool) -> list[int]:
        """See :class:`Condition`."""
        return _first(connection, _event.seq, (_event.actor == self.pseudonym,), span, count, newest_first)

    def among(self, connection: sa.Connection, events: set[int]) -> set[int]:
        """See :class:`Condition`."""
        return _among(connection, _event.seq, (_event.actor == self.pseudonym,), events)


@dataclass(frozen=True, slots=True)
class ByAction:
    """Events of any of some actions: an ordered query for each, merged, since an index keeps order within one only."""

    actions: tuple[str, ...]

    def first(self, connection: sa.Connection, span: Span, count: int, newest_first: bool) -> list[int]:
        """See :class:`Condition`."""
        found = [
            seq
            for action in self.actions
            for seq in _first(connection, _event.seq, (_event.action == action,), span, count, newest_first)
        ]
        return sorted(found, reverse=newest_first)[:count]

    def among(self, connection: sa.Connection, events: set[int]) -> set[int]:
        """See :class:`Condition`."""
        return _among(connection, _event.seq, (_event.action.in_(self.actions),), events)


def _first(
    connection: sa.Connection,
    index: sa.ColumnElement[int],
    conditions: Sequence[sa.ColumnElement[bool]],
    span: Span,
    count: int,
    newest_first: bool,
) -> list[int]:
    query = (
        sa.select(index)
        .where(*conditions, index >= span[0], index <= span[1])
        .order_by(index.desc() if newest_first else index.asc())
        .limit(count)
    )
    return [int(row[0]) for row in connection.execute(query)]


def _among(
    connection: sa.Connection,
    index: sa.ColumnElement[int],
    conditions: Sequence[sa.ColumnElement[bool]],
    events: set[int],
) -> set[int]:
    found: set[int] = set()
    for part in _parts(sorted(events)):
        found.update(int(row[0]) for row in connection.execute(sa.select(index).where(*conditions, index.in_(part))))
    return found


def _parts(events: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(events), _MOST_PARAMETERS):
        yield events[start : start + _MOST_PARAMETERS]
