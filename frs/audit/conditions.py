"""Conditions on events, each backed by an index that holds its events in order.

A condition is a union of *parts* that share no event; each part is a stretch of an index within which events stand in
the order of the log. It can also be asked of one event at a time, which costs one look into the same index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import sqlalchemy as sa

from frs.store.schema import audit_event, audit_reference

Span: TypeAlias = "tuple[int, int]"
"""The first and last index that count, both inclusive."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an index."""

    table: sa.FromClause
    clauses: tuple[sa.ColumnElement[bool], ...]

    @property
    def seq(self) -> sa.ColumnElement[int]:
        """The events' indexes."""
        column: sa.ColumnElement[int] = self.table.c.seq
        return column

    def select(self, span: Span, *more: sa.ColumnElement[bool]) -> sa.Select[Any]:
        """Select the indexes of the part's events within a span for which ``more`` holds too."""
        return sa.select(self.seq).where(*self.clauses, self.seq >= span[0], self.seq <= span[1], *more)

    def holds(self, seq: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Say that the event ``seq`` of an enclosing query is in the part; ``table`` must be another there."""
        # A range of one: for an equal sign SQLite would read the whole row in place of the short index.
        return sa.select(sa.literal(1)).where(*self.clauses, self.seq >= seq, self.seq <= seq).exists()


class Condition(Protocol):
    """Something that holds for some events."""

    def parts(self) -> tuple[Part, ...]:
        """Return the stretches of indexes that make it up; each call with tables of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Anything:
    """Every event."""

    def parts(self) -> tuple[Part, ...]:
        """See :class:`Condition`."""
        return (Part(audit_event.alias(), ()),)


@dataclass(frozen=True, slots=True)
class ByReference:
    """Events that refer to something."""

    kind: str
    value: str

    def parts(self) -> tuple[Part, ...]:
        """See :class:`Condition`."""
        table = audit_reference.alias()
        return (Part(table, (table.c.kind == self.kind, table.c.value == self.value)),)


@dataclass(frozen=True, slots=True)
class ByActor:
    """Events of one actor, by pseudonym."""

    pseudonym: str

    def parts(self) -> tuple[Part, ...]:
        """See :class:`Condition`."""
        table = audit_event.alias()
        return (Part(table, (table.c.actor == self.pseudonym,)),)


@dataclass(frozen=True, slots=True)
class ByAction:
    """Events of any of some actions, and of one actor where one is given: a part for each action."""

    actions: tuple[str, ...]
    actor: str | None = None
    """Pseudonym."""

    def parts(self) -> tuple[Part, ...]:
        """See :class:`Condition`."""
        return tuple(self._part(action) for action in self.actions)

    def _part(self, action: str) -> Part:
        table = audit_event.alias()
        if self.actor is None:
            return Part(table, (table.c.action == action,))
        return Part(table, (table.c.actor == self.actor, table.c.action == action))


def holds(condition: Condition, seq: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Say that the event ``seq`` of an enclosing query meets a condition."""
    return sa.or_(sa.false(), *(part.holds(seq) for part in condition.parts()))
