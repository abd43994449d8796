"""What falls due while nobody does anything, looked at every second.

- A claim that has run out ends, and the case waits again.
- An alert that nobody decided while it was worth acting on expires.
- A case that nobody took in time escalates: it moves ahead of its grading, is logged and counted, and escalates again
  after twice as long each time, so that the log tells of it without being filled by it.
- An officer who owes an outcome for too long is told of, once (:mod:`frs.review.overdue`).

Each is a transaction of its own that asks once more: whoever decided meanwhile was first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import sqlalchemy as sa
import structlog

from frs.audit.actions import Action
from frs.review import queue
from frs.review.case import CaseKind, CaseState
from frs.review.case_closing import CaseClosing
from frs.review.case_desk import CaseDesk
from frs.review.case_opening import escalation_seconds
from frs.review.claims import let_go
from frs.review.overdue import tell_overdue
from frs.settings import OperatorSettings
from frs.store.database import Transaction
from frs.store.schema import review_case
from frs.types import Actor, Json

AT_ONCE = 200
"""Most that one look does of each kind; the next comes soon."""

_log = structlog.get_logger()
_Act: TypeAlias = "Callable[[Transaction, sa.Row[Any]], None]"


class Escalation:
    """Does what is due."""

    def __init__(self, desk: CaseDesk, closing: CaseClosing, operator: OperatorSettings) -> None:
        self._desk, self._closing, self._operator = desk, closing, operator

    def look(self) -> int:
        """Do what is due and return how much that was."""
        now = self._desk.clock.now()
        case = review_case.c
        stale = sa.and_(queue.is_open(), case.stale_at <= now)
        ran_out = sa.and_(case.state == str(CaseState.CLAIMED), case.claim_until <= now)
        due = sa.and_(case.state == str(CaseState.PENDING), case.escalates_at <= now)
        done = self._each(stale, self._expire) + self._each(ran_out, self._end_claim) + self._each(due, self._escalate)
        limit = timedelta(seconds=self._operator.outcome_due_seconds)
        return done + tell_overdue(self._desk.database, self._desk.audit, now, limit)

    def _each(self, due: sa.ColumnElement[bool], act: _Act) -> int:
        """Do ``act`` to every case that is due, in the order of the queue, each in a transaction of its own."""
        with self._desk.database.read() as connection:
            query = sa.select(review_case.c.id).where(due).order_by(*queue.MOST_URGENT).limit(AT_ONCE)
            names = connection.scalars(query).all()
        return sum(self._desk.database.write(partial(_once_more, name, due, act)) for name in names)

    def _expire(self, tx: Transaction, row: sa.Row[Any]) -> None:
        self._closing.expired(tx, row, self._desk.clock.now())

    def _end_claim(self, tx: Transaction, row: sa.Row[Any]) -> None:
        let_go(tx, row.id)
        said: dict[str, Json] = {"ran_out": True, "held_by": row.claimed_by, "until": row.claim_until.isoformat()}
        self._desk.append(tx, Action.REVIEW_RELEASED, Actor.system(), row, said)
        tx.after_commit(self._desk.bell.ring)

    def _escalate(self, tx: Transaction, row: sa.Row[Any]) -> None:
        times = row.escalations + 1
        seconds = escalation_seconds(self._desk.settings, CaseKind(row.kind), row.grading, times)
        values = {"escalations": times, "escalates_at": self._desk.clock.now() + timedelta(seconds=seconds)}
        tx.connection.execute(review_case.update().where(review_case.c.id == row.id).values(values))
        self._desk.append(tx, Action.REVIEW_ESCALATED, Actor.system(), row, {"times": times})
        tx.after_commit(self._desk.bell.ring)
        tx.after_commit(lambda: _log.warning("case escalated", case=row.id, grading=row.grading, times=times))


def _once_more(case_id: str, due: sa.ColumnElement[bool], act: _Act, tx: Transaction) -> int:
    row = tx.connection.execute(sa.select(review_case).where(review_case.c.id == case_id, due)).one_or_none()
    if row is None:
        return 0
    act(tx, row)
    return 1
